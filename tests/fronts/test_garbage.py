"""When the server looks for garbage: where it can be, while nobody speaks."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest
import uvicorn

from gateway.config import Config
from gateway.server import (
    YOUNG_COLLECTIONS,
    YOUNG_COLLECTIONS_MAX,
    YOUNG_COLLECTIONS_MIN,
    Server,
    build_server,
)
from tests.limits.borders import border


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each full collection."""
    found: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: found.append("all"))
    return found


def server_with(contexts: int | None) -> Server:
    """A server where so many speak; None = it has not opened yet."""
    server = build_server(Config())
    house = (
        None if contexts is None else SimpleNamespace(admission=SimpleNamespace(contexts=contexts))
    )
    vars(server)["_gateway"] = SimpleNamespace(house=house)
    return server


@border("server.YOUNG_COLLECTIONS_MIN")
def test_not_before_it_is_worth_it(
    more: int, collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, YOUNG_COLLECTIONS_MIN + more))
    server_with(0)._collect_when_quiet()
    assert len(collected) == (more >= 0)


@pytest.mark.parametrize("contexts", [None, 1])
def test_not_while_anybody_speaks(
    contexts: int | None, collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 10_000))
    server_with(contexts)._collect_when_quiet()
    assert collected == []


async def test_nor_often_where_somebody_always_speaks(
    collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own rule does the rest."""
    told: list[tuple[int, ...]] = []

    async def nothing(server: uvicorn.Server) -> None:
        assert told

    monkeypatch.setattr(gc, "freeze", lambda: collected.append("frozen"))
    monkeypatch.setattr(gc, "set_threshold", lambda *counts: told.append(counts))
    monkeypatch.setattr(uvicorn.Server, "main_loop", nothing)
    await server_with(None).main_loop()
    assert collected == ["all", "frozen"]
    assert told == [(gc.get_threshold()[0], YOUNG_COLLECTIONS, YOUNG_COLLECTIONS_MAX)]
