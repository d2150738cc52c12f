"""The marks inside a line. Each rule reads the window at a mark and gives edits that lead past it, or None to wait.

A rule that finds an ordinary character where a mark could have been leaves it as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.core.cleanup import emoji
from gateway.core.cleanup.window import Edit, Edits, Window

RUN_CHARS_MAX = 3
"""A longer run of the same mark is no emphasis and no code."""

_SPACED = "\u2e80"
"""Letters before this one belong to scripts that put blanks between words."""
_RUN = re.compile(r"(.)\1*+")
_PRODUCT = re.compile(r"[\w)] \Z")
_CLOSING = frozenset(".,;:!?)]}%")


def keep(window: Window, end: int) -> Edits:
    """No mark after all."""
    return [Edit(end)]


@dataclass(slots=True)
class Emphasis:
    """Counts the marks of each kind that were opened and not closed yet.

    The neighbours of a run decide at once whether it opens or closes, so that nothing waits for its counterpart.
    """

    open: dict[str, int] = field(default_factory=dict)

    def read(self, window: Window) -> Edits | None:
        """A run of `*`, `_` or `~`."""
        at, mark = window.at, window.text[window.at]
        end = window.end_of(_RUN, at)
        if window.waits(end):
            return None
        before, after = window.text[at - 1 : at], window.char(end)
        length = end - at
        plain = (
            length > RUN_CHARS_MAX
            or before == mark
            or (mark == "~" and length != 2)
            or (_blank(before) and _blank(after))
        )
        if plain or not self._changes(mark, length, before, after, window):
            return keep(window, end)
        return [Edit(end, "")]

    def _changes(self, mark: str, length: int, before: str, after: str, window: Window) -> bool:
        """Whether the run opens or closes something; takes note of it."""
        opened = self.open.get(mark, 0)
        within = before.isalnum() and after.isalnum() and max(before, after) < _SPACED
        closes = opened > 0 and not _blank(before)
        opens = not _blank(after) and after not in _CLOSING
        if within:
            opens = False
            closes = closes and mark == "*" and length > 1 and not after.isdecimal()
        elif mark == "_":
            opens, closes = opens and not before.isalnum(), closes and not after.isalnum()
        if length == 1 and after.isdecimal() and not opened:
            opens = opens and not _PRODUCT.search(window.text, max(0, window.at - 2), window.at)
        if closes and (before.isalnum() or not opens or length >= opened):
            self.open[mark] = max(0, opened - length)
        elif opens:
            self.open[mark] = opened + length
        else:
            return False
        return True


def _blank(character: str) -> bool:
    return not character or character.isspace()


def code(window: Window) -> Edits | None:
    """A run of backticks: with another one on this line it encloses code, whose characters are left alone."""
    at = window.at
    end = window.end_of(_RUN, at)
    if window.waits(end):
        return None
    length = end - at
    if length > RUN_CHARS_MAX or window.text[at - 1 : at] == "`":
        return keep(window, end)
    line_end = window.end_of(_LINE, end)
    closing = _CODE[length].search(window.text, end, line_end)
    if closing is None:
        return None if window.waits(line_end) else keep(window, end)
    if window.waits(closing.end()):
        return None
    return [Edit(end, ""), Edit(closing.start()), Edit(closing.end(), "")]


_LINE = re.compile(r"[^\n]*+")
_CODE = [re.compile(rf"(?<!`)`{{{length}}}(?!`)") for length in range(RUN_CHARS_MAX + 1)]


def escape(window: Window) -> Edits | None:
    r"""A backslash: before a bracket it delimits a formula, before another mark it makes it an ordinary character."""
    at = window.at
    if window.waits(at + 1):
        return None
    escaped = window.char(at + 1)
    if escaped and escaped in "()[]":
        return [Edit(at + 2, "")]
    if escaped == "\n":
        return [Edit(at + 1, "")]
    if escaped in _ESCAPABLE:
        return [Edit(at + 1, ""), Edit(at + 2)]
    return keep(window, at + 1)


_ESCAPABLE = frozenset("!\"#$%&'*+,-./:;<=>?@\\^_`{|}~")


def formula(window: Window) -> Edits | None:
    """A dollar sign: before a price, around a formula, or two of them around a formula of its own."""
    at, text = window.at, window.text
    if window.waits(at + 1):
        return None
    if window.char(at + 1) == "$":
        return [Edit(at + 2, "")]
    if price := window.match(_PRICE, at):
        if window.waits(price.end() + 1):
            return None
        if not _GOES_ON.match(text, price.end(), window.stop):
            return keep(window, at + 1)
    body = window.end_of(_FORMULA, at + 1)
    if window.waits(body) or window.waits(body + 1):
        return None
    closed = window.char(body) == "$" and body > at + 1
    if (
        not closed
        or _blank(text[at + 1])
        or _blank(text[body - 1])
        or window.char(body + 1).isalnum()
    ):
        return keep(window, at + 1)
    return [Edit(at + 1, ""), Edit(body), Edit(body + 1, "")]


_PRICE = re.compile(r"\$[ ]?\d[\d.,]*+")
_GOES_ON = re.compile(r"[-^_={}\\+*/]|(?![kKmMbBtT]\b)[A-Za-z]")
_FORMULA = re.compile(r"(?:[^$\n\\]|\\[^\n])*+")


def tag(window: Window) -> Edits | None:
    """A `<`: of an HTML tag, of an address in angle brackets, or less-than."""
    at = window.at
    name = window.match(_TAG_NAME, at)
    seen = name.end() if name else at + 2 if window.char(at + 1) == "/" else at + 1
    if window.waits(seen):
        return None
    if name is None:
        return keep(window, at + 1)
    element = name.group(1).lower()
    addresses = window.char(name.end()) in _IN_ADDRESS
    if element not in _TAGS and not addresses:
        return keep(window, at + 1)
    end = window.end_of(_TAG_REST, at + 1)
    if window.waits(end):
        return None
    if window.char(end) != ">":
        return keep(window, at + 1)
    if not addresses:
        breaks = element in _BREAKING and not _blank(window.last)
        return [Edit(end + 1, " " if breaks else "")]
    address = _ADDRESS.fullmatch(window.text, at + 1, end)
    if address is None:
        return keep(window, at + 1)
    return [Edit(address.start(1), ""), Edit(address.end(1)), Edit(end + 1, "")]


_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]*+)")
_TAG_REST = re.compile(r"[^<>\n]*+")
_IN_ADDRESS = frozenset(":@._+-")
_ADDRESS = re.compile(r"(?i)(?:https?://(?:www\.)?|www\.|mailto:|(?=[^\s/@]+@))([^\s/?#]+)[^\s]*")
_BREAKING = frozenset("br p div li tr td th hr".split())
_TAGS = _BREAKING | frozenset(
    "a abbr b blockquote center code del details dd dl dt em font h1 h2 h3 h4 h5 h6 i img ins kbd mark ol pre q s"
    " samp small span strong sub summary sup table tbody thead tt u ul var".split()
)


def blanks(window: Window) -> Edits | None:
    """Blanks that may stand before a line end or an emoji: those are dropped."""
    end = window.end_of(_BLANKS, window.at)
    if _waits_for_selector(window, end):
        return None
    if window.char(end) == "\n":
        return [Edit(end, "")]
    return emojis(window) if window.match(emoji.RUN, end) else keep(window, end)


_BLANKS = re.compile(r"[ \t\r]*+")


def emojis(window: Window) -> Edits | None:
    """Emoji in a row, with the blanks around them: a single blank stays where words would touch."""
    run = window.match(emoji.RUN, window.at)
    if _waits_for_selector(window, window.at if run is None else run.end()):
        return None
    if run is None:
        return keep(window, window.at + 1)
    follower = window.char(run.end())
    if run.group()[0].isspace() or run.group()[-1].isspace():
        apart = not _blank(window.last) and not _blank(follower) and follower not in _CLOSING
    else:
        apart = window.last.isalnum() and follower.isalnum()
    return [Edit(run.end(), " " if apart else "")]


def _waits_for_selector(window: Window, at: int) -> bool:
    """Whether it is not known yet if an emoji stands at `at`."""
    return window.waits(at) or (window.char(at) in emoji.TEXT_SYMBOLS and window.waits(at + 1))


def cell(window: Window) -> Edits | None:
    """The bars between two cells of a table, with the blanks around them: a comma, or nothing at the end of the row."""
    bars = window.match(BARS, window.at)
    assert bars is not None
    if window.waits(bars.end()):
        return None
    if window.ends_line(bars.end()) or _blank(window.last):
        return [Edit(bars.end(), "")]
    return [Edit(bars.end(), " " if window.last in _CLOSING else ", ")]


BARS = re.compile(r"(?:[ \t\r]*+\|)++[ \t\r]*+")


def heads_table(window: Window) -> bool | None:
    """Whether the line goes on to its end as the head of a table, that is, has a row of dashes below it."""
    line_end = window.end_of(_LINE, window.at)
    below = window.end_of(_DASHES, line_end)
    if window.waits(below):
        return None
    return window.ends_line(below) and _HEAD.fullmatch(window.text, line_end, below) is not None


_DASHES = re.compile(r"(?:\n[-:| \t\r]*+)?+")
_HEAD = re.compile(r"(?=.*-)(?=[^|]*\|)\n[-:| \t\r]++", re.DOTALL)


def label(window: Window) -> Label | None:
    """A `[`, perhaps after `!`: what it begins; None = wait."""
    at = window.at
    start = window.end_of(_OPENING, at)
    if window.waits(start):
        return None
    literal = Label([Edit(start)])
    if window.text[start - 1] != "[":
        return literal
    if window.char(start) == "!":
        if window.waits(start + 1):
            return None
        return Label([Edit(start, "")], links=True) if window.char(start + 1) == "[" else literal
    end = window.end_of(_LABEL, start)
    if window.waits(end) or (window.char(end) == "\\" and window.waits(end + 1)):
        return None
    if window.char(end) != "]":
        return literal
    if window.text[start] == "^" and end - start > 1:
        return Label([Edit(end + 1, "")])
    if window.waits(end + 1):
        return None
    if window.char(end + 1) == "(":
        return Label([Edit(start, "")], end)
    if window.char(end + 1) == "[" and not window.text[start:end].isdecimal():
        reference = window.end_of(_REFERENCE, end + 2)
        if window.waits(reference):
            return None
        if window.char(reference) == "]":
            return Label([Edit(start, ""), Edit(end), Edit(reference + 1, "")])
    return literal


class Label(NamedTuple):
    """What a bracket turned out to be."""

    edits: Edits
    end: int | None = None
    """Where the label of a link ends whose target follows."""
    links: bool = False
    """An image follows that is the label of a link."""


_OPENING = re.compile(r"!?\[?")
_LABEL = re.compile(r"(?:[^\[\]\n\\]|\\[^\n])*+")
_REFERENCE = re.compile(r"[^\[\]\n]{0,64}+")
