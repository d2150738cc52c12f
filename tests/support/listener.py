"""A client that comes back: what it got over all its connections, and how far it has come."""

from __future__ import annotations

from typing import Any

from tests.support.server import AudioFrame, Message, SpeechSocket


def lost_in(answer: Message) -> list[dict[str, Any]]:
    """The contexts that an error says are lost."""
    lost = answer["lost"]
    assert isinstance(lost, list)
    return lost


def told(messages: list[Message]) -> list[Message]:
    """The messages, with the words of a segment in one, because how they are split is not promised."""
    found: list[Message] = []
    words: dict[object, list[object]] = {}
    for message in messages:
        if message["type"] == "words":
            words.setdefault(message["segment"], []).append(message["words"])
        else:
            found.append(message)
    joined = {
        str(segment): [word for part in parts for word in part]  # type: ignore[attr-defined]
        for segment, parts in words.items()
    }
    return [*found, dict(joined)]


class Listener:
    """A client that comes back: what it got over all its connections, and how far it has come."""

    def __init__(self, said: tuple[Message, ...], *, count_frames: bool = False) -> None:
        self.said = said
        self.count_frames = count_frames
        self.audio = bytearray()
        self.messages: list[Message] = []
        self.samples = 0
        self.frames = 0
        self.token = ""
        self.is_done = False

    async def greet(self, socket: SpeechSocket) -> None:
        """Say what was not heard yet: everything, or what the server has missed."""
        ready = await socket.receive_until("ready")
        heard = 0
        if self.token:
            await socket.send(self.resume())
            answer = await socket.receive()
            assert isinstance(answer, dict)
            if answer["type"] == "resumed":
                ready = answer
                for context in answer["contexts"]:  # type: ignore[attr-defined]
                    heard = context["heard"]
            else:
                # The server had not told of any context, and does not wait: there is nothing to go on with.
                assert answer["code"] == "resume_expired", answer
                assert not self.messages
                assert not any(lost["spoken"] for lost in lost_in(answer))
        self.token = str(ready["resume_token"])
        await socket.send(*self.said[heard:])

    async def listen(self, socket: SpeechSocket, count: int | None = None) -> None:
        """So many messages, or all up to the end of the context."""
        while not self.is_done and (count is None or count > 0):
            self.take(await socket.receive())
            count = None if count is None else count - 1

    def take(self, message: Message | AudioFrame) -> None:
        if isinstance(message, AudioFrame):
            assert message.sample_start == self.samples, "no gap, and nothing twice"
            self.samples += message.sample_count
            self.frames = message.sequence + 1
            self.audio += message.data
        else:
            self.messages.append({k: v for k, v in message.items() if k != "timings"})
            self.is_done = message["type"] == "ended"

    def resume(self, **changes: object) -> Message:
        position: Message = {"samples": self.samples, "messages": len(self.messages)}
        if self.count_frames:
            position["frames"] = self.frames
        position |= changes
        return {"type": "resume", "token": self.token, "contexts": [position]}
