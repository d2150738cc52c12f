"""The contract of a store. All that is in `STORES` must pass it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.accounts.credentials import Credential, Kind, new_credential
from gateway.accounts.model import KeptKey, KeptToken, Key, KeyLimits, Scope
from gateway.accounts.store import Store
from gateway.core.errors import RateLimited
from tests.accounts.stores import STORES, OpenStore

NOW = 1_700_000_000_000
PENDING_MAX = 3

pytestmark = pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)


def a_key(**changes: object) -> tuple[Credential, KeptKey]:
    credential = new_credential(Kind.KEY)
    known: dict[str, object] = {
        "id": credential.id,
        "account": "acme",
        "name": "test",
        "scopes": tuple(Scope),
        "created_ms": NOW,
    }
    return credential, KeptKey(Key(**{**known, **changes}), credential.digest)  # type: ignore[arg-type]


async def a_token(store: Store, key: str, *, lives_ms: int = 60_000, at: int = NOW) -> Credential:
    token = new_credential(Kind.TOKEN)
    kept = KeptToken(token.id, token.digest, key, at + lives_ms)
    await store.add_token(kept, at, pending_max=PENDING_MAX)
    return token


async def test_a_key_is_found_as_it_was_made(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        _, plain = a_key()
        _, odd = a_key(account="Füße", name="'; DROP TABLE keys; --", scopes=(), expires_ms=NOW + 1)
        for kept in (plain, odd):
            await store.add_key(kept)
            assert await store.find_key(kept.key.id) == kept
        assert await store.list_keys() == [plain.key, odd.key]
        ids = (odd.key.id, "0" * 16, plain.key.id)
        found = await store.find_keys(ids)
        assert {key.id: key for key in found} == {key.id: key for key in (plain.key, odd.key)}
        assert await store.find_keys(()) == []
        assert await store.find_key("0" * 16) is None
        with pytest.raises(ValueError, match="already"):
            await store.add_key(plain)


async def test_what_was_done_is_there_for_the_next_process(
    open_store: OpenStore, tmp_path: Path
) -> None:
    _, kept = a_key()
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        await one.add_key(kept)
        assert await other.find_key(kept.key.id) == kept
        assert await other.revoke_key(kept.key.id, NOW + 5) is not None
        seen = await one.find_key(kept.key.id)
        assert seen is not None
        assert seen.key.revoked_ms == NOW + 5
    async with open_store(tmp_path) as again:
        assert await again.list_keys() == [seen.key]


async def test_revoked_is_revoked(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        _, kept = a_key()
        await store.add_key(kept)
        token = await a_token(store, kept.key.id)
        for at in (NOW + 1, NOW + 2):
            key = await store.revoke_key(kept.key.id, at)
            assert key is not None
            assert key.revoked_ms == NOW + 1
            assert not key.is_good(NOW)
        assert await store.take_token(token.id, token.digest, NOW) is None
        assert await store.revoke_key("0" * 16, NOW) is None


async def test_limits_are_replaced(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        _, kept = a_key(limits=KeyLimits(60, None, 0))
        await one.add_key(kept)
        assert await other.find_key(kept.key.id) == kept
        for limits in (KeyLimits(None, 20_000), KeyLimits()):
            key = await other.limit_key(kept.key.id, limits)
            assert key is not None
            assert key.limits == limits
            assert await one.list_keys() == [key]
        assert await one.limit_key("0" * 16, KeyLimits(1)) is None


async def test_the_last_use_never_goes_back(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        _, kept = a_key()
        await store.add_key(kept)
        for at in (NOW + 2, NOW + 1):
            store.note_use(kept.key.id, at)
        await a_token(store, kept.key.id)
        (key,) = await store.list_keys()
        assert key.used_ms == NOW + 2


async def test_a_token_is_good_once(open_store: OpenStore, tmp_path: Path) -> None:
    """However many ask for it at once, through however many processes."""
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        _, kept = a_key()
        await one.add_key(kept)
        for _ in range(20):
            token = await a_token(one, kept.key.id)
            wrong = new_credential(Kind.TOKEN)
            assert await one.take_token(token.id, wrong.digest, NOW) is None
            got = await asyncio.gather(
                *(store.take_token(token.id, token.digest, NOW) for store in (one, other) * 3)
            )
            assert got.count(kept.key.id) == 1
            assert got.count(None) == 5


@pytest.mark.parametrize(("at", "good"), [(-1, True), (0, False), (1, False)])
async def test_a_token_has_its_time(
    open_store: OpenStore, tmp_path: Path, at: int, good: bool
) -> None:
    async with open_store(tmp_path) as store:
        _, kept = a_key()
        await store.add_key(kept)
        token = await a_token(store, kept.key.id, lives_ms=60_000)
        got = await store.take_token(token.id, token.digest, NOW + 60_000 + at)
        assert (got == kept.key.id) == good


async def test_waiting_tokens_are_bounded(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for _, kept in (a_key(), a_key()):
            await store.add_key(kept)
            first, *_ = [await a_token(store, kept.key.id) for _ in range(PENDING_MAX)]
            with pytest.raises(RateLimited) as refused:
                await a_token(store, kept.key.id, at=NOW + 10_000)
            assert refused.value.problem.retry_after_ms == 50_000
            assert await store.take_token(first.id, first.digest, NOW) is not None
            await a_token(store, kept.key.id)
            await a_token(store, kept.key.id, at=NOW + 60_000)  # The others have expired.


async def test_many_at_once_are_all_answered(open_store: OpenStore, tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        many = [a_key(name=str(number))[1] for number in range(2_000)]
        await asyncio.gather(*(store.add_key(kept) for kept in many))
        assert {key.name for key in await store.list_keys()} == {kept.key.name for kept in many}
