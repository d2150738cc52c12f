"""JSON off the wire, with errors that name the field at fault, and with the names of fields that nobody knows.

msgspec decodes; the standard library is asked again where msgspec refuses, because a JavaScript client that cuts an
emoji in two escapes a lone surrogate, which msgspec calls truncated input and the JSON grammar (RFC 8259 §8.2) allows.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar, get_args

import msgspec

from gateway.core.errors import InvalidMessage, InvalidValue, TextMissing

T = TypeVar("T", bound=msgspec.Struct)
_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")


def decode_object(data: str | bytes) -> dict[str, object]:
    """The JSON object in `data`. Raises InvalidMessage for anything else, bad UTF-8 included."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            value = json.loads(data)  # noqa: TID251  # the only reader of lone surrogates
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(f"not JSON: {error}", allowed="one JSON object") from None
    except RecursionError:
        raise InvalidMessage("JSON is nested too deeply", allowed="one JSON object") from None
    if not isinstance(value, dict):
        raise InvalidMessage("not a JSON object", allowed="one JSON object")
    return value


def convert(value: dict[str, object], type_: type[T]) -> T:
    """`value` as a struct; unknown fields are ignored. Raises InvalidValue (TextMissing for `text`) with the path."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        message = str(error)
    at = _PATH.search(message)
    path = at["path"] if at else ""
    reason = message[: at.start()] if at else message
    missing = _MISSING.search(reason)
    if missing:
        path = f"{path}.{missing['name']}".lstrip(".")
    if path == "text" and missing:
        raise TextMissing("text is missing", field="text", allowed="a string")
    raise InvalidValue(reason, field=path or None, allowed=_allowed(type_, path))


def unknown_fields(value: dict[str, object], type_: type[msgspec.Struct]) -> tuple[str, ...]:
    """Paths of the fields of `value` that the struct and those inside it do not have."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(type_)}
    unknown: list[str] = []
    for name, inner in value.items():
        if name not in fields:
            unknown.append(name)
        elif isinstance(inner, dict) and (nested := _struct_in(fields[name])) is not None:
            unknown.extend(f"{name}.{path}" for path in unknown_fields(inner, nested))
    return tuple(unknown)


def _members(annotation: object) -> list[object]:
    """The members of a union, or the one type there is; annotations are kept out of sight."""
    return list(get_args(annotation) or [annotation])


def _struct_in(annotation: object) -> type[msgspec.Struct] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, msgspec.Struct):
            return member
    return None


def _allowed(type_: type[msgspec.Struct], path: str) -> str | None:
    """The values of the enumeration at `path`, in words; None where there is none."""
    here: type[msgspec.Struct] | None = type_
    for name in path.split("."):
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(here)} if here else {}
        if name not in fields:
            return None
        here = _struct_in(fields[name])
        for member in _members(fields[name]):
            values = getattr(member, "__members__", None)
            if values:
                return ", ".join(str(value) for value in values.values())
    return None
