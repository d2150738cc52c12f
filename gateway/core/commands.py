"""What a client tells a session. Imperative, plain data: dialects make them, transcripts store them."""

from __future__ import annotations

import msgspec

from gateway.core.lexicon import Lexicon
from gateway.core.params import Settings


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """Use these settings, and this lexicon, for text that comes after. Text that is still pending is spoken with the old ones
    first. Answered by one `SessionStarted` with the same id."""

    settings: Settings
    id: str | None = None
    lexicon: Lexicon | None = None


class PushText(msgspec.Struct, frozen=True, tag="push_text"):
    """Append text. It is spoken when the segmenter finds a place to cut, or at the next flush or end.

    `more`: the same push goes on in the next command, so that a long one can be taken in slices."""

    text: str
    more: bool = False


class Flush(msgspec.Struct, frozen=True, tag="flush"):
    """Speak what is pending now; answered by one `Flushed` with the same id, after its audio."""

    id: str | None = None


class Clear(msgspec.Struct, frozen=True, tag="clear"):
    """Forget unspoken text and unsent audio; the context stays open. Answered by one `Cleared`.

    `played_ms`: how far the client's player has come, in ms of this context's audio; None = estimate it.
    """

    id: str | None = None
    played_ms: float | None = None


class EndInput(msgspec.Struct, frozen=True, tag="end_input"):
    """No more text: speak the rest, then close. Answered by `Closed` with the same id."""

    id: str | None = None


class KeepAlive(msgspec.Struct, frozen=True, tag="keep_alive"):
    """Nothing, but the context is not idle."""


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """The peer is gone or a limit is broken: stop now. Closes the session without a further answer than `Closed`."""


Command = Configure | PushText | Flush | Clear | EndInput | KeepAlive | Abort
