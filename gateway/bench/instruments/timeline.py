"""What one utterance looked like from outside: when text left, when each piece of audio came, and how it ended.

A timeline is filled by a client while it listens and judged afterwards (`gateway.bench.measure`), so that nothing is
computed while time is being taken. All moments are seconds of `clock`, one monotonic clock for the whole process, and
are taken where the operating system hands the bytes over, before anything looks at them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum

import msgspec

clock = time.perf_counter

SAMPLE_BYTES = 2
"""Of one sample of mono s16le."""


class Wire(StrEnum):
    """What carried the utterance."""

    HTTP = "http"
    WEBSOCKET = "websocket"
    VENDOR_WEBSOCKET = "vendor websocket"
    """A WebSocket on which nobody says which text was spoken."""


NATIVE_WIRES = (Wire.HTTP, Wire.WEBSOCKET)


class Codec(StrEnum):
    """The codecs that the harness can decode, by their names on the wire."""

    PCM_S16LE = "pcm_s16le"
    WAV = "wav"
    MP3 = "mp3"


class Form(msgspec.Struct, frozen=True):
    """The form of the audio that is asked for: rates in Hz and bit/s, the latter 0 where the codec has none."""

    codec: Codec = Codec.PCM_S16LE
    sample_rate: int = 24_000
    bitrate: int = 0

    @property
    def bytes_per_s(self) -> float:
        """How many bytes one second of audio takes, container apart."""
        if self.codec is Codec.MP3:
            return self.bitrate / 8
        return float(self.sample_rate * SAMPLE_BYTES)


class Failure(StrEnum):
    """The ways in which an utterance can fail, as a client sees them.

    `REFUSED`: an answer that says no. `UNREACHABLE`: no connection. `TIMEOUT`: nothing came for too long. `TRUNCATED`:
    it began and did not end as promised. `PROTOCOL`: something came that the protocol does not allow. `INAUDIBLE`: it
    ended well and nothing could be heard.
    """

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TRUNCATED = "truncated"
    PROTOCOL = "protocol"
    INAUDIBLE = "inaudible"


class Trouble(msgspec.Struct, frozen=True):
    """Why an utterance failed. `status` is HTTP's, `retry_after_s` what the server advised, where it did."""

    failure: Failure
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


class Sent(msgspec.Struct, frozen=True):
    """A piece of text was there to be spoken; over WebSocket it left at that moment, over HTTP with all the text."""

    at: float
    text: str


class Payload(msgspec.Struct, frozen=True):
    """Audio came; over HTTP `data` may begin and end anywhere, and the sample positions are not told."""

    at: float
    data: bytes
    sample_start: int | None = None
    sample_count: int | None = None


class Message(msgspec.Struct, frozen=True):
    """The server said something else."""

    at: float
    type: str
    fields: dict[str, object]


class Timeline(msgspec.Struct):
    """One utterance. What has not happened is None.

    `intended` is when the schedule wanted it to begin and `begun` when it did; `dialled` and `connected` are set where
    a connection had to be made for it. `text_ended` is when
    the end of the text left: `end`, or the HTTP request. `interrupted` is when
    a barge-in left (a `clear`, or the cut of an HTTP connection), `silenced` when it was acknowledged. `finished` is
    when the server said that all is done. `announced` is the number of samples that it says it sent. `bytes_read`
    counts everything that came for this utterance, framing included, `chunks` those of an HTTP body, as the server cut
    it, the empty last one included. `vanished`: the client left on purpose.
    """

    wire: Wire
    form: Form
    intended: float
    begun: float | None = None
    dialled: float | None = None
    connected: float | None = None
    sent: list[Sent] = []
    text_ended: float | None = None
    heard: list[Payload | Message] = []
    interrupted: float | None = None
    silenced: float | None = None
    finished: float | None = None
    announced: int | None = None
    bytes_read: int = 0
    chunks: int = 0
    vanished: bool = False
    trouble: Trouble | None = None

    @property
    def payloads(self) -> list[Payload]:
        """The audio, in order."""
        return [item for item in self.heard if isinstance(item, Payload)]

    def duration_s(self, payload: Payload) -> float:
        """How long a payload plays: exactly where its samples are told, else by its size."""
        if payload.sample_count is None:
            return len(payload.data) / self.form.bytes_per_s
        return payload.sample_count / self.form.sample_rate

    def messages(self, type: str) -> list[Message]:
        """The messages of one type, in order."""
        return [item for item in self.heard if isinstance(item, Message) and item.type == type]

    @property
    def leaked(self) -> list[Payload]:
        """The audio that came after a barge-in had been acknowledged."""
        for index, item in enumerate(self.heard):
            if isinstance(item, Message) and item.type == "cleared":
                return [late for late in self.heard[index:] if isinstance(late, Payload)]
        return []


def joined(parts: Sequence[Timeline]) -> Timeline:
    """One utterance that was spoken by several requests, whose audio is played one after the other.

    `parts` (at least one, in the order of the text) keep their own moments; audio of a part counts as there no earlier
    than that of the parts before it. The first trouble is the whole's. Sample positions of the parts are dropped.
    """
    first, last = parts[0], parts[-1]
    heard: list[Payload | Message] = []
    latest = first.intended
    for part in parts:
        for item in part.heard:
            latest = max(latest, item.at)
            heard.append(
                Payload(latest, item.data)
                if isinstance(item, Payload)
                else Message(latest, item.type, item.fields)
            )
    announced = [part.announced for part in parts if part.announced is not None]
    finished = [part.finished for part in parts if part.finished is not None]
    return Timeline(
        wire=first.wire,
        form=first.form,
        intended=first.intended,
        begun=first.begun,
        dialled=first.dialled,
        connected=first.connected,
        sent=[sent for part in parts for sent in part.sent],
        text_ended=last.text_ended,
        heard=heard,
        interrupted=last.interrupted,
        silenced=last.silenced,
        finished=max(finished) if len(finished) == len(parts) else None,
        announced=sum(announced) if len(announced) == len(parts) else None,
        bytes_read=sum(part.bytes_read for part in parts),
        chunks=sum(part.chunks for part in parts),
        vanished=any(part.vanished for part in parts),
        trouble=next((part.trouble for part in parts if part.trouble), None),
    )
