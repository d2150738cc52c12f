"""What `speech` adds to clean-up: numbers, prices, dates, times, units and addresses, per language."""

from __future__ import annotations

import pytest

from gateway.core.cleanup import Cleaner
from gateway.core.languages import KNOWN
from gateway.core.vocabulary import Cleanup
from tests.support.cleaning import assert_maps, clean

READINGS = [
    # Prices
    ("en", "It costs $5.99, $1 or $1,234.50.", "It costs 5 dollars 99, 1 dollar or 1234 dollars 50."),
    ("en", "$5 million, $1.5M and $3bn.", "5 million dollars, 1.5 million dollars and 3 billion dollars."),
    ("en", "US$5, A$2, €20, £3.00, 5 € and $0.50", "5 US dollars, 2 Australian dollars, 20 euros, 3 pounds, 5 euros and 0.50 dollars"),
    ("en", "$x$ is $2x+1$, $HOME, **$5**", "x is 2x+1, $HOME, 5 dollars"),
    ("de", "5,99 €, $5, $1.5M, 1.234,50 € und $5 Mio. mehr", "5 Euro 99, 5 Dollar, 1,5 Millionen Dollar, 1234 Euro 50 und 5 Millionen Dollar mehr"),
    ("fr", "5,99 € et $5 millions", "5 euros 99 et 5 millions de dollars"),
    ("es", "$5.99, $1,000 y $5 millones", "5 dólares con 99, 1000 dólares y 5 millones de dólares"),
    ("it", "$5.99", "5 dollari e 99"),
    ("pt-BR", "R$ 5,99 e R$1", "5 reais e 99 e 1 real"),
    ("hi", "₹5.99 और ₹5", "5 रुपये 99 और 5 रुपये"),
    ("ru", "$5", "5 долларов США"),
    # Dates
    ("en", "On 2024-05-17, 05/17/2024 and 17.05.2024.", "On May 17, 2024, May 17, 2024 and May 17, 2024."),
    ("en-us", "On 04/05/2024", "On April 5, 2024"),
    ("en-gb", "On 04/05/2024", "On 4 May 2024"),
    ("de", "Am 17. Mai 2024, der 1. Mai, vom 03.03.2024", "Am siebzehnten Mai 2024, der erste Mai, vom dritten März 2024"),
    ("fr", "le 17/05/2024", "le 17 mai 2024"),
    ("es", "17/05/2024", "17 de mayo de 2024"),
    ("hi", "17/05/2024", "17 मई 2024"),
    ("zh", "2024-05-17", "2024年5月17日"),
    ("en", "2024-13-45 and 99/99/2024", "2024-13-45 and 99/99/2024"),
    ("en", "the 1990s, '90s and 2000s, 5s", "the 19 nineties, 'nineties and two thousands, 5s"),
    # Times
    ("en", "3:05 pm, 3:00 p.m., 3:00, 14:00, 12:30", "3 oh 5 pm, 3 p.m., 3 o'clock, 14 hundred, 12:30"),
    ("de", "12:30 Uhr, 14.30 Uhr, 14:00", "12 Uhr 30, 14 Uhr 30, 14 Uhr"),
    ("fr", "12h30, 14 h, 14:00, 12:30", "12 heures 30, 14\u00a0heures, 14 heures, 12:30"),
    ("es", "14:00 h, 12:30 h", "14 horas, 12:30"),
    ("it", "14:00, 3:05", "14, 3 e 5"),
    ("pt", "14h30, 14:00", "14 horas e 30, 14 horas"),
    ("hi", "3:05 बजे", "3 बजकर 5 मिनट"),
    # Units
    ("en", "5 km, 1 kg, 100km/h, 20 °C, 10 m².", "5 kilometers, 1 kilogram, 100 kilometers per hour, 20 degrees Celsius, 10 square meters."),
    ("en", "5m, 5 m2, 5 kilos, 3 ft", "5m, 5 m2, 5 kilos, 3 feet"),
    ("de", "100 km/h", "100 Kilometer pro Stunde"),
    ("fr", "5 Go, 5 m'ont", "5\u00a0gigaoctets, 5 m'ont"),
    ("es", "5 mi amor", "5 mi amor"),
    ("hi", "5 km", "5 किलोमीटर"),
    ("zh", "你好5km吗", "你好5km吗"),
    # Addresses
    ("en", "john.doe@example.com", "john.doe@example.com"),
    ("de", "max.muster@beispiel.de. Und z.B. so.", "max Punkt muster@beispiel Punkt de. Und z.B. so."),
    ("fr", "https://www.exemple.fr/a", "exemple point fr"),
    ("it", "mario@esempio.it", "mario chiocciola esempio punto it"),
    ("hi", "ram@example.com", "ram@example डॉट com"),
    # Numbers
    ("fr", "1\u202f234\u202f567 et 2e, 1er", "1234567 et 2ème, 1er"),
    ("de", "1'234", "1234"),
    ("en", "v1.0.0 192.168.1.1 555-123-4567 3/4 1:1 007 3.14 1,234", "v1.0.0 192.168.1.1 555-123-4567 3/4 1:1 007 3.14 1,234"),
    ("en", "`$5` and x5", "$5 and x5"),
    ("en", "1. $5\n2. 5 km", "1. 5 dollars\n\n2. 5 kilometers"),
    ("xx", "$5", "5 dollars"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "source", "spoken"), READINGS)
def test_it_is_read_as_people_say_it(language: str, source: str, spoken: str) -> None:
    assert clean(source, Cleanup.SPEECH, language).text == spoken


@pytest.mark.parametrize(("language", "source"), [reading[:2] for reading in READINGS])
def test_readings_do_not_depend_on_the_pushes(language: str, source: str) -> None:
    whole = clean(source, Cleanup.SPEECH, language)
    assert_maps(whole, source)
    for cut in range(len(source)):
        assert clean(source, Cleanup.SPEECH, language, [cut]) == whole
    assert clean(source, Cleanup.SPEECH, language, range(len(source))) == whole


def test_an_expansion_stands_for_the_whole_token() -> None:
    source = "Pay **$5.99** now"
    cleaner = Cleaner(Cleanup.SPEECH, "en")
    text = cleaner.push(source) + cleaner.flush()
    assert text == "Pay 5 dollars 99 now"
    for word in ("5", "dollars", "99"):
        start = text.index(word)
        assert cleaner.source_word(start, start + len(word)) == (6, 11)
    assert cleaner.source_range(0, 6) == (0, 11)
    assert cleaner.source_range(6, len(text)) == (11, len(source))


@pytest.mark.parametrize(
    ("source", "decided"),
    [
        ("I have 5 app", "I have 5 app"),
        ("I have 5 k", "I have "),
        ("It is 3.", "It is "),
        ("It is 3. ", "It is 3. "),
        ("$5 mil", ""),
        ("$5 milk", "5 dollars milk"),
        ("9" * 60, ""),
        ("9" * 60 + " ", "9" * 60 + " "),
    ],
)
def test_a_number_waits_for_what_may_belong_to_it(source: str, decided: str) -> None:
    assert Cleaner(Cleanup.SPEECH, "en").push(source).rstrip() == decided.rstrip()


def test_every_language_can_be_cleaned() -> None:
    for language in KNOWN:
        cleaned = clean("$5.99 on 2024-05-17 at 14:00, 5 km", Cleanup.SPEECH, language)
        assert "5" in cleaned.text
