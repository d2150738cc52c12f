"""Errors that are answered before there is anybody else to answer them, in the words of the native protocol."""

from __future__ import annotations

from http import HTTPStatus

from gateway.core.errors import GatewayError
from gateway.dialects.native import encode_http_error
from gateway.fronts.reply import Headers, error_headers, new_request_id


def last_answer(error: GatewayError, more: Headers | tuple[()] = ()) -> bytes:
    """A complete HTTP/1.1 answer, after which the connection closes."""
    problem, request_id = error.problem, new_request_id()
    body = encode_http_error(problem, request_id)
    head = [
        *error_headers(problem, request_id),
        *more,
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}".encode()]
    lines += [name + b": " + value for name, value in head]
    return b"\r\n".join([*lines, b"", body])
