"""What one key may have: as arithmetic, and on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import given, strategies as st

import gateway.accounts.quotas as quotas_module
from gateway.accounts.addresses import Addresses
from gateway.accounts.caller import LOCAL, Caller
from gateway.accounts.model import KeyLimits
from gateway.accounts.quotas import MINUTE_S, Quotas, Rate
from gateway.config import AccountsConfig
from gateway.core.errors import RateLimited
from gateway.core.limits import Limits
from tests.accounts.test_access import bearer, key_of
from tests.fronts.peers import http_client
from tests.limits.borders import border
from tests.support.memory import memory_house, memory_socket
from tests.support.server import RunningServer, running_server, tone_config

SOMEBODY, ANOTHER = (Caller(key, "acme", ()) for key in ("somebody", "another"))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestRate:
    @given(
        per_minute=st.integers(1, 600),
        asked=st.lists(st.tuples(st.floats(0, 90), st.integers(1, 40)), max_size=60),
    )
    def test_no_window_has_more_than_a_burst_and_its_share(
        self, per_minute: int, asked: list[tuple[float, int]]
    ) -> None:
        rate, now = Rate(per_minute), 0.0
        had: list[tuple[float, int]] = []
        for pause, wanted in asked:
            now += pause
            count = min(wanted, per_minute)
            if not rate.wait_s("a", count, now):
                rate.take("a", count, now)
                had.append((now, count))
        for first, (begins, _) in enumerate(had):
            total = 0
            for at, count in had[first:]:
                total += count
                assert total <= per_minute * (1 + (at - begins) / MINUTE_S) + 0.01

    @given(per_minute=st.integers(1, 10_000), had=st.integers(0, 10_000), more=st.integers(1, 99))
    def test_the_wait_is_exact(self, per_minute: int, had: int, more: int) -> None:
        rate = Rate(per_minute)
        rate.take("a", min(had, per_minute), 5.0)
        if wait_s := rate.wait_s("a", more, 5.0):
            assert rate.wait_s("a", more, 5.0 + wait_s) == 0
            assert rate.wait_s("a", more, 5.0 + wait_s - 0.001) > 0

    def test_more_than_a_minutes_worth_is_had_by_who_has_waited_and_paid_for_later(self) -> None:
        rate = Rate(60)
        assert rate.wait_s("a", 120, 0.0) == 0
        rate.take("a", 120, 0.0)
        assert rate.wait_s("a", 1, 0.0) == pytest.approx(61)
        assert rate.wait_s("b", 1, 0.0) == 0

    @border("accounts.quotas.REMEMBERED_MAX")
    def test_who_asked_longest_ago_is_forgotten(
        self, more: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quotas_module, "REMEMBERED_MAX", 3)
        rate = Rate(1)
        for who in ("a", "b", "a", *"cd"[: 1 + more]):
            rate.take(who, 1, 0.0)
        forgotten = [who for who in "abcd"[: 3 + more] if not rate.wait_s(who, 1, 0.0)]
        assert forgotten == ["b"] * (more > 0)


@border("key_requests_per_minute")
def test_requests(clock: Clock, more: int) -> None:
    quotas = Quotas(Limits(key_requests_per_minute=20), clock)
    for _ in range(20 + min(more, 0)):
        quotas.request(SOMEBODY)
    quotas.request(ANOTHER)
    if more > 0:
        for _ in range(2):  # What is refused is not counted.
            with pytest.raises(RateLimited) as refused:
                quotas.request(SOMEBODY)
            assert refused.value.problem.retry_after_ms == 3_000
        clock.now += 3
        quotas.request(SOMEBODY)


@border("key_chars_per_minute")
def test_chars(clock: Clock, more: int) -> None:
    quotas = Quotas(Limits(key_chars_per_minute=1_000), clock)
    quotas.chars(SOMEBODY, 400)
    quotas.chars(ANOTHER, 1_000)
    if more > 0:
        with pytest.raises(RateLimited) as refused:
            quotas.chars(SOMEBODY, 600 + more)
        assert refused.value.problem.retry_after_ms == 60
        assert refused.value.problem.allowed == "1000 characters a minute"
    quotas.chars(SOMEBODY, 600 + min(more, 0))


@border("key_contexts_max")
def test_contexts(clock: Clock, more: int) -> None:
    quotas = Quotas(Limits(key_contexts_max=3), clock)
    for _ in range(3 + min(more, 0)):
        quotas.open_context(SOMEBODY)
    quotas.open_context(ANOTHER)
    if more > 0:
        with pytest.raises(RateLimited):
            quotas.open_context(SOMEBODY)
        quotas.close_context(SOMEBODY)
        quotas.open_context(SOMEBODY)


@border("address_mistakes_per_minute")
def test_mistakes(clock: Clock, more: int) -> None:
    addresses = Addresses(Limits(address_mistakes_per_minute=6), clock)
    for _ in range(6 + more):
        addresses.mistake("192.0.2.1")
    addresses.judge("192.0.2.2")
    if more < 0:
        addresses.judge("192.0.2.1")
    else:
        with pytest.raises(RateLimited) as refused:
            addresses.judge("192.0.2.1")
        assert refused.value.problem.retry_after_ms == (1 + more) * 10_000


def test_an_address_may_have_any_number_of_connections(clock: Clock) -> None:
    addresses = Addresses(Limits(address_connections_max=0), clock)
    for _ in range(3):
        addresses.arrived("192.0.2.1")
    addresses.judge("192.0.2.1")


TEXT = {"text": "One."}
LESS = Limits(key_requests_per_minute=2, key_chars_per_minute=2, key_contexts_max=2)


@pytest.mark.parametrize(
    ("limits", "own", "most"),
    [
        (Limits(), 3, 3),
        (LESS, 3, 3),
        (LESS, 1, 1),
        (LESS, None, 2),
        (LESS, 0, 9),
    ],
)
@pytest.mark.parametrize("what", ["requests", "chars", "contexts"])
def test_a_key_may_have_limits_of_its_own(
    clock: Clock, what: str, limits: Limits, own: int | None, most: int
) -> None:
    quotas = Quotas(limits, clock)
    name = {"requests": "requests_per_minute", "chars": "chars_per_minute"}.get(
        what, "contexts_max"
    )
    mine = msgspec.structs.replace(SOMEBODY, limits=KeyLimits(**{name: own}))

    def ask(caller: Caller) -> None:
        match what:
            case "requests":
                quotas.request(caller)
            case "chars":
                quotas.chars(caller, 1)
            case _:
                quotas.open_context(caller)

    for _ in range(most):
        ask(mine)
    if most < 9:
        with pytest.raises(RateLimited) as refused:
            ask(mine)
        assert str(refused.value.problem.allowed).startswith(f"{most} ")
    ask(ANOTHER)


def test_a_limit_that_is_raised_counts_at_once(clock: Clock) -> None:
    quotas = Quotas(LESS, clock)
    for _ in range(2):
        quotas.request(SOMEBODY)
    raised = msgspec.structs.replace(SOMEBODY, limits=KeyLimits(requests_per_minute=60))
    with pytest.raises(RateLimited) as refused:
        quotas.request(raised)
    # It had a minute's worth, and gets the next one after a second of its new ones.
    assert refused.value.problem.retry_after_ms == 1_000


def test_the_local_caller_may_have_anything(clock: Clock) -> None:
    quotas = Quotas(
        Limits(key_requests_per_minute=1, key_chars_per_minute=1, key_contexts_max=1), clock
    )
    for _ in range(3):
        quotas.request(LOCAL)
        quotas.chars(LOCAL, 1_000)
        quotas.open_context(LOCAL)


@asynccontextmanager
async def keyed(
    directory: Path, **limits: int
) -> AsyncIterator[tuple[RunningServer, httpx.AsyncClient]]:
    accounts = AccountsConfig(database=str(directory / "accounts.db"))
    config = msgspec.structs.replace(tone_config(**limits), accounts=accounts)
    async with running_server(config) as server, http_client(server) as client:
        yield server, client


def refused(answer: httpx.Response) -> bool:
    error = answer.json()["error"]
    wait_s = int(answer.headers["retry-after"])
    assert wait_s - 1 <= error["retry_after_ms"] / 1_000 <= wait_s
    return answer.status_code == 429 and error["code"] == "rate_limited"


@pytest.mark.socket
class TestOnTheWire:
    async def test_a_key_has_its_requests(self, tmp_path: Path) -> None:
        async with keyed(tmp_path, key_requests_per_minute=2) as (server, client):
            one, other = bearer(await key_of(server)), bearer(await key_of(server))
            for _ in range(2):
                assert (await client.get("/v1/speech/voices", headers=one)).is_success
            assert refused(await client.post("/v1/speech", json={"text": "A"}, headers=one))
            assert (await client.get("/v1/speech/voices", headers=other)).is_success

    async def test_a_key_has_its_characters(self, tmp_path: Path) -> None:
        async with keyed(tmp_path, key_chars_per_minute=100) as (server, client):
            one = bearer(await key_of(server))
            answer = await client.post("/v1/speech", json={"text": "a" * 99}, headers=one)
            assert answer.status_code == 200
            assert refused(await client.post("/v1/speech", json={"text": "a b"}, headers=one))

    async def test_limits_of_a_key_count_from_its_next_request(self, tmp_path: Path) -> None:
        async with keyed(tmp_path) as (server, client):
            key = await key_of(server)
            client.headers.update(bearer(key))
            store = server.house.store
            assert store is not None
            assert (await client.post("/v1/speech", json=TEXT)).is_success
            await store.limit_key(key.id, KeyLimits(chars_per_minute=1))
            # More than a minute's worth is spoken once.
            assert (await client.post("/v1/speech", json=TEXT)).is_success
            assert refused(await client.post("/v1/speech", json=TEXT))
            await store.limit_key(key.id, KeyLimits())
            assert (await client.post("/v1/speech", json=TEXT)).is_success

    async def test_who_shows_bad_keys_waits(self, tmp_path: Path) -> None:
        async with keyed(tmp_path, address_mistakes_per_minute=3) as (server, client):
            for _ in range(3):
                answer = await client.get("/v1/speech/voices", headers={"x-api-key": "sesame"})
                assert answer.status_code == 401
            good = bearer(await key_of(server))
            assert refused(await client.get("/v1/speech/voices", headers=good))
            assert (await client.get("/healthz")).is_success


@pytest.mark.virtual_time
async def test_contexts_are_given_back() -> None:
    async with memory_house(key_contexts_max=2) as house:
        async with memory_socket(house, caller=SOMEBODY) as socket:
            for name in "abc":
                await socket.send({"type": "configure", "context": name})
            error = await socket.receive_until("error")
            assert (error["code"], error["context"]) == ("rate_limited", "c")
            await socket.send({"type": "end", "context": "a"})
            await socket.receive_until("ended")
            await socket.send({"type": "configure", "context": "c"})
            await socket.receive_until("started", context="c")
        async with memory_socket(house, caller=SOMEBODY) as socket:
            for name in "ab":
                await socket.send({"type": "configure", "context": name})
            await socket.receive_until("started", context="b")
            assert not socket.messages("error")


@pytest.mark.virtual_time
async def test_a_refused_text_is_not_spoken_and_the_connection_stays() -> None:
    async with (
        memory_house(key_chars_per_minute=10, text_chars_max=50) as house,
        memory_socket(house, caller=SOMEBODY) as socket,
    ):
        for text, code in (
            ("a" * 51, "text_too_long"),
            ("One two.", None),
            ("three", "rate_limited"),
        ):
            await socket.send({"type": "text", "text": text}, {"type": "ping"})
            await socket.receive_until("pong")
            errors = socket.messages("error")
            assert (errors[-1]["code"] if code else len(errors)) == (code or 1)
        await socket.send({"type": "end"})
        ended = await socket.receive_until("ended")
        assert ended["chars"] == 8
