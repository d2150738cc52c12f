"""Markdown as a state machine: which rule reads the next characters.

Between the marks text is text; one regular expression finds the next mark, and the rule of that name decides. What is
longer than a rule may look ahead (code blocks, targets of links, addresses) is a *mode*: its rule is asked again and
again, drops what it sees, and knows when it is over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from gateway.core.cleanup import emoji, inline
from gateway.core.cleanup.blocks import MARKS, PARAGRAPHS, STARTERS, Line, Start, line_start
from gateway.core.cleanup.speech import Speech
from gateway.core.cleanup.window import Edit, Edits, Window

TARGET_CHARS_MAX = 2_000
"""A link's target that goes on for longer is none."""

Rule = Callable[[Window], Edits | None]


class Markdown:
    """Reads one stream of text: `seek` the next mark, then `read` it.

    `notice` is said in place of a block of code, "" = nothing.
    """

    def __init__(self, notice: str, speech: Speech | None) -> None:
        self._notice = notice
        self._speech = speech
        self._fence = self._orphan = ""
        self._rules: dict[str | None, Rule] = {
            "line": self._line_end,
            "blank": self._blanks,
            "emphasis": self._read_emphasis,
            "code": inline.code,
            "escape": inline.escape,
            "formula": inline.formula,
            "tag": inline.tag,
            "open": self._label,
            "close": self._closing_bracket,
            "bar": self._bar,
            "emoji": inline.emojis,
            "leftover": _drop,
            "address": self._address,
        }
        first, marks = _FIRST, _MARKS
        if speech is not None:
            first, marks = speech.first + first, f"{speech.marks}|{marks}"
            self._rules.update(speech.rules)
        self._trigger = _trigger(first, marks)
        self.restart()

    def restart(self, *, flushed: bool = False) -> None:
        """What follows is a new text.

        A code block that a flush cut open is over: should its end still come, it does not begin another one.
        """
        self._orphan = (self._fence or self._orphan) if flushed else ""
        self._fence = ""
        self._mode: Rule | None = self._first_line
        self._line = Line.BLANK
        self._table = False
        self._emphasis = inline.Emphasis()
        self._label_end = -1
        self._image_links = False
        self._depth = self._target_end = 0

    def seek(self, text: str, at: int) -> int:
        """Where from `at` on the next mark may be, the end of the text if nowhere. What lies before it stays."""
        if self._mode is not None:
            self._rule = self._mode
            return at
        match = self._trigger.search(text, at)
        if match is None:
            return len(text)
        self._rule = self._rules[match.lastgroup]
        return match.start()

    def read(self, window: Window) -> Edits | None:
        """What becomes of the text from the place that `seek` found; None = ask again when there is more."""
        return self._rule(window)

    # Lines.

    def _first_line(self, window: Window) -> Edits | None:
        start = line_start(window, window.at)
        return None if start is None else self._begin(start)

    def _line_end(self, window: Window) -> Edits | None:
        start = line_start(window, window.at + 1)
        if start is None:
            return None
        ended = self._line
        edits = self._begin(start)
        begun = self._line
        parts = Line.BLANK not in {ended, begun} and (
            ended in PARAGRAPHS
            or begun in STARTERS
            or (ended is Line.QUOTE) != (begun is Line.QUOTE)
        )
        return [Edit(window.at + 1, "\n\n" if parts else None), *edits]

    def _begin(self, start: Start) -> Edits:
        """A line begins; gives the edits for its marks."""
        line, edits = start.line, start.edits
        if line is Line.FENCE and self._orphan and start.closes(self._orphan):
            line, self._orphan = Line.RULE, ""
            edits = [*edits, Edit(start.end + len(start.fence + start.info), "")]
        self._table = line in _TABLE and (
            self._table or {line, self._line} == {Line.ROW, Line.RULE}
        )
        if line is Line.TEXT and self._table:
            line = Line.ROW
        if line is Line.BLANK or line in STARTERS:
            self._emphasis = inline.Emphasis()
        self._line = line
        self._image_links = False
        self._mode = None
        if line is Line.RULE:
            self._mode = self._marks_only
        elif line is Line.FENCE:
            self._mode = self._code
            self._fence = start.fence
            if self._notice:
                edits = [*edits, Edit(start.end + 1, self._notice + "\n")]
        return edits

    def _marks_only(self, window: Window) -> Edits:
        """The rest of a line of marks."""
        end = window.end_of(MARKS, window.at)
        if end < window.stop:
            self._mode = None
        return [Edit(end, "")]

    # Blocks of code.

    def _code(self, window: Window) -> Edits:
        """The rest of a line in a block of code."""
        end = window.end_of(_LINE, window.at)
        if end == window.stop:
            return [Edit(end, "")]
        self._mode = self._code_line
        return [Edit(end + 1, "")]

    def _code_line(self, window: Window) -> Edits | None:
        """The beginning of a line in a block of code."""
        fence = window.match(_FENCE, window.at)
        assert fence is not None
        if window.waits(fence.end()):
            return None
        closes = fence.group(1).startswith(self._fence) and window.ends_line(fence.end())
        self._mode = None if closes else self._code
        if closes:
            self._fence = ""
        return [Edit(fence.end(), "")]

    # Links.

    def _label(self, window: Window) -> Edits | None:
        label = inline.label(window)
        if label is None:
            return None
        if label.end is not None:
            self._label_end = window.base + label.end
        self._image_links = self._image_links or label.links
        return label.edits

    def _closing_bracket(self, window: Window) -> Edits | None:
        at = window.at
        closes = window.base + at == self._label_end
        if self._image_links and not closes:
            if window.waits(at + 1):
                return None
            closes = window.char(at + 1) == "("
            self._image_links = not closes
        if not closes:
            return inline.keep(window, at + 1)
        self._mode = self._target
        self._depth = 0
        self._target_end = window.base + at + 2 + TARGET_CHARS_MAX
        return [Edit(at + 2, "")]

    def _target(self, window: Window) -> Edits | None:
        """The rest of a link's target, up to its bracket."""
        at = window.at
        room = self._target_end - window.base - at
        end = min(window.end_of(_TARGET, at), at + room)
        if end > at:
            return [Edit(end, "")]
        follows = window.text[at]
        if room and follows in "()":
            self._depth += 1 if follows == "(" else -1
            if self._depth < 0:
                self._mode = None
            return [Edit(at + 1, "")]
        title = window.match(_TITLE, at)
        if title is None and window.waits(window.end_of(_LINE, at)):
            return None
        if title is None or title.end() > at + room:
            self._mode = None
            return []
        return [Edit(title.end(), "")]

    # Addresses.

    def _address(self, window: Window) -> Edits | None:
        at = window.at
        scheme = window.match(_SCHEME, at)
        if not window.whole and window.text[at : window.stop].lower() in _SCHEME_BEGINNINGS:
            return None
        if scheme is None or not window.char(scheme.end()).isalnum():
            return inline.keep(window, at + 1)
        self._mode = self._host
        return [Edit(scheme.end(), "")]

    def _host(self, window: Window) -> Edits | None:
        """The name of a host, which is spoken."""
        at = window.at
        end = window.end_of(_NAME, at)
        if end > at:
            return [Edit(end)]
        if window.waits(at + 1):
            return None
        mark, follower = window.text[at], window.char(at + 1)
        if mark == "." and follower.isalnum():
            return [Edit(at + 1, self._speech.dot if self._speech else None)]
        goes_on = mark in "/?#" or (mark == ":" and follower.isdecimal())
        self._mode = self._path if goes_on else None
        self._depth = 0
        return []

    def _path(self, window: Window) -> Edits | None:
        """What follows a host, which is not."""
        at = window.at
        end = window.end_of(_PATH, at)
        if end > at:
            return [Edit(end, "")]
        mark = window.text[at]
        if mark == "(" or (mark == ")" and self._depth):
            self._depth += 1 if mark == "(" else -1
            return [Edit(at + 1, "")]
        end = window.end_of(_PATH_MARKS, at)
        if window.waits(end):
            return None
        if end == at or end == window.stop or not window.match(_PATH_GOES_ON, end):
            self._mode = None
            return []
        return [Edit(end, "")]

    # Within lines.

    def _read_emphasis(self, window: Window) -> Edits | None:
        return self._emphasis.read(window)

    def _bar(self, window: Window) -> Edits | None:
        if self._line is not Line.ROW:
            heads = self._line is Line.TEXT and inline.heads_table(window)
            if heads is None:
                return None
            if not heads:
                return inline.keep(window, window.end_of(_BAR, window.at))
            self._line = Line.ROW
        return inline.cell(window)

    def _blanks(self, window: Window) -> Edits | None:
        if self._line is Line.HEADING and (closing := window.match(_CLOSING_MARKS, window.at)):
            if window.waits(closing.end()):
                return None
            if window.ends_line(closing.end()):
                return [Edit(closing.end(), "")]
        bars = window.match(inline.BARS, window.at)
        return inline.blanks(window) if bars is None else self._bar(window)


@lru_cache
def _trigger(first: str, marks: str) -> re.Pattern[str]:
    """Finds the next of `marks`, which all begin with a character of the class `first`: that is quickly seen."""
    return re.compile(f"(?=[{first}])(?:{marks})")


def _drop(window: Window) -> Edits:
    return [Edit(window.at + 1, "")]


_TABLE = frozenset({Line.TEXT, Line.ROW, Line.RULE})
_LINE = re.compile(r"[^\n]*+")
_FENCE = re.compile(r"[ \t>]*+([`~]*+)[ \t\r]*+")
_BAR = re.compile(r"[ \t\r]*+\|")
_CLOSING_MARKS = re.compile(r"[ \t]++#*+[ \t\r]*+")
_TARGET = re.compile(r"[^\s()]*+")
_TITLE = re.compile(r"""[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\))?[ \t]*(?=\))""")
_SCHEME = re.compile(r"(?i:https?://(?:www\.)?|www\.)")
_SCHEME_BEGINNINGS = {
    full[:length]
    for full in ("http://www.", "https://www.", "www.")
    for length in range(1, len(full) + 1)
}
_NAME = re.compile(r"(?:[^\W_]|-)*+")
_NO_PATH = r"""\s<>"`|\[\].,;:!?')*_~\u2000-\u206f\u2e80-\U0010ffff"""
_PATH = re.compile(f"[^({_NO_PATH}]*+")
_PATH_GOES_ON = re.compile(f"[^{_NO_PATH}]")
_PATH_MARKS = re.compile(r"[.,;:!?'*_~]*+")
"""Within a path; before a blank they belong to the sentence."""

_FIRST = (
    rf"\n \t\r*_~`\\$<\[!\]|hHwW{emoji.EMOJI}{emoji.TEXT_SYMBOLS}{emoji.SELECTOR}{emoji.EXTENDERS}"
)
_MARKS = (
    r"(?P<line>\n)"
    rf"|(?P<blank>(?<![ \t\r])[ \t\r]++(?=[\n|#{emoji.EMOJI}{emoji.TEXT_SYMBOLS}]|\Z))"
    r"|(?P<emphasis>[*_~])"
    r"|(?P<code>`)"
    r"|(?P<escape>\\)"
    r"|(?P<formula>\$)"
    r"|(?P<tag><)"
    r"|(?P<open>\[|!(?=\[|\Z))"
    r"|(?P<close>\])"
    r"|(?P<bar>\|)"
    rf"|(?P<emoji>[{emoji.EMOJI}]|[{emoji.TEXT_SYMBOLS}](?={emoji.SELECTOR}|\Z))"
    rf"|(?P<leftover>[{emoji.SELECTOR}\u20e3]|(?<=[{emoji.EMOJI}{emoji.EXTENDERS}])[{emoji.EXTENDERS}])"
    r"|(?P<address>(?<![^\W_])(?i:https?://|www\.|(?:"
    + "|".join(sorted(map(re.escape, _SCHEME_BEGINNINGS), key=len, reverse=True))
    + r")\Z))"
)
