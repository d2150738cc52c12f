"""JSON Schemas (2020-12) of structs, with what their types do not say: lengths that the limits set, closed
sets of codes, and what the models have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec

from gateway.core.errors import all_errors
from gateway.core.limits import Limits
from gateway.core.params import Catalog, Controls
from gateway.core.vocabulary import Route

Json = dict[str, object]

WHERE = "#/components/schemas/"


ASKS_ON = {"SpeechBody": Route.HTTP, "ConfigureMessage": Route.WEBSOCKET}
"""What takes speech parameters, and on which route."""


def ref(type_: type) -> Json:
    """A reference to a struct's schema."""
    return {"$ref": WHERE + type_.__name__}


def schemas(types: Iterable[type], limits: Limits, catalog: Catalog) -> Json:
    """The schemas of these structs and of all that is in them, by name."""
    _, found = msgspec.json.schema_components(types, ref_template=WHERE + "{name}")
    components = cast(Json, found)
    for name in ("SpeechBody", "TextMessage"):
        if name in components:
            text = property_of(components, name, "text")
            text.update(minLength=1, maxLength=limits.text_chars_max)
    for name, route in ASKS_ON.items():
        if name in components:
            _narrow(components, name, route, catalog)
    if "ErrorMessage" in components:
        property_of(components, "ErrorMessage", "code")["enum"] = [
            error.code for error in all_errors()
        ]
    return components


def _narrow(components: Json, name: str, route: Route, catalog: Catalog) -> None:
    """Only the models that there are, and what at least one of them can."""
    property_of(components, name, "model")["enum"] = list(catalog.models)
    for control in Controls.__struct_fields__:
        controls = (getattr(model.controls[route], control) for model in catalog.models.values())
        ranges = [range_ for range_ in controls if range_ is not None]
        if ranges:
            property_of(components, name, control).update(
                minimum=min(range_.minimum for range_ in ranges),
                maximum=max(range_.maximum for range_ in ranges),
            )


def property_of(components: Json, name: str, field: str) -> Json:
    """The schema of a struct's field."""
    struct = cast(Json, components[name])
    return cast(Json, cast(Json, struct["properties"])[field])
