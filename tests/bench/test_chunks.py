"""The table of what `chunk_size` is worth, and that it is asked for as it says."""

from __future__ import annotations

import asyncio
import os

import pytest

from gateway.bench import chunks
from gateway.bench.subjects import Gateway
from tests.support.server import running_server


def test_the_table_has_a_line_for_each_size() -> None:
    rows = [
        chunks.Row(size, text, size / 10, 100.0) for size in (20, 500) for text in ("short", "long")
    ]
    assert chunks.table(rows) == (
        "| `chunk_size` | short: first byte | all | long: first byte | all |\n"
        "|---|---|---|---|---|\n"
        "| 20 | 2.0 ms | 100 ms | 2.0 ms | 100 ms |\n"
        "| 500 | 50.0 ms | 100 ms | 50.0 ms | 100 ms |\n"
    )


@pytest.mark.socket
async def test_all_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROUNDS", 1)
    monkeypatch.setattr(chunks, "TEXTS", {"one": "Hello there. How are you?"})
    async with running_server() as server:
        gateway = Gateway("127.0.0.1", server.port, os.getpid())
        rows = await asyncio.to_thread(chunks.measure, gateway)
    assert [row.chunk_size for row in rows] == list(chunks.SIZES)
    assert all(0 < row.first_ms <= row.whole_ms for row in rows)
