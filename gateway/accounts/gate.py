"""Who is asking: from what a caller shows to a caller that is known, or a refusal."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from gateway.accounts.caller import LOCAL, Caller
from gateway.accounts.clock import now_ms
from gateway.accounts.credentials import Credential, Kind, new_credential, read_credential
from gateway.accounts.model import KeptToken, Key, Scope
from gateway.accounts.store import Store
from gateway.core.errors import Forbidden, Unauthorized
from gateway.core.limits import Limits
from gateway.core.vocabulary import KeyTrouble

USE_NOTED_MS = 60_000
"""The last use of a key is written down no more often than this."""
USES_REMEMBERED_MAX = 10_000
"""Keys of which it is remembered when it was; then the one that was used longest ago is written down once too often."""


class Minted(NamedTuple):
    """A token, and until when it opens a connection (ms since 1970)."""

    text: str
    expires_ms: int


class Gate:
    """Asks for keys, or, without a store, for nothing: then any or no key is the local account."""

    def __init__(self, store: Store | None, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._noted: OrderedDict[str, int] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether everybody may come in."""
        return self._store is None

    async def admit(self, shown: str | None, needs: Scope) -> Caller:
        """The caller who shows this credential; a token is used up by that. Raises Unauthorized, Forbidden or
        AccountsUnavailable."""
        if self._store is None:
            return LOCAL
        if shown is None:
            raise Unauthorized(
                "a key is needed",
                allowed="Authorization: Bearer, or X-API-Key",
                reason=KeyTrouble.MISSING,
            )
        credential = read_credential(shown)
        if credential is None:
            raise Unauthorized(
                "this is no key", allowed="a key as `gateway keys create` printed it"
            )
        if credential.kind is Kind.TOKEN:
            caller = await self._by_token(self._store, credential)
        else:
            caller = await self._by_key(self._store, credential)
        if needs not in caller.scopes:
            raise Forbidden(f"this key may not be used for {needs}", allowed=f"a key with {needs}")
        self._note_use(self._store, caller.key)
        return caller

    async def mint(self, caller: Caller) -> Minted:
        """A single-use token that opens a connection for this caller. Raises RateLimited when too many are waiting."""
        now = now_ms()
        token, expires_ms = new_credential(Kind.TOKEN), now + self._limits.token_open_ms
        if self._store is not None:
            kept = KeptToken(token.id, token.digest, caller.key, expires_ms)
            await self._store.add_token(kept, now, pending_max=self._limits.tokens_pending_max)
        return Minted(token.text, expires_ms)

    async def _by_key(self, store: Store, credential: Credential) -> Caller:
        kept = await store.find_key(credential.id)
        # Compared with something in any case: how long it takes says nothing about which ids there are.
        is_known = credential.matches(bytes(32) if kept is None else kept.digest)
        if kept is None or not is_known:
            raise Unauthorized("there is no such key")
        return _caller(kept.key)

    async def _by_token(self, store: Store, credential: Credential) -> Caller:
        id = await store.take_token(credential.id, credential.digest, now_ms())
        kept = None if id is None else await store.find_key(id)
        if kept is None:
            raise Unauthorized("this token was used, has expired, or never was")
        caller = _caller(kept.key)
        # It is there to speak with, and makes no other tokens.
        return msgspec.structs.replace(
            caller,
            scopes=tuple(scope for scope in caller.scopes if scope is not Scope.TOKENS),
            session_ms_max=self._limits.token_session_ms,
        )

    def _note_use(self, store: Store, id: str) -> None:
        now = now_ms()
        if now - self._noted.get(id, 0) < USE_NOTED_MS:
            return
        self._noted[id] = now
        self._noted.move_to_end(id)
        if len(self._noted) > USES_REMEMBERED_MAX:
            self._noted.popitem(last=False)
        store.note_use(id, now)


def judge_key(key: Key, now_ms: int) -> None:
    """Raises Unauthorized when it is good no longer."""
    if key.revoked_ms is not None:
        raise Unauthorized("this key was revoked", reason=KeyTrouble.REVOKED)
    if not key.is_good(now_ms):
        raise Unauthorized("this key has expired", reason=KeyTrouble.EXPIRED)


def _caller(key: Key) -> Caller:
    judge_key(key, now_ms())
    return Caller(key.id, key.account, key.scopes, limits=key.limits)
