"""Between two phrases, as far as small words and the ends of words tell."""

from __future__ import annotations

import pytest

from gateway.core.phrase_border import phrase_border


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "They told us¦ that the report had"),
        ("en", "We walked home¦ along the river, o"),
        ("en", "She wrote her report¦ about her yes"),
        ("en", "The report was brought about¦ and then it"),
        ("en", "They could see¦ in the summer and winter months"),
        ("en", "Tomorrow's match¦ is cancelled due to rain, o"),
        ("en", "Old men saw¦ Anna's photograph"),
        ("en", "People saw¦ that three ships arrived o"),
        ("en", "They took¦ a local train home early o"),
        ("en", "It rains¦ and they will probably be late"),
        ("de", "Das alte Haus¦ der Nachbarn steht leer"),
        ("fr", "Le chat dort¦ sur le canapé bleu fon"),
        ("sw", "Habari ya asubuhi rafiki¦ yangu"),
    ],
)
def test_the_best_blank(language: str, text: str) -> None:
    border = phrase_border(text.replace("¦", ""), 8, language)
    assert border == text.index("¦")


def test_no_blank_is_no_border() -> None:
    assert phrase_border("Donaudampfschifffahrt", 1, "de") is None


def test_never_inside_a_tag_or_a_number_if_there_is_another() -> None:
    text = "pay 10 000 <break time='1s' strength='we"
    assert phrase_border(text, 1, "en") == len("pay")
    assert phrase_border(text, 4, "en") == len("pay 10 000")
