"""Clears at random moments over overlapping contexts of one WebSocket: nothing that is older may follow the answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import msgspec

from tests.chaos.serving import at_rest, settled
from tests.chaos.talking import ANSWERS_WITHIN_S, PCM, conversation
from tests.support.process import GatewayProcess
from tests.support.server import AudioFrame, Message, SpeechSocket

CONTEXTS = 4
SENTENCES = (
    "This is a sentence that somebody will interrupt, sooner or later. ",
    "Yes. ",
    "One, two, three, four, and so on up to a hundred, if nobody objects! ",
)
PAUSE_S_MEAN = 0.004
"""Between two things that the client says: long enough for some audio, too short for all of it."""


class Cleared(msgspec.Struct, frozen=True):
    """How many clears were answered, and what came in all; `late` is audio of older text behind an answer, `cut` how many
    clears took audio or text away."""

    clears: int
    frames: int
    late: int
    cut: int


@dataclass(slots=True)
class Listener:
    """What is known of one context from what was received, in order."""

    number: int = -1
    fresh_from: int = 0
    """Text from here on may be spoken."""
    samples: int = 0
    sequence: int = 0
    may_speak: bool = False
    """A segment of fresh text was announced since the last clear."""
    late: list[object] = field(default_factory=list)

    def hear(self, frame: AudioFrame) -> None:
        if not self.may_speak:
            self.late.append(frame)
        assert frame.sequence == self.sequence, "frames leave no gap"
        assert frame.sample_start == self.samples, "and samples neither"
        self.sequence += 1
        self.samples += frame.sample_count

    def take(self, message: Message) -> None:
        match message:
            case {"type": "started", "number": int(number)}:
                self.number = number
            case {"type": "segment", "text_start": int(text_start), "sample_start": int(sample)}:
                if text_start < self.fresh_from:
                    self.late.append(message)
                assert sample >= self.samples - 1
                self.may_speak = True
            case {"type": "cleared", "text_end": int(text_end), "sample_end": int(sample_end)}:
                assert sample_end == self.samples, "the answer says where the audio stopped"
                self.fresh_from, self.may_speak = text_end, False
            case _:
                pass


async def clear_again_and_again(
    gateway: GatewayProcess, model: str, count: int, seed: int
) -> Cleared:
    """So many clears with a model. Fails when an answer is missing or wrong; late audio is counted."""
    chance = random.Random(seed)
    before = await at_rest(gateway)
    heard = asyncio.Event()
    listeners = {f"context {number}": Listener() for number in range(CONTEXTS)}
    async with conversation(gateway.ws_url) as socket:
        for name in listeners:
            await socket.send(
                {
                    "type": "configure",
                    "context": name,
                    "model": model,
                    "format": PCM,
                    "lead_ms": None,
                }
            )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(talk(socket, chance, sorted(listeners), count, heard))
            answered, frames, cut = await listen(socket, listeners, count, heard)
    assert sorted(answered) == list(range(count)), "each is answered once"
    await settled(gateway, before)
    late = sum(len(listener.late) for listener in listeners.values())
    return Cleared(count, frames, late, cut)


async def talk(
    socket: SpeechSocket, chance: random.Random, names: list[str], count: int, heard: asyncio.Event
) -> None:
    """Say something in one context or another and interrupt one, until there were enough clears. Often there is audio
    (`heard`) between the two."""
    for number in range(count):
        heard.clear()
        texts = chance.randint(0, 3)
        for _ in range(texts):
            text = "".join(chance.choices(SENTENCES, k=chance.randint(1, 4)))
            context = chance.choice(names)
            await socket.send({"type": "text", "context": context, "text": text})
            if chance.random() < 0.5:
                await socket.send({"type": "flush", "context": context})
        if texts and chance.random() < 0.5:
            await heard.wait()
        # Not to wait for anything: the moment is what is random.
        await asyncio.sleep(chance.expovariate(1 / PAUSE_S_MEAN))
        context = chance.choice(names)
        await socket.send({"type": "clear", "context": context, "id": str(number)})


async def listen(
    socket: SpeechSocket, listeners: dict[str, Listener], count: int, heard: asyncio.Event
) -> tuple[list[int], int, int]:
    """Hear everything up to the answer to the last clear: the ids of the answers, the frames of audio, and how many
    clears took something away."""
    answered: list[int] = []
    frames = cut = 0
    while len(answered) < count:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            message = await socket.receive()
        if isinstance(message, AudioFrame):
            frames += 1
            heard.set()
            next(one for one in listeners.values() if one.number == message.number).hear(message)
            continue
        assert message["type"] != "error", message
        if "context" in message:
            listeners[str(message["context"])].take(message)
        if message["type"] == "cleared":
            answered.append(int(str(message["id"])))
            cut += bool(message["unspoken"])
    return answered, frames, cut
