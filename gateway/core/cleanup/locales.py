"""What CLDR knows about a language, by way of Babel: names of units, currencies and months, orders and marks.

Babel reads the data of a locale from its package when it is first asked for it and keeps it; `words` does that once per
language, before any text is read.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import (
    NumberFormatError,
    format_decimal,
    get_currency_name,
    get_decimal_symbol,
    parse_decimal,
)
from babel.units import format_unit

from gateway.core.languages import base_language

_DATE_FIELD = re.compile(r"'([^']*)'|(d+|M+|y+)")
_SCALE = re.compile(r"0[ \u00a0](.+)")
SCALES = (3, 6, 9, 12)
"""Powers of ten that have names."""


class Words:
    """The words of one language around numbers. Numbers themselves stay in digits, as they were written."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        self.decimal = get_decimal_symbol(locale)
        self.months = {month: str(name) for month, name in locale.months["format"]["wide"].items()}
        numeric = str(locale.date_formats["short"].pattern)
        self.month_first = numeric.find("M") < numeric.find("d")
        self._date = str(locale.date_formats["long"].pattern)
        self._scales: dict[int, dict[str, str]] = {}
        for plural, patterns in locale.compact_decimal_formats.get("long", {}).items():
            for power in SCALES:
                pattern = patterns.get(str(10**power))
                if pattern and (named := _SCALE.fullmatch(pattern.pattern)):
                    self._scales.setdefault(power, {})[plural] = named.group(1).strip("'")

    def value(self, written: str) -> Decimal:
        """The number; where it is not written as this language does, one that takes the ordinary plural."""
        try:
            return parse_decimal(written, locale=self._locale)
        except NumberFormatError:
            return Decimal(10)

    def unit(self, unit: str, written: str) -> str:
        """So many of `unit`, a name of CLDR's such as "length-meter"."""
        value = self.value(written)
        phrase = format_unit(value, unit, "long", locale=self._locale)
        return phrase.replace(format_decimal(value, locale=self._locale), written, 1)

    def currency(self, code: str, written: str) -> str:
        """The name of the currency after so many."""
        return get_currency_name(code, count=self.value(written), locale=self._locale)

    def plural(self, written: str) -> str:
        """CLDR's plural category for so many of something."""
        return self._locale.plural_form(self.value(written))

    def scale(self, power: int, written: str) -> str:
        """The name of ten to the power after so many of them, "" where there is none."""
        names = self._scales.get(power, {})
        return names.get(self.plural(written)) or names.get("other", "")

    def scales(self) -> dict[str, int]:
        """The powers of ten by their names."""
        return {name: power for power, names in self._scales.items() for name in names.values()}

    def date(self, year: int, month: int, day: str) -> str:
        """The date as it is written in full, with `day` for the day."""

        def field(match: re.Match[str]) -> str:
            literal, letters = match.groups()
            if literal is not None:
                return str(literal)
            if letters[0] == "M":
                return self.months[month] if len(letters) > 2 else str(month)
            return str(year) if letters[0] == "y" else day

        return _DATE_FIELD.sub(field, self._date)


@lru_cache(maxsize=128)
def words(language: str) -> Words | None:
    """The words of a language, None where CLDR has none."""
    for code in (language.replace("_", "-"), base_language(language)):
        try:
            return Words(Locale.parse(code, sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return None
