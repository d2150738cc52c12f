"""Each rule of clean-up by examples: what an LLM writes, and what is said of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.core.cleanup import HELD_CHARS_MAX, Cleaner
from gateway.core.vocabulary import Cleanup
from tests.support.cleaning import assert_maps, clean

MARKDOWN = [
    # Emphasis
    ("plain text, nothing to do.", "plain text, nothing to do."),
    ("**Hello** world", "Hello world"),
    ("a *b* c", "a b c"),
    ("__init__ and _x_", "init and x"),
    ("***both***", "both"),
    ("~~old~~ new", "old new"),
    ("**Note:**text", "Note:text"),
    ("**bold *nested* more**", "bold nested more"),
    ('**"*quoted*" x**', '"quoted" x'),
    ("你好**重点**世界", "你好重点世界"),
    ("**“重点”**是", "“重点”是"),
    ("**never closed", "never closed"),
    ("*args and **kwargs", "args and kwargs"),
    ("2*3 and 2 * 3 and 2 *3 and 2**3", "2*3 and 2 * 3 and 2 *3 and 2**3"),
    ("*compute 2*3 first*", "compute 2*3 first"),
    ("snake_case and some_other_name", "snake_case and some_other_name"),
    ("Press *", "Press *"),
    ("Press *, then (*).", "Press *, then (*)."),
    ("price* and ~5 and f****", "price* and ~5 and f****"),
    ("*one\ntwo*", "one\ntwo"),
    ("**open\n\nprice**", "open\n\nprice**"),
    ("**open\n- price**", "open\n\nprice**"),
    ("x " + "*" * 202 + "y", "x " + "*" * 202 + "y"),
    # Headings, quotes, lists: what is a paragraph for the eye is one for the ear
    ("# Title\ntext", "Title\n\ntext"),
    ("## Title ##\n\ntext", "Title\n\ntext"),
    ("#tag and C# code", "#tag and C# code"),
    ("> one\n> two\ntext", "one\ntwo\n\ntext"),
    ("> - a\n> - b", "a\n\nb"),
    ("Fruit:\n- apples\n- pears\n\nEnd", "Fruit:\n\napples\n\npears\n\nEnd"),
    ("* a\n+ b\n• c\n- **d**: e", "a\n\nb\n\nc\n\nd: e"),
    ("1. one\n2) two\n   more", "1. one\n\n2) two\nmore"),
    ("2024 was good.\n-5 degrees", "2024 was good.\n-5 degrees"),
    ("- [x] done\n- [ ] open", "done\n\nopen"),
    ("line  \nbreak\\\nend \r\nx", "line\nbreak\nend\nx"),
    # Rules and tables
    ("a\n---\nb", "a\n\n\n\nb"),
    ("* * *\nb", "\n\nb"),
    ("Title\n=====\ntext", "Title\n\n\n\ntext"),
    ("-" * 300 + "\nb", "\n\nb"),
    ("| A | B |\n|---|:-:|\n| 1 | |\n| x. | y |\n\nend", "A, B\n\n\n\n1\n\nx. y\n\nend"),
    ("A | B\n--- | ---\n1 | 2\n\nyes | no", "A, B\n\n\n\n1, 2\n\nyes | no"),
    ("| **a** | `b` |\n", "a, b\n"),
    # Code
    ("```python\nprint(1)\n```\nAfter", "\n\nAfter"),
    ("Before\n~~~~\n~~~\n```\n~~~~\nAfter", "Before\n\n\n\nAfter"),
    ("1. Do:\n   ```\n   x = 1\n   ```\n2. End", "1. Do:\n\n\n\n2. End"),
    ("never closed\n```\nx = 1\ny = 2", "never closed\n\n"),
    ("Use `foo_bar*` and ``a`b``.", "Use foo_bar* and a`b."),
    ("```inline``` code", "inline code"),
    ("one ` alone", "one ` alone"),
    # Links
    ("[label](http://x.org/z_(a) \"title\") on", "label on"),
    ("![alt *text*](image.png)", "alt text"),
    ("[a][ref] and [b][] and [1][2]", "a and b and [1][2]"),
    ("[![badge](i.png)](link) text", "badge text"),
    ("Known[1], [2] and f[i].[^3]", "Known[1], [2] and f[i]."),
    ("wait![1] [not](closed", "wait![1] not"),
    ("[no target](" + "a" * 2_000 + "b) c", "no targetb) c"),
    ("see https://www.example.com/a/b?c=1. Next", "see example.com. Next"),
    ("(http://x.org/a_(b)), WWW.Foo.de!", "(x.org), Foo.de!"),
    ("https://a.org:80/b https:// www. http", "a.org https:// www. http"),
    ("**https://a.org/b**, https://a.org。", "a.org, a.org。"),
    ("<https://a.org/b> <a@b.org>", "a.org a@b.org"),
    # Emoji
    ("Great 🎉 job! 🎉\n🎉 Party", "Great job!\nParty"),
    ("a👨‍👩‍👧‍👦b 👍🏽, 🇩🇪🇫🇷 x 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a b, x"),
    ("5️⃣ ❤️ and ©️ but © 2024 ↔", "5 and but © 2024 ↔"),
    ("क्\u200dष and क्ष\u200c", "क्\u200dष and क्ष\u200c"),
    # Formulas, escapes, tags
    (r"\(x^2\) and $a_b$ and $$z*2$$ \[y\]", "x^2 and a_b and z*2 y"),
    ("$5 and $10, US$ and $HOME, $5-$10", "$5 and $10, US$ and $HOME, $5-$10"),
    ("$2x+1$ holds", "2x+1 holds"),
    (r"\*no\* \# C:\dir", r"*no* # C:\dir"),
    ("a<br>b <b>c</b> <sub>2</sub>", "a b c 2"),
    ("5 < 10 and <3 and x <y> z", "5 < 10 and <3 and x <y> z"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "spoken"), MARKDOWN)
def test_markdown_is_read_as_it_is_meant(source: str, spoken: str) -> None:
    assert clean(source).text == spoken


@pytest.mark.parametrize("source", [source for source, _ in MARKDOWN])
def test_neither_text_nor_map_depend_on_the_pushes(source: str) -> None:
    whole = clean(source)
    assert_maps(whole, source)
    for cut in range(len(source)):
        assert clean(source, cuts=[cut]) == whole
    assert clean(source, cuts=range(len(source))) == whole


def test_off_changes_nothing() -> None:
    cleaner = Cleaner(Cleanup.OFF, "en")
    text = "**a** \ud83d `b` $5\r\n"
    assert cleaner.push(text) is text
    assert (cleaner.held, cleaner.settle(), cleaner.flush()) == (0, "", "")
    assert cleaner.source_range(3, 9) == cleaner.source_word(3, 9) == (3, 9)
    cleaner.clear()
    assert cleaner.push("x") == "x"


def test_a_notice_takes_the_place_of_code() -> None:
    source = "Try:\n```sh\nls\n```\nDone."
    cleaner = Cleaner(Cleanup.MARKDOWN, "de-AT", say_code=True)
    spoken = cleaner.push(source) + cleaner.flush()
    assert spoken == "Try:\n\nCode ausgelassen.\n\n\nDone."
    start = spoken.index("Code")
    assert cleaner.source_range(0, start) == (0, 5)
    assert cleaner.source_range(start, len(spoken)) == (5, len(source))


def test_a_language_without_a_notice_is_silent() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "jbo", say_code=True)
    assert cleaner.push("```\nx\n```\nA") + cleaner.flush() == "\n\nA"


# Latency: what is clear leaves at once.


@pytest.mark.parametrize(
    ("source", "decided"),
    [
        ("Hello", "Hello"),
        ("Hello wor", "Hello wor"),
        ("**A long bold sentence", "A long bold sentence"),
        ("- item", "item"),
        ("see https://example.org/pa", "see example.org"),
        ("[label](http", "label"),
        ("We pay $5 for", "We pay $5 for"),
    ],
)
def test_clear_text_does_not_wait(source: str, decided: str) -> None:
    assert Cleaner(Cleanup.MARKDOWN, "en").push(source) == decided


def test_what_never_closes_waits_for_a_bounded_time() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("[" + "a" * (HELD_CHARS_MAX - 2)) == ""
    assert cleaner.held == HELD_CHARS_MAX - 1
    assert cleaner.push("a") == "[" + "a" * (HELD_CHARS_MAX - 1)
    assert cleaner.held == 0


def test_late_text_can_be_settled_without_ending_the_line() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("- see [the") == "see "
    assert cleaner.settle() == "[the"
    assert cleaner.push(" # end] ") + cleaner.flush() == " # end] "


def test_settling_leaves_alone_what_nobody_hears() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("Great 🎉 ") == "Great"
    assert cleaner.settle() == ""
    assert cleaner.push("job") == " job"


# Flush and clear.


def test_a_flush_ends_the_text() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("> **a [") + cleaner.flush() == "a ["
    assert cleaner.flush() == ""
    assert cleaner.push("- b** c") + cleaner.flush() == "b** c"


def test_a_flush_gives_up_an_open_code_block_and_knows_its_end() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("```py\nx\n") + cleaner.flush() == ""
    assert cleaner.flush() == ""
    assert cleaner.push("y\n```\nAfter.") + cleaner.flush() == "y\n\n\n\nAfter."
    assert cleaner.push("```\nz\n```\nMore.") + cleaner.flush() == "\n\nMore."


def test_a_new_block_after_a_cut_one_is_a_block() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("```py\nx\n") + cleaner.flush() == ""
    assert cleaner.push("Hi\n```py\nx\n```\nA") + cleaner.flush() == "Hi\n\n\n\nA"


def test_a_clear_forgets_what_is_held_and_every_state() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    assert cleaner.push("A **b\n```\ncode\n``") == "A b\n\n"
    assert cleaner.held == 2
    cleaner.clear()
    assert cleaner.held == 0
    assert cleaner.push("c** d") == "c** d"
    assert cleaner.source_range(5, 10) == (17, 22)


# The map.


def test_ranges_join_and_words_are_tight() -> None:
    source = "**First.** See [the docs](http://x.org) *now* 🎉"
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    text = cleaner.push(source) + cleaner.flush()
    assert text == "First. See the docs now"
    cuts = [0, 6, 11, 19, len(text)]
    ranges = [cleaner.source_range(start, end) for start, end in pairwise(cuts)]
    assert [source[start:end] for start, end in ranges] == [
        "**First.",
        "** See ",
        "[the docs",
        "](http://x.org) *now* 🎉",
    ]
    words = [(0, 6), (11, 14), (15, 19), (20, 23)]
    told = [cleaner.source_word(start, end) for start, end in words]
    assert [source[start:end] for start, end in told] == ["First.", "the", "docs", "now"]


def test_what_a_flush_removes_belongs_to_the_last_range_unless_that_was_told() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    cleaner.push("*a*")
    assert cleaner.source_range(0, 1) == (0, 2)
    cleaner.flush()
    assert cleaner.push("b") == "b"
    assert cleaner.source_range(1, 2) == (2, 4)


def test_forgetting_keeps_what_comes_after() -> None:
    cleaner = Cleaner(Cleanup.MARKDOWN, "en")
    for number in range(1_000):
        text = cleaner.push("*ab* \n")
        assert len(text) in {2, 3}
        if number:
            cleaner.forget(3 * number)
    assert cleaner.source_range(3 * 999, 3 * 999 + 2) == (6 * 999, 6 * 999 + 3)
    assert len(cleaner._map._pieces) < 10
    with pytest.raises(AssertionError):
        cleaner.source_range(0, 3)
