"""kill -9 of what speaks, while many listen: nobody notices, or whoever must is told so, and nothing is left over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from itertools import count

import msgspec

from tests.chaos.serving import (
    at_rest,
    espeak_gateway,
    nurseries,
    one_of,
    scrape,
    settled,
    slay,
    workers,
)
from tests.chaos.talking import (
    ANSWERS_WITHIN_S,
    PCM,
    TRUNCATED,
    Answer,
    answers,
    ask,
    conversation,
    download,
)
from tests.support.leaks import until_async
from tests.support.process import GatewayProcess

TEXT = "Some words before the comma, and then 17 more of them, so that it takes a while. " * 5
DOWNLOADERS, TALKERS = 2, 2
LOST = {"segment_rejected", "engine_lost"}
"""What a caller may be told whose segment has lost two workers; over HTTP, after the first byte, the body breaks off."""


class Toll(msgspec.Struct, frozen=True):
    """What so many rounds did: answers that came, those of them whose callers were told of a loss, processes that were
    replaced, and how long each segment that had lost its worker waited for another."""

    rounds: int
    answers: int
    told: int
    restarts: int
    back_ms: list[float]


class Load:
    """Listeners over both protocols, each of whom asks again and again until there have been enough."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.downloads: list[Answer] = []
        self.conversations: list[Answer] = []
        self.is_over = False

    async def download(self) -> None:
        while not self.is_over:
            self.downloads.append(
                await download(self.gateway.base_url, {"text": TEXT, "format": PCM})
            )

    async def converse(self) -> None:
        """Two contexts at a time on one connection, which must not break."""
        async with conversation(self.gateway.ws_url) as socket:
            for number in count():
                if self.is_over:
                    return
                names = (f"{number}a", f"{number}b")
                for name in names:
                    await ask(socket, name, TEXT)
                self.conversations += (await answers(socket, *names)).values()

    async def answers_more(self) -> None:
        """Return when there has been another answer of each kind."""
        downloads, conversations = len(self.downloads), len(self.conversations)

        async def more() -> bool:
            return len(self.downloads) > downloads and len(self.conversations) > conversations

        await until_async(more, ANSWERS_WITHIN_S)


def victims(gateway: GatewayProcess, rounds: int, chance: random.Random) -> Iterator[None]:
    """Kill somebody at each step: one worker, all workers, one nursery, everybody."""
    for number in range(rounds):
        match number % 4:
            case 0:
                slay(one_of(workers(gateway), chance))
            case 1:
                slay(workers(gateway))
            case 2:
                slay(one_of(nurseries(gateway), chance))
            case _:
                slay(workers(gateway) | nurseries(gateway))
        yield


async def massacre(rounds: int, seed: int) -> Toll:
    """So many rounds under load. Fails when anybody lost something without being told, or anything is left over."""
    async with espeak_gateway() as gateway:
        whole = await download(gateway.base_url, {"text": TEXT, "format": PCM})
        async with conversation(gateway.ws_url) as socket:
            await ask(socket, "undisturbed", TEXT)
            undisturbed = (await answers(socket, "undisturbed"))["undisturbed"]
        assert undisturbed.audio == whole.audio
        before = await at_rest(gateway)
        load = Load(gateway)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(DOWNLOADERS):
                tasks.create_task(load.download())
            for _ in range(TALKERS):
                tasks.create_task(load.converse())
            for _ in victims(gateway, rounds, random.Random(seed)):
                await load.answers_more()
            load.is_over = True
        judge(load, whole, undisturbed)
        every = load.downloads + load.conversations
        told = sum(len(answer.codes) for answer in every)
        restarts = round((await scrape(gateway)).value("worker_restarts_total", engine="espeak"))
        assert restarts >= rounds / 2, "they were not at work"
        assert 2 * told <= restarts, "whoever is told of it has lost two workers"
        again = await download(gateway.base_url, {"text": TEXT, "format": PCM})
        assert again.audio == whole.audio
        await settled(gateway, before)
        back = [line["ms"] for line in gateway.logged("engine worker is back")]
        return Toll(rounds, len(every), told, restarts, msgspec.convert(back, list[float]))


def judge(load: Load, whole: Answer, undisturbed: Answer) -> None:
    """Everybody got everything, or was told what is missing."""
    for answer in load.downloads:
        assert set(answer.codes) <= LOST | {TRUNCATED}
        assert whole.audio.startswith(answer.audio)
        # A worker lost between its last sample and its end was to blame for nothing that can be heard, but nobody knows.
        assert not answer.is_whole or answer.audio == whole.audio
    for answer in load.conversations:
        assert set(answer.codes) <= LOST
        assert len(answer.segments) + len(answer.codes) == len(undisturbed.segments)
        assert answer.segments.items() <= undisturbed.segments.items()
        assert (answer.samples, answer.chars) == (len(answer.audio) // 2, len(TEXT))
