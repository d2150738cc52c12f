"""What CLDR does not tell: how people say prices, times and addresses. Only what was heard to be read badly is here.

docs/cleanup.md has what espeak-ng makes of each; a language that is missing here is left to its engine.
"""

from __future__ import annotations

from typing import NamedTuple

CURRENCIES = {
    "$": "USD", "US$": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD",
    "S$": "SGD", "MX$": "MXN", "R$": "BRL", "€": "EUR", "£": "GBP", "₹": "INR", "¥": "JPY", "₩": "KRW", "₽": "RUB",
    "₺": "TRY", "₪": "ILS", "₫": "VND", "₴": "UAH", "₱": "PHP", "₦": "NGN", "zł": "PLN",
}  # fmt: skip

PLAIN_CURRENCIES: dict[str, dict[str, tuple[str, str]]] = {
    "de": {"$": ("Dollar", "Dollar"), "£": ("Pfund", "Pfund"), "₹": ("Rupie", "Rupien")},
    "en": {"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "₹": ("rupee", "rupees")},
    "es": {"$": ("dólar", "dólares"), "£": ("libra", "libras"), "₹": ("rupia", "rupias")},
    "fr": {"$": ("dollar", "dollars"), "£": ("livre", "livres"), "₹": ("roupie", "roupies")},
    "hi": {"$": ("डॉलर", "डॉलर"), "£": ("पाउंड", "पाउंड"), "₹": ("रुपया", "रुपये")},
    "it": {"$": ("dollaro", "dollari"), "£": ("sterlina", "sterline"), "₹": ("rupia", "rupie")},
    "pt": {"$": ("dólar", "dólares"), "£": ("libra", "libras"), "₹": ("rupia", "rupias"), "R$": ("real", "reais")},
}  # fmt: skip
"""One and several, where CLDR's "US dollars" says more than was written."""

CENTS_AFTER = {"es": " con ", "it": " e ", "pt": " e "}
"""Between whole and hundredths of a currency; elsewhere a blank."""
OF_MILLIONS = {"es": " de", "fr": " de", "it": " di", "pt": " de", "ro": " de"}
"""Between millions and what they are of."""

SCALE_LETTERS = {
    "k": 3, "K": 3, "m": 6, "M": 6, "mn": 6, "Mio": 6, "b": 9, "B": 9, "bn": 9, "Mrd": 9, "T": 12,
}  # fmt: skip

UNITS = {
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram",
    "l": "volume-liter", "L": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter",
    "m²": "area-square-meter", "km²": "area-square-kilometer", "cm²": "area-square-centimeter",
    "m³": "volume-cubic-meter",
    "km/h": "speed-kilometer-per-hour", "kph": "speed-kilometer-per-hour", "m/s": "speed-meter-per-second",
    "°C": "temperature-celsius", "°F": "temperature-fahrenheit",
    "kB": "digital-kilobyte", "KB": "digital-kilobyte", "MB": "digital-megabyte", "GB": "digital-gigabyte",
    "TB": "digital-terabyte",
    "W": "power-watt", "kW": "power-kilowatt", "MW": "power-megawatt", "kWh": "energy-kilowatt-hour",
    "V": "electric-volt", "kcal": "energy-kilocalorie",
    "Hz": "frequency-hertz", "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz",
    "h": "duration-hour", "min": "duration-minute", "s": "duration-second", "ms": "duration-millisecond",
}  # fmt: skip
"""CLDR's names. A unit of one letter counts only behind a blank: "5m" may be millions, "90s" is a decade."""
UNITS_OF = {
    "en": {
        "mi": "length-mile", "ft": "length-foot", "yd": "length-yard", "lb": "mass-pound", "lbs": "mass-pound",
        "oz": "mass-ounce", "mph": "speed-mile-per-hour",
    },
    "fr": {"Go": "digital-gigabyte", "Mo": "digital-megabyte", "ko": "digital-kilobyte", "To": "digital-terabyte"},
}  # fmt: skip
"""Signs that are words in other languages."""


class Clock(NamedTuple):
    """How a time is said: on the hour, within ten minutes after it, later; None = as it is written.

    `after` are words behind the written time that are part of it.
    """

    full: str
    early: str
    later: str | None = None
    after: tuple[str, ...] = ()


CLOCKS = {
    "de": Clock("{h} Uhr", "{h} Uhr {m}", "{h} Uhr {m}", ("Uhr",)),
    "en": Clock("{h} o'clock", "{h} oh {m}"),
    "es": Clock("{h} horas", "{h} y {m}", None, ("h", "horas")),
    "fr": Clock("{h} heures", "{h} heures {m}", None, ("h", "heures")),
    "hi": Clock("{h} बजे", "{h} बजकर {m} मिनट", "{h} बजकर {m} मिनट", ("बजे",)),
    "it": Clock("{h}", "{h} e {m}"),
    "pt": Clock("{h} horas", "{h} e {m}", None, ("h", "horas")),
}
HOURS_WITH_H = {"fr": "{h} heures {m}", "pt": "{h} horas e {m}"}
"""A time written like 12h30."""
HALF_DAYS = frozenset({"am", "pm", "a.m", "p.m", "AM", "PM"})
"""Behind these words English says no "o'clock"."""

DOTS = {"de": " Punkt ", "fr": " point ", "hi": " डॉट ", "it": " punto "}
"""The dot in an address, where it would not be heard."""
ATS = {"it": " chiocciola "}

_DECADES = {
    "00": "hundreds", "10": "tens", "20": "twenties", "30": "thirties", "40": "forties", "50": "fifties",
    "60": "sixties", "70": "seventies", "80": "eighties", "90": "nineties",
}  # fmt: skip


def decade(written: str) -> str | None:
    """The English name of the years from `written` on: "1990" → "19 nineties", "90" → "nineties"."""
    name = _DECADES.get(written[-2:])
    if name is None or not written.isdecimal() or len(written) not in {2, 4}:
        return None
    return "two thousands" if written == "2000" else f"{written[:-2]} {name}".strip()


_GERMAN_DAYS = (
    "erste zweite dritte vierte fünfte sechste siebte achte neunte zehnte elfte zwölfte dreizehnte vierzehnte fünfzehnte"
    " sechzehnte siebzehnte achtzehnte neunzehnte zwanzigste einundzwanzigste zweiundzwanzigste dreiundzwanzigste"
    " vierundzwanzigste fünfundzwanzigste sechsundzwanzigste siebenundzwanzigste achtundzwanzigste neunundzwanzigste"
    " dreißigste einunddreißigste"
).split()


def german_day(day: int, before: str) -> str:
    """The day of a month, 1 to 31, behind the word `before`: "der siebzehnte", "am siebzehnten"."""
    return _GERMAN_DAYS[day - 1] + ("" if before.lower() == "der" else "n")
