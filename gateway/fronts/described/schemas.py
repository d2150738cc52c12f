"""JSON Schemas (2020-12) of structs, with what their types do not say: lengths that the limits set, and closed sets of codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from gateway.core.errors import all_errors
from gateway.core.limits import Limits

Json = dict[str, object]

WHERE = "#/components/schemas/"


def ref(type_: type) -> Json:
    """A reference to a struct's schema."""
    return {"$ref": WHERE + type_.__name__}


def schemas(types: Iterable[type], limits: Limits) -> Json:
    """The schemas of these structs and of all that is in them, by name."""
    _, found = msgspec.json.schema_components(types, ref_template=WHERE + "{name}")
    components = cast(Json, found)
    for name in ("SpeechBody", "TextMessage"):
        if name in components:
            text = _property(components, name, "text")
            text.update(minLength=1, maxLength=limits.text_chars_max)
    if "ErrorMessage" in components:
        _property(components, "ErrorMessage", "code")["enum"] = [
            error.code for error in all_errors()
        ]
    return components


def _property(components: Json, name: str, field: str) -> Json:
    struct = cast(Json, components[name])
    return cast(Json, cast(Json, struct["properties"])[field])
