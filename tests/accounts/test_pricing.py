"""What characters cost."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from gateway.accounts.pricing import FREE, Price

CHARS = st.integers(0, 200_000)
PRICES = st.builds(Price, st.integers(0, 50), st.integers(1, 3_000))


@pytest.mark.parametrize(
    ("chars", "credits"), [(0, 0), (1, 1), (10, 1), (500, 1), (1_000, 1), (1_001, 2), (2_500, 3)]
)
def test_a_credit_for_each_thousand_that_was_begun(chars: int, credits: int) -> None:
    """GistMag's table: at least one for a request."""
    assert Price(1, step_chars=1_000).of(chars) == credits * 1_000


@pytest.mark.parametrize(("chars", "millicredits"), [(0, 0), (1, 10), (1_000, 10_000)])
def test_each_character_for_itself(chars: int, millicredits: int) -> None:
    """YourVoic's aura-prime: ten credits for a thousand."""
    assert Price(10).of(chars) == millicredits


@given(price=PRICES, chars=CHARS, more=CHARS)
def test_more_never_costs_less_and_parts_never_less_than_the_whole(
    price: Price, chars: int, more: int
) -> None:
    whole = price.of(chars + more)
    assert price.of(chars) <= whole <= price.of(chars) + price.of(more)
    assert whole >= (chars + more) * price.millicredits_per_char


@given(chars=CHARS)
def test_free_is_free(chars: int) -> None:
    assert FREE.of(chars) == 0
