"""docs/configuration.md and config/gateway.toml have every key, with the type, range and default of the code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import msgspec
import pytest

from gateway.config import FULL, Config, ControlsConfig, ModelConfig, load_config
from tests.support.checkout import ROOT
from tests.support.documents import Row, in_words, named, table

DOCUMENT = ROOT / "docs" / "configuration.md"
FILE = ROOT / "config" / "gateway.toml"


def keys(section: msgspec.Struct, path: str = "") -> Iterator[Row]:
    """The rows that a section must have; `models` is described by itself."""
    for field in msgspec.structs.fields(section):
        key, value = f"{path}{field.name}", getattr(section, field.name)
        if isinstance(value, msgspec.Struct):
            yield from keys(value, f"{key}.")
        elif key != "models":
            yield {
                "key": f"`{key}`",
                "variable": f"`GATEWAY_{key.upper().replace('.', '__')}`",
                "type": in_words(field.type),
                "default": f"`{msgspec.json.encode(value).decode()}`",
            }


def written(heading: str) -> list[Row]:
    return table(DOCUMENT, heading)


def test_every_key_is_described_as_it_is() -> None:
    described = {
        row["key"]: row
        for heading in (
            "server",
            "limits",
            "accounts",
            "tracing",
            "audio and engines",
            "dialects",
            "models",
        )
        for row in written(heading)
    }
    expected = {row["key"]: row for row in keys(Config())}
    assert described.keys() - expected.keys() == {"`models`"}
    for key, row in expected.items():
        assert row.items() <= described[key].items()
        assert described[key]["what it does"].endswith(".")


def test_every_key_of_a_model_is_described_as_it_is() -> None:
    rows = {row["key"]: row for row in written("models: each")}
    assert [named(row) for row in rows.values()] == list(ModelConfig.__struct_fields__)
    for field in msgspec.structs.fields(ModelConfig):
        row = rows[f"`{field.name}`"]
        assert row["type"] == in_words(field.type)
        if field.required:
            assert row["default"] == "required"
        elif isinstance(field.default, ControlsConfig):
            assert field.default == FULL
        else:
            default = msgspec.json.decode(row["default"].strip("`"), type=field.type)
            assert default == field.default


def test_every_control_is_described_as_it_is() -> None:
    rows = {named(row): row for row in written("models: controls")}
    assert list(rows) == list(ControlsConfig.__struct_fields__)
    for field in msgspec.structs.fields(ControlsConfig):
        row = rows[field.name]
        assert f"{row['type']} or null" == in_words(field.type)
        default = msgspec.json.decode(row["default"].strip("`"), type=tuple[float, float])
        assert default == getattr(FULL, field.name)


def test_the_file_is_the_defaults() -> None:
    assert load_config({}, FILE) == Config()


@pytest.mark.parametrize("row", list(keys(Config())), ids=lambda row: row["key"].strip("`"))
def test_the_file_has_every_key(row: Row) -> None:
    section: object = tomllib.loads(FILE.read_text(encoding="utf-8"))
    for part in named(row).split("."):
        assert isinstance(section, dict)
        assert part in section
        section = section[part]


def test_the_file_has_every_key_of_a_model() -> None:
    models = tomllib.loads(FILE.read_text(encoding="utf-8"))["models"]
    for model in models.values():
        assert set(model) == set(ModelConfig.__struct_fields__)
        assert (
            set(model["http"]) == set(model["websocket"]) == set(ControlsConfig.__struct_fields__)
        )
