"""Keys of requests that may come again: whose they are, for what, how often and how long."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.errors import (
    GatewayError,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    IdempotencyKeySpent,
)
from gateway.core.limits import Limits
from gateway.runtime.replays import TAKE_OVER_MS_MAX, Claim, Replays
from tests.limits.borders import after, border, now

pytestmark = pytest.mark.virtual_time

ME, BODY = "me", b"body"


async def claim(
    replays: Replays,
    key: str = "k",
    *,
    principal: str = ME,
    digest: bytes = BODY,
    id: str = "req",
    comes_back: bool = False,
) -> Claim:
    return await replays.claim(principal, key, digest, id, comes_back=comes_back)


async def answer(replays: Replays, key: str = "k", *, id: str = "req", counts: bool = True) -> None:
    """From beginning to end."""
    replays.release(await claim(replays, key, id=id), counts=counts)


async def refusal(replays: Replays, key: str = "k", digest: bytes = BODY) -> type[GatewayError]:
    """How a claim is refused, which changes nothing."""
    before = replays.known, replays.running
    with pytest.raises(GatewayError) as caught:
        await claim(replays, key, digest=digest)
    assert (replays.known, replays.running) == before
    assert caught.value.problem.field == "Idempotency-Key"
    return caught.type


async def test_a_repeat_names_the_first() -> None:
    replays = Replays(Limits())
    first = await claim(replays, id="first")
    assert first.replay_of is None
    replays.release(first, counts=True)
    for id in ("second", "third"):
        again = await claim(replays, id=id)
        assert again.replay_of == "first"
        replays.release(again, counts=True)
    assert (replays.running, replays.known) == (0, 1)


@border("replays_max")
async def test_so_often_and_no_oftener(more: int) -> None:
    replays = Replays(Limits(replays_max=3))
    for _ in range(1 + 3 + min(more, 0)):
        await answer(replays)
    if more < 0:
        await answer(replays)
    elif more > 0:
        assert await refusal(replays) is IdempotencyKeySpent
    await answer(replays, "another")


async def test_perhaps_never() -> None:
    replays = Replays(Limits(replays_max=0))
    await answer(replays)
    assert await refusal(replays) is IdempotencyKeySpent


async def test_what_was_refused_does_not_count() -> None:
    replays = Replays(Limits(replays_max=1))
    await answer(replays, counts=False)
    assert replays.known == 0, "another request may take the key"
    await answer(replays)
    for _ in range(5):
        await answer(replays, counts=False)
    await answer(replays)
    assert await refusal(replays) is IdempotencyKeySpent


async def test_another_request_with_it_is_refused() -> None:
    replays = Replays(Limits())
    running = await claim(replays)
    assert await refusal(replays, digest=b"other") is IdempotencyKeyReused
    replays.release(running, counts=True)
    assert await refusal(replays, digest=b"other") is IdempotencyKeyReused
    await answer(replays)


async def test_it_is_nobody_elses() -> None:
    replays = Replays(Limits())
    mine = await claim(replays)
    theirs = await claim(replays, principal="you", digest=b"other")
    assert theirs.replay_of is None
    replays.release(mine, counts=True)
    replays.release(theirs, counts=True)


@border("idempotency_keys_max")
async def test_of_many_the_oldest_is_forgotten(more: int) -> None:
    replays = Replays(Limits(idempotency_keys_max=3))
    for number in range(3 + more):
        await answer(replays, str(number))
    assert replays.known == min(3, 3 + more)
    oldest = await claim(replays, "0")
    assert (oldest.replay_of is None) == (more > 0)


@border("idempotency_key_ms")
async def test_it_is_known_so_long_after_its_last_answer(more: int) -> None:
    replays = Replays(Limits(idempotency_key_ms=5_000))
    first = await claim(replays)
    await after(now(), 60_000)
    replays.release(first, counts=True)
    await after(now(), 4_000)
    await answer(replays)
    await after(now(), 5_000 + more)
    if more < 0:
        assert await refusal(replays, digest=b"other") is IdempotencyKeyReused
    else:
        assert (await claim(replays, digest=b"other")).replay_of is None


class TestWhileItIsAnswered:
    async def test_a_repeat_has_to_wait(self) -> None:
        replays = Replays(Limits())
        running = await claim(replays)
        with pytest.raises(IdempotencyKeyInUse) as caught:
            await claim(replays)
        assert caught.value.problem.retryable
        assert caught.value.problem.retry_after_ms
        assert not running.unwanted.done()

    async def test_who_comes_back_has_it_broken_off(self) -> None:
        replays = Replays(Limits())
        running = await claim(replays, id="first")
        async with asyncio.TaskGroup() as tasks:
            coming = tasks.create_task(claim(replays, comes_back=True))
            await running.unwanted
            assert not coming.done(), "not before the other one is gone"
            replays.release(running, counts=True)
        assert coming.result().replay_of == "first"
        assert replays.running == 1

    async def test_only_one_of_those_who_come_back_is_answered(self) -> None:
        replays = Replays(Limits())
        running = await claim(replays)

        async def over() -> None:
            await running.unwanted
            replays.release(running, counts=True)

        coming = [claim(replays, comes_back=True) for _ in range(3)]
        *came, _ = await asyncio.gather(*coming, over(), return_exceptions=True)
        assert [type(each) for each in came].count(Claim) == 1
        assert [type(each) for each in came].count(IdempotencyKeyInUse) == 2

    @border("runtime.replays.TAKE_OVER_MS_MAX")
    async def test_nobody_waits_for_ever(self, more: int) -> None:
        replays = Replays(Limits())
        await claim(replays)
        begun = now()
        coming = asyncio.gather(claim(replays, comes_back=True), return_exceptions=True)
        await after(begun, TAKE_OVER_MS_MAX + more)
        assert coming.done() == (more >= 0)
        (came,) = await coming
        assert isinstance(came, IdempotencyKeyInUse)

    async def test_who_asks_for_something_else_breaks_nothing_off(self) -> None:
        replays = Replays(Limits())
        running = await claim(replays)
        with pytest.raises(IdempotencyKeyReused):
            await claim(replays, digest=b"other", comes_back=True)
        assert not running.unwanted.done()
