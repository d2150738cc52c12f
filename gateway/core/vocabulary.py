"""The closed sets of words that the whole gateway shares. One meaning each; docs/architecture.md has the glossary."""

from __future__ import annotations

from enum import StrEnum


class Codec(StrEnum):
    """How samples are written for the wire.

    `PCM_S16LE` is headerless, mono, little-endian; `MULAW` and `ALAW` are the headerless bytes of G.711. `OPUS` is in Ogg,
    `AAC` in ADTS.
    """

    PCM_S16LE = "pcm_s16le"
    WAV = "wav"
    MULAW = "mulaw"
    ALAW = "alaw"
    MP3 = "mp3"
    OPUS = "opus"
    AAC = "aac"
    FLAC = "flac"


class Container(StrEnum):
    """What one container holds: header, audio, end.

    `PER_FLUSH`: the audio up to a flush, and the next flush has one of its own. `PER_CONTEXT`: all audio of a context.
    """

    PER_FLUSH = "per_flush"
    PER_CONTEXT = "per_context"


class Route(StrEnum):
    """The protocol a context came in by. Capabilities are declared per route; some vendors' models can do more when the whole
    file is waited for, which `HTTP_FILE` stands for."""

    HTTP = "http"
    HTTP_FILE = "http_file"
    WEBSOCKET = "websocket"


class Delivery(StrEnum):
    """When the audio of a segment is sent.

    `NATIVE`: as the engine makes it. `PROGRESSIVE`: when the segment is finished, so that each is heard whole or not at all.
    """

    NATIVE = "native"
    PROGRESSIVE = "progressive"


class CutReason(StrEnum):
    """Why a segment ended where it did."""

    SENTENCE = "sentence"
    CLAUSE = "clause"
    SIZE = "size"
    TIMER = "timer"
    LEAD = "lead"
    FLUSH = "flush"
    END = "end"


class CutKind(StrEnum):
    """What the text looks like at the cut, strongest first; engines choose the closing pause by it."""

    PARAGRAPH = "paragraph"
    SENTENCE = "sentence"
    SOFT = "soft"
    CLAUSE = "clause"
    WORD = "word"
    GRAPHEME = "grapheme"


class Preset(StrEnum):
    """A named row of segmentation thresholds."""

    LATENCY = "latency"
    BALANCED = "balanced"
    QUALITY = "quality"


class Cleanup(StrEnum):
    """What becomes of marks that are written for the eye.

    `OFF`: text goes to the engine as it is. `MARKDOWN`: marks, code blocks, links and emoji are not spoken. `SPEECH`: also,
    numbers, dates and addresses that engines read badly are written out.
    """

    OFF = "off"
    MARKDOWN = "markdown"
    SPEECH = "speech"


class PushBoundary(StrEnum):
    """What the border between two pushes means to the segmenter.

    `NONE`: nothing, text is one stream. `AFTER_TERMINATOR`: a push that ends in a sentence end is a break.
    `RELEASE`: every push is spoken as it is.
    """

    NONE = "none"
    AFTER_TERMINATOR = "after_terminator"
    RELEASE = "release"


class CloseReason(StrEnum):
    """Why a session closed."""

    FINISHED = "finished"
    IDLE = "idle"
    ABORTED = "aborted"


class Progress(StrEnum):
    """How far a request or a context has come.

    `COMPLETE`: all of it was handed out, but for what its client cleared. `FAILED`: an error took some of it, or all.
    `CANCELLED`: its client went away, or was sent away.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Fault(StrEnum):
    """Who has to change something for an error to go away."""

    CALLER = "caller"
    SERVER = "server"


class KeyTrouble(StrEnum):
    """What is wrong with a key, if it is not that there is no such key."""

    MISSING = "missing"
    EXPIRED = "expired"
    REVOKED = "revoked"
