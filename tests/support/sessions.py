"""Helpers for tests of the session alone: settings, an engine made of plain values, and pulling until there is nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from gateway.core.events import Audio, Event
from gateway.core.limits import Limits
from gateway.core.params import Format, Segmentation, Settings
from gateway.core.session import Session
from gateway.core.synthesis import (
    Abandon,
    Failed,
    Finished,
    Mark,
    Marked,
    Order,
    Produced,
    Synthesize,
)
from gateway.core.vocabulary import Cleanup, Codec

RATE = 8_000
SAMPLES_PER_CHAR = 80
"""10 ms for each character: positions in audio and text can be converted in one's head."""
_WORD = re.compile(r"\S+")


def settings(**changes: object) -> Settings:
    """Settings of a plain context: 8 kHz in and out, no pacing, segmentation as by default."""
    plain = Settings(
        model="fake",
        engine="fake",
        engine_rate=RATE,
        voice="anybody",
        language="en",
        speed=1.0,
        pitch=0.0,
        volume=1.0,
        format=Format(Codec.PCM_S16LE, RATE),
        segmentation=Segmentation(),
        cleanup=Cleanup.OFF,
        code_notice=False,
        timestamps=True,
        lead_ms=None,
    )
    return msgspec.structs.replace(plain, **changes)


def session(limits: Limits | None = None, now: float = 0.0, **changes: object) -> Session:
    """A session with such settings."""
    return Session(settings(**changes), limits or Limits(), now)


def pcm(segment: int, samples: int) -> bytes:
    """Audio that tells which segment it belongs to: every sample is the segment's number plus one."""
    return (segment + 1).to_bytes(2, "little") * samples


def segment_in(audio: bytes) -> set[int]:
    """Which segments' samples are in this audio."""
    return {sample - 1 for sample in set(memoryview(audio).cast("h"))}


def marks(order: Synthesize) -> tuple[Mark, ...]:
    """A mark for each word, where its first character's audio begins."""
    return tuple(
        Mark(word.start() * SAMPLES_PER_CHAR, word.start(), word.end())
        for word in _WORD.finditer(order.text)
    )


def orders(session: Session, now: float = 0.0) -> Iterator[Order]:
    """All orders there are now."""
    while (order := session.next_order(now)) is not None:
        yield order


def events(session: Session, now: float = 0.0) -> list[Event]:
    """All events there are now."""
    pulled: list[Event] = []
    while (event := session.next_event(now)) is not None:
        pulled.append(event)
    return pulled


def make(session: Session, order: Synthesize, now: float = 0.0) -> None:
    """Perform an order at once."""
    session.report(Marked(order.segment, marks(order)), now)
    session.report(
        Produced(order.segment, pcm(order.segment, len(order.text) * SAMPLES_PER_CHAR)), now
    )
    session.report(Finished(order.segment), now)


def run(session: Session, now: float = 0.0) -> list[Event]:
    """Perform all orders and pull all events, again and again until nothing comes any more."""
    pulled: list[Event] = []
    while True:
        placed = list(orders(session, now))
        for order in placed:
            if isinstance(order, Synthesize):
                make(session, order, now)
        new = events(session, now)
        pulled += new
        if not placed and not new:
            return pulled


def audio_of(events: list[Event]) -> bytes:
    """The audio of some events, in order."""
    return b"".join(event.data for event in events if isinstance(event, Audio))


def names(events: list[Event]) -> list[str]:
    """The kinds of some events, runs of audio as one."""
    kinds: list[str] = []
    for event in events:
        kind = type(event).__name__
        if kind != "Audio" or not kinds or kinds[-1] != "Audio":
            kinds.append(kind)
    return kinds


__all__ = [
    "Abandon",
    "Failed",
    "audio_of",
    "events",
    "make",
    "marks",
    "names",
    "orders",
    "pcm",
    "run",
    "segment_in",
    "session",
    "settings",
]
