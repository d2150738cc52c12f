"""Where GistMag's requests show a key: as `api_key`, in whatever they have."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from urllib.parse import parse_qsl

import msgspec

from gateway.core.errors import InvalidMessage, InvalidValue
from gateway.dialects.http import HttpRequest
from gateway.dialects.wire import decode_object

FORM_BYTES_MAX = 16_384
"""A form with a key, which has little else."""
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_HEADERS = ("authorization", "x-api-key")


class GistMagKeyBody(msgspec.Struct, frozen=True):
    """What shows a key and nothing else."""

    api_key: str


def is_form(request: HttpRequest) -> bool:
    """Whether its body is a form."""
    return _media_type(request) in _FORMS


def shown_keys(request: HttpRequest) -> list[str] | None:
    """Every key that a request shows; None = it shows none here, so that there may be one where the native protocol has it. A key
    there counts before all others. Raises what `keys_in` raises."""
    if any(name in request.headers for name in _HEADERS):
        return None
    return list(keys_in(request)) or None


def keys_in(request: HttpRequest) -> Iterator[str]:
    """Every key that a request shows as `api_key`: in its query if it has no body to show it in, in JSON, in a form.

    Raises InvalidMessage for a body that is nothing of it, and InvalidValue for a key that is no text."""
    if request.method in {"GET", "HEAD"}:
        if key := request.query.get("api_key"):
            yield key
    elif is_form(request):
        yield from _in_form(request)
    else:
        shown = decode_object(request.body).get("api_key")
        if shown is not None and not isinstance(shown, str):
            raise InvalidValue("this is no key", field="api_key", allowed="a string")
        if shown:
            yield shown


def _media_type(request: HttpRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _in_form(request: HttpRequest) -> Iterator[str]:
    if len(request.body) > FORM_BYTES_MAX:
        raise InvalidMessage("the form is too large", allowed=f"at most {FORM_BYTES_MAX} bytes")
    if _media_type(request) == _FORMS[0]:
        fields = parse_qsl(request.body.decode("utf-8", "replace"))
        yield from (value for name, value in fields if name == "api_key" and value)
        return
    # A form's parts are those of MIME (RFC 7578 §4), which the standard library reads.
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + request.body, policy=policy.HTTP)
    for part in message.iter_parts() if message.is_multipart() else ():
        value = part.get_payload(decode=True)
        if part.get_param("name", header="content-disposition") == "api_key" and value:
            assert isinstance(value, bytes)
            yield value.decode("utf-8", "replace").strip()
