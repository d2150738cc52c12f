"""What a run measures, and for how long."""

from __future__ import annotations

import msgspec

SHORT = "Good morning, how are you?"
MEDIUM = "Speech that starts before the sentence is finished feels quick, even when the rest takes a moment."
LONG = " ".join(
    (
        "The ferry to the islands leaves at seven in the morning and returns shortly before midnight.",
        "In between, nobody expects you anywhere, and the bakery near the harbour opens early.",
        "Take the path along the cliffs if the wind is kind, and the road through the village if it is not.",
        "Most visitors turn back at the lighthouse, although the best view waits half an hour beyond it.",
        "Bring water, because the spring behind the chapel has been dry since the end of June.",
        "When the bell rings twice, the last boat is about to leave, and it has never waited for anyone.",
    )
)
TEXTS = {"short": SHORT, "medium": MEDIUM, "long": LONG}
CODECS = ("pcm_s16le", "mp3")


class Plan(msgspec.Struct, frozen=True):
    """How much of everything. Times in seconds."""

    name: str
    model: str = "espeak"
    first_bytes_n: int = 500
    """Utterances per way, codec and text whose first byte is timed."""
    streams: tuple[int, ...] = (1, 8, 32, 128)
    ramp_s_min: float = 0.3
    """Before a window opens; it also waits until each stream has ended an utterance."""
    window_s: float = 1.6
    cost_window_s: float = 1.0
    lag_streams: tuple[int, ...] = (32, 128)
    lag_window_s: float = 6.0
    sessions: int = 200
    """Sessions opened to see what one takes."""
    contexts: int = 14
    """Contexts opened beside the first one on each of ten connections."""
    speaking: int = 64
    """Contexts that speak at once while their memory is read."""
    vanishings: int = 30
    """Clients per protocol that go away in the middle of a text."""


DEFAULT = Plan("default")
QUICK = Plan(
    "quick",
    first_bytes_n=25,
    streams=(1, 8),
    ramp_s_min=0.1,
    window_s=0.5,
    cost_window_s=0.4,
    lag_streams=(8,),
    lag_window_s=1.0,
    sessions=40,
    contexts=4,
    speaking=8,
    vanishings=5,
)
