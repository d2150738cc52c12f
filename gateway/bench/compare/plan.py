"""How much of everything a comparison measures."""

from __future__ import annotations

import msgspec


class Plan(msgspec.Struct, frozen=True):
    """Counts are per repeat and way, times in seconds. The same seed asks for the same texts at the same moments."""

    name: str
    seed: int = 1
    repeats: int = 3
    model: str = "espeak"
    utterances: int = 70
    """One after the other on one connection (claim 1)."""
    per_length: int = 7
    """Requests for each length of text (claim 2)."""
    texts: int = 30
    """Complete texts of the corpus (claim 3)."""
    answers: int = 5
    """Answers that a language model writes (claims 4 and 5)."""
    pieces: int = 8
    """Texts in pieces of several sizes and with both deliveries (claims 6 and 9)."""
    pieces_slow: int = 4
    """The same by the slow engine."""
    tokens_per_s: tuple[float, ...] = (20.0, 70.0, 150.0)
    pause_s: float = 2.0
    """How long the model stops in the middle of an answer, where it does."""
    window_s: float = 1.0
    """While CPU time is counted (claims 7 and 11)."""
    streams: int = 8
    """Played over a good and a bad line (claim 8)."""
    barge_ins: int = 12
    """Interruptions (claim 10)."""
    hang_ups: int = 4
    """Interruptions over HTTP after which the server is asked when it was silent (claim 10)."""
    connections: int = 100
    """Opened to see what one takes (claim 11)."""


DEFAULT = Plan("default")
FULL = Plan(
    "full",
    repeats=10,
    utterances=200,
    per_length=30,
    texts=100,
    answers=12,
    pieces=15,
    pieces_slow=12,
    window_s=4.0,
    streams=16,
    barge_ins=40,
    hang_ups=12,
    connections=400,
)
