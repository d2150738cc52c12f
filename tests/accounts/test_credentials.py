"""Credentials: their form, and what is kept of them."""

from __future__ import annotations

import pytest

from gateway.accounts.credentials import Kind, new_credential, read_credential


@pytest.mark.parametrize("kind", Kind)
def test_what_is_made_can_be_read(kind: Kind) -> None:
    made = new_credential(kind)
    assert read_credential(made.text) == made
    assert made.matches(made.digest)
    assert not made.matches(new_credential(kind).digest)
    assert len(made.secret) == 43  # 256 bits
    assert made.secret.encode() not in made.digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sg_",
        "sg_0123456789abcdef",
        "sg_0123456789abcdef." + "a" * 42,
        "sg_0123456789abcdef." + "a" * 44,
        "sg_0123456789abcdeF." + "a" * 43,
        "xx_0123456789abcdef." + "a" * 43,
        "sg_0123456789abcdef." + "ä" * 43,
        "sg_0123456789abcdef." + "a" * 43 + "\n",
        "sg_٠123456789abcdef." + "a" * 43,
    ],
)
def test_anything_else_cannot(text: str) -> None:
    assert read_credential(text) is None


def test_it_is_not_written_down_by_mistake() -> None:
    credential = new_credential(Kind.KEY)
    for written in (repr(credential), str(credential), f"{credential}", repr([credential])):
        assert credential.id in written
        assert credential.secret not in written
