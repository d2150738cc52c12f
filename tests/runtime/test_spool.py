"""Where whole files are gathered: nothing is lost or mixed up, nothing grows beyond its bound, and nothing is left."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import threading
from pathlib import Path

import pytest

from gateway.core.errors import Overloaded, TextTooLong
from gateway.core.limits import Limits
from gateway.runtime.spool import BLOCK_BYTES, MEMORY_BYTES_MAX, Spool, SpoolRoom
from tests.limits.borders import border, under_way
from tests.support.leaks import until

pytestmark = pytest.mark.asyncio


def room(**limits: int) -> SpoolRoom:
    return SpoolRoom(Limits(**limits))


def files() -> int:
    """Temporary files that this process has open: they have no name any more."""
    links = []
    for fd in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(fd))
        except FileNotFoundError:
            continue
    return sum(link.startswith(tempfile.gettempdir()) and "(deleted)" in link for link in links)


async def read(spool: Spool, size: int = BLOCK_BYTES) -> list[bytes]:
    return [block async for block in spool.blocks(size)]


@pytest.mark.parametrize("size", [0, 1, MEMORY_BYTES_MAX, 3 * MEMORY_BYTES_MAX + 7])
async def test_what_went_in_comes_out_as_often_as_it_is_asked_for(size: int) -> None:
    data = os.urandom(size)
    spool = room().new()
    for start in range(0, size, 100_000):
        await spool.append(data[start : start + 100_000])
    assert spool.size == size
    for block_bytes in (BLOCK_BYTES, 999_999):
        blocks = await read(spool, block_bytes)
        assert b"".join(blocks) == data
        assert all(len(block) == block_bytes for block in blocks[:-1])
    spool.close()


@border("runtime.spool.MEMORY_BYTES_MAX")
async def test_what_is_short_needs_no_file(more: int) -> None:
    before, spool = files(), room().new()
    await spool.append(bytes(MEMORY_BYTES_MAX + more))
    assert files() - before == (1 if more > 0 else 0)
    spool.close()
    assert files() == before


@border("spool_bytes_max")
async def test_a_file_has_its_bound(more: int) -> None:
    spool = room(spool_bytes_max=2_000).new()
    await spool.append(bytes(1_000))
    if more > 0:
        with pytest.raises(TextTooLong, match="too long"):
            await spool.append(bytes(1_000 + more))
        assert spool.size == 1_000
    else:
        await spool.append(bytes(1_000 + more))
    spool.close()


@border("spools_bytes_max")
async def test_all_together_have_theirs_and_what_is_closed_is_free_again(more: int) -> None:
    each = 2 * MEMORY_BYTES_MAX
    shared = room(spools_bytes_max=2 * each)
    first, second, third = shared.new(), shared.new(), shared.new()
    await first.append(bytes(each))
    if more > 0:
        with pytest.raises(Overloaded):
            await second.append(bytes(each + more))
    else:
        await second.append(bytes(each + more))
    first.close()
    first.close()
    await third.append(bytes(each))
    second.close()
    third.close()
    fourth = shared.new()
    await fourth.append(bytes(2 * each))
    fourth.close()


async def test_a_full_disk_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = room().new()
    with pytest.raises(Overloaded, match="no room"):
        await spool.append(bytes(2 * MEMORY_BYTES_MAX))
    spool.close()


async def test_a_file_that_a_thread_has_in_hand_is_closed_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number would be another file's, in which the thread would then write."""
    may_go_on, real = threading.Event(), tempfile.TemporaryFile

    def slow() -> object:
        may_go_on.wait(10)
        return real()

    monkeypatch.setattr(tempfile, "TemporaryFile", slow)
    before, shared = files(), room(spools_bytes_max=2 * MEMORY_BYTES_MAX)
    spool = shared.new()
    async with under_way(spool.append(bytes(2 * MEMORY_BYTES_MAX))) as writing:
        await asyncio.sleep(0)
        writing.cancel()
    spool.close()
    may_go_on.set()
    again = shared.new()
    await again.append(bytes(2 * MEMORY_BYTES_MAX))
    again.close()
    await until(lambda: files() == before)
