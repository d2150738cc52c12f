"""`POST /v1/speech/tokens`: a key's owner gets a token that a browser may open one connection with."""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, MethodNotAllowed
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import headers, new_request_id, send_json
from gateway.fronts.system import send_problem
from gateway.runtime.house import House


class TokenInfo(msgspec.Struct, frozen=True):
    """The answer. The token is good for one request or connection, until `expires_ms` (since 1970); a connection that it
    opened lasts for `session_ms` at most."""

    token: str
    expires_ms: int
    session_ms: int


class TokensOverHttp:
    """Minting as a plain ASGI application. The request has no body; one that comes is not read."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        gate = self._house.gate
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("tokens are made by POST", allowed="POST")
            minted = await gate.mint(await authenticate(self._house, scope, Use.TOKENS))
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        info = TokenInfo(minted.text, minted.expires_ms, self._house.limits.token_session_ms)
        body = msgspec.json.encode(info)
        await send_json(send, 200, body, headers(request_id, "application/json"))
