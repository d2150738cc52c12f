"""Where sentences end, language by language and mark by mark. "|" stands where a boundary is expected."""

from __future__ import annotations

import pytest

from gateway.core.boundaries import Scanner
from gateway.core.judge import SentencexJudge
from gateway.core.languages import base_language
from gateway.core.vocabulary import CutKind

SENTENCES = (CutKind.PARAGRAPH, CutKind.SENTENCE)


def boundaries(text: str, language: str = "en") -> list[tuple[int, CutKind]]:
    scanner = Scanner(SentencexJudge(), base_language(language))
    scanner.feed(text, 0)
    found = []
    while boundary := scanner.advance(len(text)):
        found.append((boundary.position, boundary.kind))
    return found


def cut(marked: str, language: str, kinds: tuple[CutKind, ...]) -> str:
    """The text of `marked` with a "|" at every boundary of these kinds."""
    text = marked.replace("|", "")
    places = [place for place, kind in boundaries(text, language) if kind in kinds]
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    return "|".join(parts)


ENGLISH = """
It is late.| We go home.
Really?| Yes!| Good.
Dr. Brown met Mrs. Green at 5 p.m. on Friday.| They spoke.
He moved to the U.S. in 1999.| She lives in the U.S.| They met there.
The U.S. Government said so.| The bill is $3.5 million.| Next.
See Fig. 3 and p. 12 of vol. 2.| Then stop.
J. R. Smith wrote it.| Then A. Jones came.
Visit www.example.com or mail a.b@c.org.| Version 1.2.3 is out.| Use a.b too.
"It is over."| She left.| "Is it?" he asked.
He said "No." and left.| (It was late.)| Then it rained.
He left (it was late. And cold) at once.| Then it rained.
Wait... what?| Well....| He left.
The thing is . . . never mind.| Yes!!!| No?!| So.
This is vitamin C.| It helps.| See No. 5 on the list.| No.| I will not.
It is great! :)| Next one.| Wow! 😀| More.
It ended.[12]| Then it began.
Too close.|And then it goes on.| Done.
"""

OTHERS = [
    ("de", "Am 3. Oktober kam er.| Das war z. B. Hans, vgl. Abb. 3.| Wer?| Prof. Dr. Bauer."),
    ("de", "„Ich weiß es nicht.“| Er ging.| Er kam 1990.| 2010 ging er."),
    ("fr", "M. Dupont est là.| « Oui. »| Il part.| Quoi ?| Rien !| J. Le Goff écrit.| Né en 49 av. J.-C. à Rome."),
    ("es", "¿Qué?| ¡Nada!| El Sr. Gil vino en el siglo V a. C.| La ciudad creció."),
    ("it", "Lo ha detto a me.| La casa è bella, ecc.| Il Sig. Rossi viene."),
    ("pt", "O Sr. Silva chegou.| A Av. Paulista é longa.| Ela viu."),
    ("nl", "Dhr. Jansen kwam.| 's Avonds was het koud.| Dat is bijv. Amsterdam."),
    ("sv", "Det var hon.| Sedan gick de kl. 15.| ”Var?” frågade hon."),
    ("pl", "Urodził się w 1990 r. w Łodzi.| Mieszka na ul. Prostej.| W 2010 r. wyjechał."),
    ("cs", "Dne 1. ledna přišel Ing. Novák.| Potom odešel.| Karel IV. byl král."),
    ("ru", "Он родился в 1900 г. в Москве.| Это было давно.| А. С. Пушкин писал."),
    ("el", "Τι κάνεις;| Καλά.| Ο κ. Παπάς ήρθε."),
    ("hy", "Սա առաջինն է։| Սա երկրորդն է:| Ի՞նչ է։"),
    ("hi", "यह घर है।| डॉ. शर्मा आए।| कहाँ?| यहाँ।"),
    ("bn", "এটা ভালো।| তুমি কোথায়?| এখানে।"),
    ("ta", "வணக்கம்.| திரு. ராம் வந்தார்."),
    ("ar", "قال د. أحمد هذا.| أين هو؟| هنا."),
    ("ur", "یہ گھر ہے۔| وہ کہاں ہے؟| یہاں۔"),
    ("am", "ሰላም።| እንዴት ነህ፧| ደህና።"),
    ("my", "မင်္ဂလာပါ။| နေကောင်းလား။"),
    ("km", "សួស្តី។| ខ្ញុំទៅ។"),
    ("zh", "你好。|我们走吧！|好吗？|他说：“你好。”|她笑了。|价格是3.5元。"),
    ("ja", "彼は「行く。」と言った。|本当？！|はい。"),
    ("ko", "안녕하세요.| 3.5점입니다.| 그는 \"네.\"라고 말했다."),
    ("ka", "გამარჯობა.| როგორ ხარ?"),
    ("he", "שלום.| מה שלומך?| טוב."),
]  # fmt: skip


@pytest.mark.parametrize("line", ENGLISH.strip().splitlines())
def test_english_sentences(line: str) -> None:
    assert cut(line, "en", SENTENCES) == line


@pytest.mark.parametrize(("language", "line"), OTHERS)
def test_sentences_of_other_languages(language: str, line: str) -> None:
    assert cut(line, language, SENTENCES) == line


@pytest.mark.parametrize(
    "text",
    [
        "First line|\nSecond line|\n\nNew paragraph",
        "Here is a list:|\n1. One thing|\n2. Another thing.| Or|\n- and more",
        "1. One| 2. Two| 3. Three",
        "a) one| b) two| c) three",
        "it goes\non in small letters",
        "it goes \nOn after a flowed line",
        "Items:| • one| • two| • three",
        "Windows ends|\r\nIts lines so.|\r\nAlways.",
    ],
)
def test_lines_and_lists(text: str) -> None:
    assert cut(text, "en", SENTENCES) == text


def test_two_line_ends_make_a_paragraph() -> None:
    assert boundaries("One\n\nTwo\nThree") == [(3, CutKind.PARAGRAPH), (8, CutKind.SENTENCE)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "If it rains,| we stay;| otherwise –| perhaps –| we go"),
        ("en", "at 10:30,| 1,000 people (so many, really) came"),
        ("zh", "如果下雨，|我们留下、|否则走"),
        ("ar", "إذا جاء،| نذهب"),
        ("th", "สวัสดี| ผมไป ok"),
    ],
)
def test_clauses(language: str, text: str) -> None:
    assert cut(text, language, (CutKind.CLAUSE,)) == text


def test_a_suppressed_end_is_soft() -> None:
    assert boundaries('"Is it?" he asked') == [(8, CutKind.SOFT)]
    assert boundaries("It rained. and then") == [(10, CutKind.SOFT)]


@pytest.mark.parametrize("text", ["We saw Mr. Silva there", "at No. 7 there", "the U.S. dollar"])
def test_the_dot_of_an_abbreviation_is_no_pause(text: str) -> None:
    assert boundaries(text) == []


def test_another_judge_can_be_put_in() -> None:
    class Yes:
        def ends_sentence(self, language: str, window: str, positions: range) -> bool:
            return True

    scanner = Scanner(Yes(), "en")
    text = "etc. Brown"
    scanner.feed(text, 0)
    boundary = scanner.advance(len(text))
    assert boundary is not None
    assert boundary.kind is CutKind.SENTENCE


def test_a_boundary_waits_for_what_decides_it() -> None:
    scanner = Scanner(SentencexJudge(), "en")
    for text, known in [("It rains", False), (".", False), (" ", False), ("W", True)]:
        scanner.feed(text, 0)
        assert (scanner.advance(scanner.end) is not None) is known
