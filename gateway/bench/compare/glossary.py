"""What every figure of the comparison is, in one sentence each. docs/benchmarks/method.md has the same table."""

from __future__ import annotations

DEFINITIONS: dict[str, str] = {
    "time to first byte": "Intended start to the first byte of a body or of an audio message; headers and events count for nothing.",
    "time to first audible sample": "Intended start to when a player without prebuffer plays the first audible sample: the first window of 10 ms "
    "whose RMS, its mean removed, exceeds 0.01 of full scale.",
    "time to last audio": "Intended start to the last piece of audio.",
    "later than warm WebSocket": "Time to first byte less that of the same text as a later utterance of a WebSocket.",
    "later than the WebSocket": "Time to first audible sample less that of the same text on Sarvam's kept WebSocket.",
    "later than the stream": "Time to first audible sample less that of the same text in Sarvam's HTTP stream.",
    "heard before the flush": "Share of texts of which audio came before the flush had left.",
    "accepted at the limit": "Share of texts of the documented length that were not refused.",
    "accepted beyond the limit": "Share of texts of one character more that were not refused.",
    "later than WebSocket at": "First token to speech less that of the same answer over WebSocket.",
    "larger pieces later than smaller": "Time to first audible sample with the largest pieces less that of the same text with the smallest.",
    "progressive later than native": "Time to first audible sample with progressive delivery less that of the same text with native delivery.",
    "first token to speech": "First token there to the first audible sample.",
    "commit delay": "Last character of a segment sent to the `segment` message that announces it.",
    "complete utterances": "Share of which announced = received = decoded samples, and every character was spoken.",
    "characters per segment": "Of what the server says it speaks as a whole.",
    "characters of the first segment": "Of what it says it speaks first.",
    "bytes per second of audio": "All that was read from the socket for an utterance, framing included, over the audio decoded.",
    "server CPU per second of audio": "CPU time of the server's process and of its workers over the audio decoded meanwhile.",
    "server CPU per second of audio, workers apart": "The same without the workers: event loop and threads.",
    "goodput": "Utterances per second of one connection that asks again and again, of which each was complete, heard within 200 ms of "
    "its intended start, and never stalled for more than 100 ms after a prebuffer of 100 ms.",
    "required prebuffer B*": "The smallest delay after the first piece with which playback never stalls.",
    "cadence error": "The gap before a piece less the duration of the piece before it: below zero it came in time.",
    "stalls per utterance": "How often a player that starts with so much audio runs dry, on average.",
    "clear to its acknowledgement": "`clear` sent to `cleared` received.",
    "interruption to the server's silence": "Connection closed to the server's count of ended contexts seen to have grown, which is late by one "
    "look at it.",
    "interruption to the last audio that came": "`clear` sent, or connection closed, to the last audio that still came; 0 for none, and so over HTTP by "
    "construction: nobody reads after hanging up.",
    "frames after the acknowledgement": "Audio of that context behind `cleared`: leaks.",
    "audio received and not heard": "All audio received less what a player without prebuffer had played when the listener interrupted.",
    "audio made and not heard": "What the server's counter of made audio grew by, less what was heard, per interruption.",
    "first byte of the next answer": "Time to first byte of a short text that the same client asks for after it interrupted.",
    "memory per open connection": "Growth of the server's proportional set size by connections that spoke once and stay open, over their number.",
    "time to set up a connection": "TCP connected (HTTP), `ready` received (WebSocket).",
}
"""By name. A figure of which there are several (`… at 20 tokens/s`, `…, prebuffer 60 ms`) has the name that it begins with."""


def defined(quantity: str) -> str | None:
    """The name under which this quantity is defined; None where it is not."""
    names = [name for name in DEFINITIONS if quantity == name or _continues(quantity, name)]
    return max(names, key=len, default=None)


def _continues(quantity: str, name: str) -> bool:
    return quantity.startswith((f"{name} ", f"{name}, "))
