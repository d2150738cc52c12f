"""The routes of YourVoic's protocol."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.dialects.yourvoic.errors import YourVoicErrorBody, YourVoicWords
from gateway.fronts.described.operation import JSON, SECURITY, Dialect, Operation
from gateway.fronts.vendor import Asked, Front, VendorJson, every_base, vendor_routes
from gateway.runtime.house import House

NAME = "yourvoic"
WORDS = YourVoicWords()


class YourVoicHealth(msgspec.Struct, frozen=True):
    """The answer of `GET /health`."""

    status: Literal["ok"]


OPERATIONS = (
    Operation(
        *("get", "/health", "yourvoic_health", "Say that the process lives."),
        gives={JSON: YourVoicHealth},
    ),
)


def yourvoic(house: House, *, refuses: bool) -> Front:
    """All routes. With `refuses`, a control that a model has not is an error."""
    dialect = Dialect(
        *(NAME, OPERATIONS, YourVoicErrorBody, WORDS),
        bases=every_base(NAME, "", "/api"),
        security={"header": SECURITY["header"]},
    )
    apps = {"/health": VendorJson(house, WORDS, _alive, for_everybody=True)}
    return Front(vendor_routes(dialect, apps, own=("/api", "/v1/tts", "/v1/user")), dialect)


async def _alive(asked: Asked) -> YourVoicHealth:
    return YourVoicHealth("ok")
