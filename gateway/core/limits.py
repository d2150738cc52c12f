"""Every bound of the gateway: one name, one default, one range. The same names are keys of `[limits]` in the configuration.

A bound that refuses names itself in the error; a bound that ends something is announced in `ready` beforehand.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Chars = Annotated[int, Meta(ge=1, le=10_000_000)]
PerMinute = Annotated[int, Meta(ge=0, le=100_000_000)]
Millis = Annotated[int, Meta(ge=1, le=86_400_000)]
Bytes = Annotated[int, Meta(ge=1_024, le=64 * 1_048_576)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The bounds, in the units their names end in."""

    # Text
    text_chars_max: Chars = 100_000
    """Characters in one HTTP request or one `text` message."""
    chars_pending_max: Chars = 120_000
    """Unspoken characters that one context may hold; larger than `text_chars_max`, so that one-shot text always fits."""
    whole_chars_max: Chars = 10_000
    """Characters in one HTTP request for a whole file, which is gathered before any of it is sent."""
    history_chars_max: Chars = 20_000
    """Spoken characters that a context remembers, so that a clear can tell what was heard."""

    # Audio
    audio_ahead_ms: Millis = 10_000
    """Audio that is made but not yet pulled, per context; beyond it no further segment is ordered."""
    spool_bytes_max: Annotated[int, Meta(ge=1_024, le=16 * 1_073_741_824)] = 268_435_456
    """Audio of one whole file while it is gathered; what is longer is refused."""
    spools_bytes_max: Annotated[int, Meta(ge=1_024, le=1_024 * 1_073_741_824)] = 2_147_483_648
    """That in temporary files, over all requests; who comes then is refused."""
    lookahead: Annotated[int, Meta(ge=1, le=8)] = 2
    """Segments of one context that may be in the making at once."""

    # Commands and events
    events_pending_max: Count = 1_024
    """Flushes and other control events that one context may leave unanswered."""
    replies_pending_max: Count = 256
    """Errors, pongs and warnings that a connection may leave unread before it is closed."""
    contexts_max: Annotated[int, Meta(ge=1, le=1_000)] = 16
    """Contexts that may be open at once on one connection."""
    contexts_ended_kept: Annotated[int, Meta(ge=0, le=1_000)] = 8
    """Ended contexts whose history a late clear may still ask for."""

    # Time
    context_idle_ms: Millis = 600_000
    """A context without any command for so long speaks what it holds and ends."""
    context_idle_warning_ms: Millis = 60_000
    """So long before that, it is warned."""
    first_message_ms: Millis = 60_000
    """A WebSocket over which nothing was said for so long is closed."""
    connection_idle_ms: Millis = 3_600_000
    """So is one without a context over which nothing more was said for so long."""
    sarvam_idle_ms: Millis = 60_000
    """So is one of Sarvam's dialect, context or not, after which nothing was said for so long, and nothing is to be spoken."""
    ping_interval_ms: Millis = 20_000
    """How often the server sends a WebSocket ping."""
    ping_timeout_ms: Millis = 20_000
    """A ping that is not answered for so long, after what was sent before it has been played, closes the connection."""
    head_read_ms: Millis = 10_000
    """A connection's first request must have arrived up to its body within this time, a later one from its first byte."""
    next_request_ms: Millis = 15_000
    """A connection waits so long for its next request: longer than proxies reuse one, so that it is never closed just then."""

    # Transport
    url_bytes_max: Bytes = 8_192
    """The target of a request."""
    header_bytes_max: Bytes = 32_768
    """The headers of a request, each with its colon, its space and its line end."""
    headers_max: Count = 100
    """How many they are."""
    body_bytes_max: Bytes = 2_097_152
    """An HTTP request body."""
    message_bytes_max: Bytes = 262_144
    """A WebSocket message; a larger one is refused with an error."""
    frame_bytes_max: Bytes = 1_048_576
    """A WebSocket message that is larger than this closes the connection with 1009."""
    fragments_max: Count = 1_024
    """Frames in one WebSocket message; more close the connection with 1008."""
    frames_per_second_max: Count = 2_000
    """WebSocket frames of one connection; who sends more is read more slowly."""
    send_stall_ms: Millis = 30_000
    """A client that takes no byte for so long is disconnected."""
    body_read_ms: Millis = 10_000
    """A request body must have arrived within this time."""
    keep_alive_ms: Millis = 15_000
    """Server-sent events that have nothing to tell for so long say so in a comment."""

    # Resuming
    resume_window_ms: Annotated[int, Meta(ge=0, le=600_000)] = 30_000
    """So long a WebSocket's contexts wait for their client when its connection breaks; 0 = not at all."""
    resume_ring_bytes: Bytes = 524_288
    """What was told of one context last, kept for a client that has not got it."""
    resume_rings_bytes_max: Annotated[int, Meta(ge=0, le=16 * 1_073_741_824)] = 134_217_728
    """That, over all contexts."""
    sessions_parked_max: Count = 200
    """Connections whose contexts wait; then the one that has waited longest gives up."""
    lost_text_ms: Millis = 300_000
    """So long the text is remembered that was not spoken because its client did not come back."""
    lost_text_chars_max: Annotated[int, Meta(ge=0, le=100_000_000)] = 2_000_000
    """That, over all connections; the oldest is forgotten first."""

    # Accounts
    token_open_ms: Millis = 60_000
    """So long after it was minted a token may open a connection."""
    token_session_ms: Millis = 900_000
    """A WebSocket that was opened with a token is closed after so long."""
    tokens_pending_max: Count = 1_000
    """Tokens of one key that were not used yet."""
    key_requests_per_minute: PerMinute = 0
    """Requests and handshakes of one key; 0 = any number."""
    key_chars_per_minute: PerMinute = 0
    """Characters that one key may have spoken; 0 = any number."""
    key_contexts_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Contexts of one key that may be open at once; 0 = any number."""
    key_watch_ms: Millis = 5_000
    """So long after its key was revoked or has expired what is open goes on."""
    address_connections_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    """Requests and WebSockets of one address that may be open at once, whoever they are; 0 = any number."""
    address_mistakes_per_minute: PerMinute = 60
    """Keys that are not good, or none, from one address; then it is asked to wait. 0 = any number."""
    credit_block_chars: Chars = 500
    """Credits are set aside for so many characters at once, where more of them may come."""

    # Lexicons
    lexicons_max: Annotated[int, Meta(ge=0, le=10_000)] = 100
    """Lexicons of one account."""
    lexicon_rules_max: Annotated[int, Meta(ge=1, le=500)] = 500
    """Rules of one of them."""
    lexicon_word_chars_max: Annotated[int, Meta(ge=1, le=200)] = 100
    """Characters of the word that a rule replaces,"""
    lexicon_alias_chars_max: Annotated[int, Meta(ge=1, le=500)] = 200
    """and of what is spoken instead."""
    lexicon_bytes_max: Bytes = 262_144
    """Bytes of a lexicon as it is sent."""

    # Requests that are over
    receipts_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000
    """Contexts that are over and whose receipts are kept; an HTTP request is one. The oldest is forgotten first."""
    receipt_ms: Millis = 3_600_000
    """So long each is kept."""

    # Requests that come again
    replays_max: Annotated[int, Meta(ge=0, le=1_000)] = 3
    """So often a request with an Idempotency-Key is answered again."""
    idempotency_keys_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000
    """Keys that are remembered after their answer; the oldest is forgotten first."""
    idempotency_key_ms: Millis = 3_600_000
    """So long each is remembered after its last answer."""

    # Server
    send_buffer_bytes: Annotated[int, Meta(ge=0, le=16 * 1_048_576)] = 131_072
    """SO_SNDBUF of the listening socket, so that audio waits here, where a clear reaches it; 0 = the system's."""
    connections_max: Count = 1_000
    """Open connections with speech on them; more are refused with 503 before they are accepted."""
    contexts_total_max: Count = 4_000
    """Open contexts over all connections."""
    sockets_max: Count = 8_000
    """Open TCP connections, silent ones too; more are closed at once."""
    load_percent_max: Annotated[int, Meta(ge=1, le=100)] = 90
    """Share of an engine, the encoders or the event loop that listeners may have before newcomers are refused; 100 = they never are."""
    wait_ms_max: Millis = 2_000
    """Speech that would have to wait longer for an engine is refused."""
