"""The handshake of `GET /v1/speech`: which subprotocol is spoken, and in which form audio comes."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.errors import InvalidValue, Problem
from gateway.core.limits import Limits
from gateway.core.params import Catalog
from gateway.dialects.handshake import Agreement
from gateway.dialects.http import HttpRequest, Refusal
from gateway.dialects.native import AudioForm, NativeConversation, Subprotocol, encode_http_error


class NativeHandshake:
    """Negotiates by the list of subprotocols and the parameter `audio`."""

    name = "native"

    def credentials(self, request: HttpRequest, offered: Sequence[str]) -> None:
        """Where they always are."""

    def agree(
        self, request: HttpRequest, offered: Sequence[str], catalog: Catalog, limits: Limits
    ) -> Agreement:
        """Raises InvalidValue or Unsupported."""
        subprotocol = _choose_subprotocol(offered)
        form = _audio_form(request.query.get("audio"))
        return Agreement(NativeConversation(form, subprotocol or Subprotocol.JSON), subprotocol)

    def refuse(self, problem: Problem, request_id: str, at_s: float) -> Refusal:
        """The error as JSON."""
        body = encode_http_error(problem, request_id)
        return Refusal(problem.status, body, [("content-type", "application/json")])


def _choose_subprotocol(offered: Sequence[str]) -> Subprotocol | None:
    """The first offered one that is spoken here, as a client offers what it likes best first (RFC 6455 §4.1); None when
    nothing was offered. Raises InvalidValue when only others were.

    A client that offered only others would fail by itself on an answer without one, and say less.
    """
    if not offered:
        return None
    for name in offered:
        if name in set(Subprotocol):
            return Subprotocol(name)
    raise InvalidValue(
        "none of the offered subprotocols is spoken here",
        field="Sec-WebSocket-Protocol",
        allowed=", ".join(Subprotocol),
    )


def _audio_form(name: str | None) -> AudioForm:
    """The form named by the handshake's `audio` parameter. Raises InvalidValue."""
    if name is None:
        return AudioForm.BINARY
    try:
        return AudioForm(name)
    except ValueError:
        raise InvalidValue(
            f"there is no audio form {name!r}", field="audio", allowed=", ".join(AudioForm)
        ) from None
