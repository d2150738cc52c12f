"""Engines that never answer, that answer a byte at a time, that talk nonsense: a typed error in bounded time, and nobody
else hears of it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.serving import Vitals, at_rest, espeak_gateway, scrape, settled, workers
from tests.chaos.talking import PCM, TRUNCATED, Answer, answers, ask, conversation, download
from tests.support.process import GatewayProcess

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.socket,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="module"),
]

COMMAND = (sys.executable, "-m", "tests.chaos.odd_gateway")
ODD = {
    "hangs": ("engine_timeout", 2),
    "stops": ("engine_timeout", 2),
    "drips": ("engine_timeout", 2),
    "raves": ("segment_rejected", 2),
    "stutters": ("engine_failed", 0),
    "halves": ("engine_failed", 0),
}
"""By what the engine does: the error, and how many processes are replaced for it."""
SOUND = "This is what everybody else hears, and it takes a while. " * 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[GatewayProcess]:
    async with espeak_gateway(command=COMMAND) as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared: GatewayProcess) -> AsyncIterator[GatewayProcess]:
    """One for all; after each test it holds what it held before."""
    before: Vitals = await at_rest(shared)
    yield shared
    await settled(shared, before)


async def restarts(gateway: GatewayProcess) -> float:
    return (await scrape(gateway)).value("worker_restarts_total", engine="espeak")


async def heard(gateway: GatewayProcess, text: str) -> Answer:
    return await download(gateway.base_url, {"text": text, "format": PCM})


@pytest.mark.parametrize("way", ODD)
async def test_a_context_is_told_and_others_hear_nothing_of_it(
    gateway: GatewayProcess, way: str
) -> None:
    code, lost = ODD[way]
    undisturbed = await heard(gateway, SOUND)
    before = await restarts(gateway)
    async with conversation(gateway.ws_url) as socket, conversation(gateway.ws_url) as other:
        texts = ("Before it.", f" This one {way}.", " And after it.")
        await ask(socket, "odd", *texts, buffering={"push_boundary": "release"})
        await ask(socket, "beside", SOUND)
        await ask(other, "elsewhere", SOUND)
        told = await answers(socket, "odd", "beside")
        elsewhere = (await answers(other, "elsewhere"))["elsewhere"]
    assert told["odd"].codes == [code]
    assert len(told["odd"].segments) == 2, "what stands before and after it is spoken"
    assert told["beside"].audio == elsewhere.audio == undisturbed.audio
    assert await restarts(gateway) == before + lost
    assert await heard(gateway, SOUND) == undisturbed


@pytest.mark.parametrize("way", ODD)
async def test_a_download_is_refused_or_broken_off(gateway: GatewayProcess, way: str) -> None:
    code, _ = ODD[way]
    told = await heard(gateway, f"This one {way}.")
    assert told.codes == [TRUNCATED if told.audio else code]
    assert bool(told.audio) == (way == "stops"), "what came before the end is heard"


async def test_places_of_words_that_cannot_be_are_not_told(gateway: GatewayProcess) -> None:
    async with conversation(gateway.ws_url) as socket:
        await ask(socket, "odd", "He lies about words.", timestamps=True)
        told = (await answers(socket, "odd"))["odd"]
        assert told.is_whole
        for message in socket.messages("words"):
            words = message["words"]
            assert isinstance(words, list)
            for word in words:
                assert 0 <= word["sample"] <= told.samples


async def test_hanging_workers_hold_up_nobody_for_longer_than_their_time(
    gateway: GatewayProcess,
) -> None:
    """As many as there are places, and more; they are all replaced."""
    async with conversation(gateway.ws_url) as socket, conversation(gateway.ws_url) as other:
        names = [f"odd {number}" for number in range(5)]
        for name in names:
            await ask(socket, name, "This one hangs.")
        await ask(other, "sound", SOUND)
        told = await answers(socket, *names)
        sound = (await answers(other, "sound"))["sound"]
    assert [answer.codes for answer in told.values()] == [["engine_timeout"]] * 5
    assert sound.is_whole
    assert workers(gateway)
