"""A file that is uploaded as a field of a form (RFC 7578): the one named `file`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from gateway.core.errors import InvalidMessage, InvalidValue, MessageTooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "file"
FILE_BYTES_MAX = 1_048_576
"""The vendor's own bound."""
PARTS_MAX = 16
"""Of a form; one is asked for, and clients send few others."""
JSON_TYPES = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
"""What JSON is called by clients, by whom its name decides, and by those that do not know."""


def uploaded(content_type: str, body: bytes) -> bytes:
    """The file in a form. Raises InvalidMessage for what is no form, InvalidValue for one without the file, with two, or with
    one that does not call itself JSON, MessageTooLarge for a larger one."""
    media_type, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise InvalidMessage("not a form with a file", allowed="multipart/form-data")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise InvalidMessage(f"not a form: {error}", allowed="multipart/form-data") from None
    if not form.is_complete:
        raise InvalidMessage("the form has no end", allowed="multipart/form-data")
    if len(form.files) != 1:
        raise InvalidValue(
            f"the form has {len(form.files)} fields of this name", field=FIELD, allowed="one file"
        )
    return bytes(form.files[0])


class _Form:
    """Hears of one form, part by part."""

    def __init__(self) -> None:
        self.files: list[bytearray] = []
        self.is_complete = False
        self._parts = 0
        self._name = bytearray()
        self._value = bytearray()
        self._headers: dict[str, str] = {}
        self._is_file = False

    def callbacks(self) -> MultipartCallbacks:
        """For the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise InvalidMessage("the form has too many fields", allowed=f"at most {PARTS_MAX}")
        self._headers = {}

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition"))
        self._is_file = options.get(b"name") == FIELD.encode()
        if not self._is_file:
            return
        media_type, _ = parse_options_header(self._headers.get("content-type"))
        if media_type.decode("latin-1") not in JSON_TYPES:
            raise InvalidValue(
                f"the file is {media_type.decode('latin-1')}",
                field=FIELD,
                allowed="application/json",
            )
        self.files.append(bytearray())

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._is_file:
            return
        file = self.files[-1]
        if len(file) + end - start > FILE_BYTES_MAX:
            raise MessageTooLarge(
                "the file is too large", allowed=f"at most {FILE_BYTES_MAX} bytes"
            )
        file += data[start:end]

    def _end(self) -> None:
        self.is_complete = True
