"""`GET /v1/speech/requests/{id}`: what a request or a session did, for whose it was."""

from __future__ import annotations

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.accounts.model import Scope as Use
from gateway.core.errors import GatewayError, MethodNotAllowed
from gateway.fronts.authentication import authenticate
from gateway.fronts.reply import headers, new_request_id, send_json
from gateway.fronts.system import send_problem
from gateway.runtime.house import House


class ReceiptsOverHttp:
    """Receipts as a plain ASGI application."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = new_request_id()
        try:
            if scope["method"] not in {"GET", "HEAD"}:
                raise MethodNotAllowed("receipts are read by GET", allowed="GET, HEAD")
            caller = await authenticate(self._house, scope, Use.SPEECH)
            found = self._house.receipts.find(scope["path_params"]["id"], caller.key)
        except GatewayError as error:
            await send_problem(send, error.problem, request_id)
            return
        body = msgspec.json.encode(found)
        await send_json(send, 200, body, headers(request_id, "application/json"))
