"""Numbers, prices, dates, times, units and e-mail addresses, as far as an engine reads them badly.

A written token is read as a whole: it waits for its end and for the word behind it, as long as that can still become a
unit or another word that belongs to it. Digits stay digits, which every engine reads; what changes are the signs around
them and their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.core.cleanup import inline, readings
from gateway.core.cleanup.locales import SCALES, Words, words
from gateway.core.cleanup.window import Edit, Edits, Window
from gateway.core.languages import base_language

TOKEN_CHARS_MAX = 40
"""A longer row of digits is no number, date or time."""


class Speech:
    """The readings of one language: rules for Markdown's machine, and the marks that lead to them."""

    def __init__(self, language: str) -> None:
        self._language = base_language(language)
        self._words = words(language)
        self.dot = readings.DOTS.get(self._language)
        self._clock = readings.CLOCKS.get(self._language)
        self._scales = readings.SCALE_LETTERS | (self._words.scales() if self._words else {})
        self._months = {}
        if self._language == "de" and self._words:
            self._months = {name: month for month, name in self._words.months.items()}
        self._units = readings.UNITS | readings.UNITS_OF.get(self._language, {})
        self._hours_with_h = readings.HOURS_WITH_H.get(self._language)
        clock_words = self._clock.after if self._clock else ()
        self._after = _beginnings(
            {*self._units, *readings.CURRENCIES, *clock_words, *readings.HALF_DAYS, "e", "s"}
        )
        self._month_beginnings = _beginnings(set(self._months))
        self._after_price = _beginnings(set(self._scales))
        self.rules: dict[str, Callable[[Window], Edits | None]] = {
            "price": self._price,
            "number": self._number,
            "at": self._at_sign,
            "dot": self._dot,
        }
        self.first = _FIRST
        self.marks = _MARKS + (_IN_ADDRESS if self.dot else "")

    # Numbers and what stands behind them.

    def _number(self, window: Window) -> Edits | None:
        token_end = _token(window, window.at)
        if token_end is None:
            return None
        token = window.text[window.at : token_end]
        unchanged = inline.keep(window, token_end)
        if len(token) > TOKEN_CHARS_MAX or self._words is None:
            return unchanged
        if self._months and (dot := window.match(_ORDINAL, token_end)):
            if window.waits(dot.end()) and (dot["word"] or "") in self._month_beginnings:
                return None
            if dot["word"] in self._months and token.isdecimal() and 1 <= int(token) <= 31:
                return [Edit(token_end + 1, self._german_day(window, int(token)))]
        if self._hours_with_h and (hours := window.match(_HOURS, window.at)):
            if window.waits(hours.end()):
                return None
            if len(hours["m"]) == 2:
                spoken = self._hours_with_h.format(h=int(hours["h"]), m=int(hours["m"]))
                return [Edit(hours.end(), spoken)]
        suffix = self._suffix(window, token_end, self._after)
        if suffix is None:
            return None
        for read in (self._date, self._time, self._amount):
            if edit := read(window, self._words, token, suffix):
                return [edit]
        return unchanged

    def _suffix(self, window: Window, end: int, known: frozenset[str]) -> re.Match[str] | None:
        """The blank and the word at `end`, either perhaps empty; None = wait."""
        suffix = window.match(_SUFFIX, end)
        assert suffix is not None
        waits = window.waits(suffix.end()) and suffix.group("word") in known
        return None if waits else suffix

    def _date(self, window: Window, names: Words, token: str, suffix: re.Match[str]) -> Edit | None:
        found = _DATE.fullmatch(token)
        if found is None:
            return None
        if found["iso"]:
            year, month, day = int(found["y"]), int(found["m"]), int(found["d"])
        else:
            year, day, month = int(found["year"]), int(found["first"]), int(found["second"])
            if month > 12 or (names.month_first and day <= 12):
                day, month = month, day
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        spoken = names.date(year, month, str(day))
        if self._language == "de":
            spoken = spoken.replace(f"{day}.", self._german_day(window, day), 1)
        return Edit(suffix.start(), spoken)

    def _german_day(self, window: Window, day: int) -> str:
        before = _WORD_BEFORE.search(window.text, max(0, window.at - 16), window.at)
        return readings.german_day(day, before.group(1) if before else "")

    def _time(
        self, window: Window, _names: Words, token: str, suffix: re.Match[str]
    ) -> Edit | None:
        clock = self._clock
        found = _TIME.fullmatch(token)
        if clock is None or found is None or int(found["h"]) > 24:
            return None
        named = suffix["word"] in clock.after
        if found["mark"] == "." and not (named and self._language == "de"):
            return None
        hour, minute = str(int(found["h"])), int(found["m"])
        form = clock.full if minute == 0 else clock.early if minute < 10 else clock.later
        if minute == 0 and self._language == "en":
            if suffix["word"] in readings.HALF_DAYS:
                form = "{h}"
            elif not 1 <= int(hour) <= 12:
                form = "{h} hundred"
        if form is None:
            return Edit(suffix.end(), token) if named else None
        return Edit(suffix.end() if named else suffix.start(), form.format(h=hour, m=minute))

    def _amount(
        self, window: Window, names: Words, token: str, suffix: re.Match[str]
    ) -> Edit | None:
        if not _NUMBER.fullmatch(token):
            return None
        word, number = suffix["word"], _GROUPING.sub("", token)
        follower = window.char(suffix.end())
        ends = not follower.isalnum() and follower not in set("_'’")
        if word in readings.CURRENCIES:
            return Edit(suffix.end(), self._money(names, word, number))
        if word in self._units and (suffix["blank"] or len(word) > 1) and ends:
            return Edit(suffix.end(), names.unit(self._units[word], number))
        if not suffix["blank"] and ends and (glued := self._glued(token, word)):
            return Edit(suffix.end(), glued)
        return Edit(suffix.start(), number) if number != token else None

    def _glued(self, written: str, word: str) -> str | None:
        """Letters that make a number something else: a decade, an ordinal."""
        if (self._language, word) == ("en", "s"):
            return readings.decade(written)
        if (self._language, word) == ("fr", "e"):
            return f"{written}ème"
        return None

    # Prices with the sign before them.

    def _price(self, window: Window) -> Edits | None:
        sign = window.match(_SIGN, window.at)
        if sign is None or window.waits(sign.end()):
            return None if not window.whole else self._no_price(window)
        if not window.char(sign.end()).isdecimal():
            return self._no_price(window)
        if window.text[window.at] == "$":
            formula = inline.formula(window)
            if formula is None or len(formula) > 1:
                return formula
        token_end = _token(window, sign.end())
        if token_end is None:
            return None
        token = window.text[sign.end() : token_end]
        if self._words is None or len(token) > TOKEN_CHARS_MAX or not _NUMBER.fullmatch(token):
            return inline.keep(window, token_end)
        suffix = self._suffix(window, token_end, self._after_price)
        if suffix is None:
            return None
        power = self._scales.get(suffix["word"])
        scale = self._words.scale(power, token) if power else ""
        end = suffix.end() if scale else token_end
        if suffix["word"] in {"Mio", "Mrd"} and window.char(end) == ".":
            end += 1
        return [Edit(end, self._money(self._words, sign["sign"], token, scale, power or 0))]

    def _no_price(self, window: Window) -> Edits | None:
        return (
            inline.formula(window)
            if window.text[window.at] == "$"
            else inline.keep(window, window.at + 1)
        )

    def _money(self, names: Words, sign: str, written: str, scale: str = "", power: int = 0) -> str:
        """So much of the currency: its name behind the number, hundredths behind the name."""
        whole, hundredths = written, ""
        if cents := _CENTS.fullmatch(written):
            whole, hundredths = cents.groups()
        whole = _SEPARATORS.sub("", whole)
        number = whole + (names.decimal + hundredths if hundredths else "")
        if scale:
            joint = readings.OF_MILLIONS.get(self._language, "") if power >= SCALES[1] else ""
            return f"{number} {scale}{joint} {self._currency(names, sign, '10')}"
        if len(hundredths) != 2 or not int(whole):
            return f"{number} {self._currency(names, sign, number)}"
        spoken = f"{whole} {self._currency(names, sign, whole)}"
        if not int(hundredths):
            return spoken
        return spoken + readings.CENTS_AFTER.get(self._language, " ") + hundredths

    def _currency(self, names: Words, sign: str, number: str) -> str:
        plain = readings.PLAIN_CURRENCIES.get(self._language, {}).get(sign)
        if plain is None:
            return names.currency(readings.CURRENCIES[sign], number)
        return plain[0] if names.plural(number) == "one" else plain[1]

    # E-mail addresses, where the dots in them are not read.

    def _dot(self, window: Window) -> Edits | None:
        """A dot between letters: in the first part of an address it is spoken."""
        at = window.at
        end = window.end_of(_MAILBOX, at)
        if window.waits(end + (window.char(end) == "@")):
            return None
        mails = window.char(end) == "@" and window.char(end + 1).isalnum()
        return [Edit(at + 1, self.dot)] if mails else inline.keep(window, end)

    def _at_sign(self, window: Window) -> Edits | None:
        at = window.at
        if window.waits(at + 1):
            return None
        end = window.end_of(_DOMAIN, at + 1)
        if window.waits(end + (window.char(end) == ".")):
            return None
        edits = [Edit(at + 1, readings.ATS.get(self._language))]
        for dot in _INNER_DOT.finditer(window.text, at + 1, end):
            edits += [Edit(dot.start()), Edit(dot.end(), self.dot)]
        return [*edits, Edit(end)]


def _token(window: Window, at: int) -> int | None:
    """Where the row of digits and separators at `at` ends; None = wait."""
    end = window.end_of(_TOKEN, at)
    separated = window.char(end) in _JOINTS
    return None if window.waits(end + separated) else end


def _beginnings(names: set[str]) -> frozenset[str]:
    return frozenset(name[:length] for name in names for length in range(len(name) + 1))


_SIGNS = sorted(map(re.escape, readings.CURRENCIES), key=len, reverse=True)
_SIGN = re.compile(rf"(?P<sign>{'|'.join(_SIGNS)})[ \u00a0\u202f]?")
_SIGN_BEGINNINGS = "|".join(
    sorted(
        {re.escape(sign[:n]) for sign in readings.CURRENCIES for n in range(1, len(sign))},
        key=len,
        reverse=True,
    )
)
_FIRST = r"\d.@" + "".join(sorted({re.escape(sign[0]) for sign in readings.CURRENCIES}))
_MARKS = (
    rf"(?P<price>(?<![^\W_])(?:(?:{'|'.join(_SIGNS)})[ \u00a0\u202f]?(?=\d|\Z)|(?:{_SIGN_BEGINNINGS})\Z))"
    r"|(?P<number>(?<!\w)(?<!\d[.,:/'’-])\d)"
)
_IN_ADDRESS = r"|(?P<dot>(?<=[^\W_])\.(?=[^\W_]|\Z))|(?P<at>(?<=[^\W_])@(?=[^\W_]|\Z))"

_JOINTS = ".,:/'’\u202f\u2009\u00a0-"
_TOKEN = re.compile(rf"\d++(?:[{_JOINTS}]\d++)*+")
_SUFFIX = re.compile(
    r"(?P<blank>[ \u00a0\u202f]?)"
    r"(?P<word>(?:[^\s\d!-#%-.:-@\[-`{-~\u2000-\u206f\u2e80-\U0010ffff]){0,24}+(?:(?<=\b[ap])\.m?+)?+)"
)
_ORDINAL = re.compile(r"\.(?:[ \u00a0](?P<word>[^\W\d_]*+))?+")
_DATE = re.compile(
    r"(?P<iso>(?P<y>\d{4})([-/.])(?P<m>\d\d?)\3(?P<d>\d\d?))"
    r"|(?P<first>\d\d?)([./-])(?P<second>\d\d?)\7(?P<year>\d{4})"
)
_TIME = re.compile(r"(?P<h>\d\d?)(?P<mark>[:.])(?P<m>[0-5]\d)")
_HOURS = re.compile(r"(?P<h>\d\d?+)[ \u00a0\u202f]?h[ \u00a0\u202f]?(?P<m>\d*+)")
_NUMBER = re.compile(r"\d+(?:[.,'’\u202f\u2009\u00a0]\d{2,3})*(?:[.,]\d+)?")
_GROUPING = re.compile(r"(?<=\d)['’\u202f\u2009\u00a0](?=\d{3}(?!\d))")
_SEPARATORS = re.compile(r"[.,'’\u202f\u2009\u00a0]")
_CENTS = re.compile(r"(.+?)[.,](\d\d?)")
_WORD_BEFORE = re.compile(r"(\w+)\s+\Z")
_MAILBOX = re.compile(r"[\w.+-]{0,64}+")
_DOMAIN = re.compile(r"(?:[\w-]++(?:\.[\w-]++)*+)?+")
_INNER_DOT = re.compile(r"\.")
