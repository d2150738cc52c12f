"""Who comes in: keys and tokens by what they are, when, and for what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from gateway.accounts import gate as gate_module
from gateway.accounts.caller import LOCAL
from gateway.accounts.credentials import Credential, Kind, new_credential, read_credential
from gateway.accounts.gate import USE_NOTED_MS, Gate
from gateway.accounts.model import KeptKey, Key, Scope
from gateway.accounts.sqlite import open_sqlite
from gateway.accounts.store import Store
from gateway.core.errors import Forbidden, RateLimited, Unauthorized
from gateway.core.limits import Limits
from tests.limits.borders import AROUND, border

BEGIN = 1_700_000_000_000
LIMITS = Limits(token_open_ms=1_000, token_session_ms=7_000, tokens_pending_max=3)


class Clock:
    """The time of day, as the gate sees it."""

    def __init__(self) -> None:
        self.ms = BEGIN

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(gate_module, "now_ms", clock)
    return clock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_sqlite(tmp_path / "accounts.db")
    yield store
    await store.aclose()


@pytest.fixture
def gate(store: Store, clock: Clock) -> Gate:
    return Gate(store, LIMITS)


async def make_key(
    store: Store, *scopes: Scope, account: str = "acme", expires_ms: int | None = None
) -> Credential:
    credential = new_credential(Kind.KEY)
    key = Key(credential.id, account, "a", scopes or tuple(Scope), BEGIN, expires_ms)
    await store.add_key(KeptKey(key, credential.digest))
    return credential


async def test_a_key_is_its_owner(gate: Gate, store: Store) -> None:
    one, other = await make_key(store), await make_key(store)
    for key in (one, other):
        caller = await gate.admit(key.text, Scope.SPEECH)
        assert (caller.key, caller.account, caller.session_ms_max) == (key.id, "acme", None)
    mixed = Credential(Kind.KEY, one.id, other.secret)
    with pytest.raises(Unauthorized):
        await gate.admit(mixed.text, Scope.SPEECH)


async def test_what_is_no_key_is_refused(gate: Gate, store: Store) -> None:
    await make_key(store)
    for shown in (None, "", "sesame", "sg_1", new_credential(Kind.KEY).text):
        with pytest.raises(Unauthorized):
            await gate.admit(shown, Scope.SPEECH)


@pytest.mark.parametrize("scope", Scope)
async def test_a_scope_is_for_one_thing(gate: Gate, store: Store, scope: Scope) -> None:
    key = await make_key(store, scope)
    for needs in Scope:
        if needs is scope:
            await gate.admit(key.text, needs)
        else:
            with pytest.raises(Forbidden):
                await gate.admit(key.text, needs)


@pytest.mark.parametrize("more", AROUND)
async def test_a_key_is_good_until_it_expires(
    gate: Gate, store: Store, clock: Clock, more: int
) -> None:
    key = await make_key(store, expires_ms=BEGIN + 5_000)
    clock.ms += 5_000 + more
    if more < 0:
        await gate.admit(key.text, Scope.SPEECH)
    else:
        with pytest.raises(Unauthorized, match="expired"):
            await gate.admit(key.text, Scope.SPEECH)


async def test_a_revoked_key_and_its_tokens_are_refused(gate: Gate, store: Store) -> None:
    key = await make_key(store)
    minted = await gate.mint(await gate.admit(key.text, Scope.TOKENS))
    await store.revoke_key(key.id, BEGIN)
    for shown in (key.text, minted.text):
        with pytest.raises(Unauthorized):
            await gate.admit(shown, Scope.SPEECH)


async def test_revoked_is_said_only_to_who_has_the_key(gate: Gate, store: Store) -> None:
    key = await make_key(store)
    await store.revoke_key(key.id, BEGIN)
    unknown = (Credential(Kind.KEY, key.id, "a" * 43), Credential(Kind.KEY, "0" * 16, "a" * 43))
    said = set()
    for credential in unknown:
        with pytest.raises(Unauthorized) as refused:
            await gate.admit(credential.text, Scope.SPEECH)
        said.add(refused.value.problem)
    assert len(said) == 1


async def test_a_token_speaks_once_for_its_key(gate: Gate, store: Store) -> None:
    key = await make_key(store)
    minted = await gate.mint(await gate.admit(key.text, Scope.TOKENS))
    caller = await gate.admit(minted.text, Scope.SPEECH)
    assert caller == msgspec.structs.replace(
        await gate.admit(key.text, Scope.SPEECH), scopes=(Scope.SPEECH,), session_ms_max=7_000
    )
    with pytest.raises(Unauthorized):
        await gate.admit(minted.text, Scope.SPEECH)


async def test_a_token_makes_no_tokens(gate: Gate, store: Store) -> None:
    key = await make_key(store)
    minted = await gate.mint(await gate.admit(key.text, Scope.TOKENS))
    with pytest.raises(Forbidden):
        await gate.admit(minted.text, Scope.TOKENS)


async def test_a_token_of_an_expired_key_is_refused(gate: Gate, store: Store, clock: Clock) -> None:
    key = await make_key(store, expires_ms=BEGIN + 500)
    minted = await gate.mint(await gate.admit(key.text, Scope.TOKENS))
    clock.ms += 500
    with pytest.raises(Unauthorized):
        await gate.admit(minted.text, Scope.SPEECH)


@border("token_open_ms")
async def test_a_token_opens_in_time_or_not_at_all(
    gate: Gate, store: Store, clock: Clock, more: int
) -> None:
    key = await make_key(store)
    minted = await gate.mint(await gate.admit(key.text, Scope.TOKENS))
    assert minted.expires_ms == BEGIN + LIMITS.token_open_ms
    clock.ms += LIMITS.token_open_ms + more
    if more < 0:
        await gate.admit(minted.text, Scope.SPEECH)
    else:
        with pytest.raises(Unauthorized):
            await gate.admit(minted.text, Scope.SPEECH)


@border("tokens_pending_max")
async def test_waiting_tokens_are_bounded(gate: Gate, store: Store, more: int) -> None:
    caller = await gate.admit((await make_key(store)).text, Scope.TOKENS)
    for _ in range(LIMITS.tokens_pending_max + min(more, 0)):
        await gate.mint(caller)
    if more > 0:
        with pytest.raises(RateLimited):
            await gate.mint(caller)


async def test_the_last_use_is_noted_once_a_minute(gate: Gate, store: Store, clock: Clock) -> None:
    key = await make_key(store)
    for later, noted in ((0, 0), (USE_NOTED_MS - 1, 0), (USE_NOTED_MS, USE_NOTED_MS)):
        clock.ms = BEGIN + later
        await gate.admit(key.text, Scope.SPEECH)
        await store.revoke_key("nobody", BEGIN)  # Behind the note in its queue.
        (listed,) = await store.list_keys()
        assert listed.used_ms == BEGIN + noted


async def test_without_a_store_everybody_is_local() -> None:
    gate = Gate(None, LIMITS)
    for shown in (None, "anything", new_credential(Kind.KEY).text):
        assert await gate.admit(shown, Scope.TOKENS) is LOCAL
    assert read_credential((await gate.mint(LOCAL)).text) is not None


@border("accounts.gate.USES_REMEMBERED_MAX")
async def test_uses_are_remembered_of_so_many_keys(
    gate: Gate, store: Store, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """Whose use is forgotten is noted again, too early."""
    monkeypatch.setattr(gate_module, "USES_REMEMBERED_MAX", 3)
    noted: list[str] = []
    monkeypatch.setattr(store, "note_use", lambda id, now: noted.append(id))
    keys = [await make_key(store) for _ in range(3 + more)]
    for key in (*keys, keys[0]):
        await gate.admit(key.text, Scope.SPEECH)
    assert noted.count(keys[0].id) == (2 if more > 0 else 1)
