"""JSON and MessagePack off the wire, with errors that name the field at fault, and with the names of fields that nobody knows.

msgspec decodes; the standard library is asked again where msgspec refuses, because a JavaScript client that cuts an
emoji in two escapes a lone surrogate, which msgspec calls truncated input and the JSON grammar (RFC 8259 §8.2) allows.
Only `text` keeps it, because the next message may bring the other half; elsewhere it becomes U+FFFD, so that whatever
is echoed can be encoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Never, TypeVar, get_args

import msgspec

from gateway.core.errors import InvalidMessage, InvalidValue, TextMissing

T = TypeVar("T", bound=msgspec.Struct)
_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAP = msgspec.msgpack.Decoder(dict[str, object])
_FLOAT_FOR_INTEGER = re.compile(r"Expected `int( \| null)?`, got `float`")
INTEGER_MAX = 2**53
"""Up to here a float is one integer only (RFC 7493 §2.2)."""
VALUES_DEEP_MAX = 4
"""A number in a list in a struct in a message lies no deeper."""
UNKNOWN_FIELDS_NAMED_MAX = 8
"""Unknown fields of one message that are named; who sends more learns of the rest when these are gone."""
UNKNOWN_FIELD_CHARS_MAX = 64
"""Characters of such a name that are repeated."""


def decode_object(data: str | bytes) -> dict[str, object]:
    """The JSON object in `data`. Raises InvalidMessage for anything else, bad UTF-8 included."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError):
        try:
            value = json.loads(  # noqa: TID251  # the only reader of lone surrogates
                data if isinstance(data, str) else data.decode(),
                object_pairs_hook=_without_surrogates,
                parse_constant=_no_number,
            )
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(f"not JSON: {error}", allowed="one JSON object") from None
    except RecursionError:
        raise InvalidMessage("JSON is nested too deeply", allowed="one JSON object") from None
    if not isinstance(value, dict):
        raise InvalidMessage("not a JSON object", allowed="one JSON object")
    return value


def decode_map(data: bytes) -> dict[str, object]:
    """The map with text keys that is the one value in these bytes of MessagePack. Raises InvalidMessage."""
    try:
        return _MAP.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        reason = f"not MessagePack, or not a map: {error}"
    except RecursionError:
        reason = "MessagePack is nested too deeply"
    raise InvalidMessage(reason, allowed="one map with text keys, in UTF-8")


def _without_surrogates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {
        _LONE_SURROGATE.sub("\ufffd", name): _LONE_SURROGATE.sub("\ufffd", value)
        if isinstance(value, str) and name != "text"
        else value
        for name, value in pairs
    }


def _no_number(name: str) -> Never:
    """The standard library would take NaN and the infinities, which JSON has not (RFC 8259 §6)."""
    raise ValueError(f"{name} is no number")


def convert(value: dict[str, object], type_: type[T]) -> T:
    """`value` as a struct; unknown fields are ignored. Raises InvalidValue (TextMissing for `text`) with the path."""
    try:
        return _convert(value, type_)
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


def _convert(value: dict[str, object], type_: type[T]) -> T:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        # Only a message that failed pays for this; 236.0 is an integer to JSON Schema (2020-12 core, §4.2.3), to the
        # languages that write it, and so to us.
        if not _FLOAT_FOR_INTEGER.match(str(error)):
            raise
    return msgspec.convert(_with_integers(value, VALUES_DEEP_MAX), type_)


def _with_integers(value: object, deep: int) -> object:
    """The same, with floats that are integers as integers, as deep as messages go."""
    match value:
        case float() if value.is_integer() and abs(value) <= INTEGER_MAX:
            return int(value)
        case dict() if deep:
            return {name: _with_integers(inner, deep - 1) for name, inner in value.items()}
        case list() if deep:
            return [_with_integers(inner, deep - 1) for inner in value]
        case _:
            return value


def unknown_fields(value: dict[str, object], type_: type[msgspec.Struct]) -> tuple[str, ...]:
    """Paths of the fields of `value` that the struct and those inside it do not have, as many as are named."""
    unknown = islice(_unknown_fields(value, type_), UNKNOWN_FIELDS_NAMED_MAX)
    return tuple(path[:UNKNOWN_FIELD_CHARS_MAX] for path in unknown)


def _unknown_fields(value: dict[str, object], type_: type[msgspec.Struct]) -> Iterator[str]:
    fields = _fields(type_)
    for name, inner in value.items():
        if name not in fields:
            yield name
        elif isinstance(inner, dict) and (nested := _struct_in(fields[name])) is not None:
            yield from (f"{name}.{path}" for path in _unknown_fields(inner, nested))


@cache
def _fields(type_: type[msgspec.Struct]) -> dict[str, object]:
    """The types of a struct's fields by their names on the wire. Finding them out takes longer than decoding does."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(type_)}


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
        fields = _fields(here) if here else {}
        if name not in fields:
            return None
        here = _struct_in(fields[name])
        for member in _members(fields[name]):
            values = getattr(member, "__members__", None)
            if values:
                return ", ".join(str(value) for value in values.values())
    return None
