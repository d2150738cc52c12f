"""Planted bugs of lexicons."""

from __future__ import annotations

from tests.mutants.planting import Planted

REPLACING = "gateway/core/replacing.py"
TESTS = (
    "tests/core/test_replacing.py",
    "tests/core/test_lexicon.py",
    "tests/properties/test_lexicon.py",
)
STORES = ("tests/accounts/test_store_lexicons.py",)
OVER_HTTP = ("tests/fronts/test_lexicons.py",)

BUGS = (
    Planted(
        "rule-ends-early",
        "the shortest match counts",
        REPLACING,
        "                after, spoken = at + 1, node.spoken\n",
        "                return at + 1, node.spoken\n",
        TESTS,
    ),
    Planted(
        "vowel-signs-end-words",
        "an accent or vowel sign ends a word",
        REPLACING,
        '    word = runs + "".join(mark for mark in marks if not unspaced.match(mark)) + "\\u200c\\u200d"\n',
        "    word = runs\n",
        TESTS,
    ),
    Planted(
        "rules-chain",
        "tokens that a rule has replaced are replaced again",
        REPLACING,
        "                    at = after\n",
        "",
        TESTS,
    ),
    Planted(
        "case-is-never-folded",
        "a word in lower case stands for itself alone",
        REPLACING,
        "self._exact if exact or form != form.lower() else self._any_case",
        "self._exact",
        TESTS,
    ),
    Planted(
        "rest-of-a-word",
        "the rest of a word that was cut is a word",
        REPLACING,
        "at = 1 if _LETTER.match(after) and _LETTER.match(text) else 0",
        "at = 0",
        TESTS,
    ),
    Planted(
        "too-long-for-an-engine",
        "what aliases made too long is not divided",
        REPLACING,
        "if sum(len(spoken) for _, spoken, _ in units) <= SPOKEN_CHARS_MAX:",
        "if units:",
        TESTS,
    ),
    Planted(
        "marks-of-the-alias",
        "words are marked where they stand in what is spoken",
        "gateway/core/intake.py",
        "            start, end = self._replaced.word(start, end)\n",
        "            pass\n",
        TESTS,
    ),
    Planted(
        "far-language-wins",
        "rules for a language go before those for its variant",
        "gateway/core/lexicon.py",
        "if other is None or len(other.language) < len(rule.language):",
        "if other is None or len(other.language) > len(rule.language):",
        TESTS,
    ),
    Planted(
        "anybody-s-lexicon",
        "a lexicon is found by whoever knows its id",
        "gateway/accounts/lexicons_sql.py",
        "FROM lexicons WHERE id = ? AND account = ?\n",
        "FROM lexicons WHERE id = ? AND ? <> ''\n",
        STORES,
    ),
    Planted(
        "change-without-a-version",
        "a change keeps the version",
        "gateway/accounts/lexicons.py",
        "version=self.lexicon.version + 1",
        "version=self.lexicon.version",
        STORES,
    ),
    Planted(
        "lexicon-read-again",
        "other settings lose the lexicon",
        "gateway/runtime/hearing.py",
        "                lexicon = context.lexicon\n",
        "                lexicon = None\n",
        OVER_HTTP,
    ),
    Planted(
        "tokens-change-lexicons",
        "a browser's token changes lexicons",
        "gateway/fronts/lexicons.py",
        'if method != "GET" and caller.session_ms_max is not None:',
        'if method == "TRACE" and caller.session_ms_max is not None:',
        OVER_HTTP,
    ),
    Planted(
        "pls-with-a-doctype",
        "a document may declare entities",
        "gateway/dialects/pls.py",
        "    parser.StartDoctypeDeclHandler = _refuse_declarations\n",
        "",
        ("tests/dialects/test_pls.py",),
    ),
    Planted(
        "text-as-phonemes",
        "beside a rule's phonemes a caller's brackets are some, too",
        "gateway/engines/plain_text.py",
        "    if not phonemes:\n",
        "    if plain:\n",
        (*OVER_HTTP, "tests/engines/test_plain_text.py"),
    ),
    Planted(
        "phonemes-nobody-takes",
        "phonemes alone are left out where an engine takes none",
        "gateway/core/resolve.py",
        "            if rule.alias is None:\n",
        "            if rule is None:\n",
        OVER_HTTP,
    ),
)
