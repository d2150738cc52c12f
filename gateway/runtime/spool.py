"""Where the audio of a whole file is kept until all of it is there: in memory as long as it is short, else in a temporary file.

The file has no name, so it is gone with whoever has it open, however that ends. It lies where the system has its temporary
files (`TMPDIR`); where these are in memory, so is it. Disks are read and written in threads.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import IO, Any, TypeVar

from gateway.core.errors import Overloaded, TextTooLong
from gateway.core.limits import Limits

T = TypeVar("T")

MEMORY_BYTES_MAX = 1_048_576
"""Audio of one request that is kept in memory."""
BLOCK_BYTES = 65_536
"""What is read in one go."""
RETRY_AFTER_MS = 5_000

log = logging.getLogger("gateway.spool")


class SpoolRoom:
    """How much all spools together may have on disk. All on the event loop."""

    def __init__(self, limits: Limits) -> None:
        self.bytes_max = limits.spool_bytes_max
        self._left = limits.spools_bytes_max

    def new(self) -> Spool:
        """A spool, to be closed."""
        return Spool(self)

    def take(self, size: int) -> None:
        """Raises Overloaded when there is not so much left."""
        if size > self._left:
            raise Overloaded(
                "too much audio is being gathered into files", retry_after_ms=RETRY_AFTER_MS
            )
        self._left -= size

    def give_back(self, size: int) -> None:
        """It is free again."""
        self._left += size


class Spool:
    """Bytes that are written once, and then read as often as needed. One call at a time; `close` at any time."""

    def __init__(self, room: SpoolRoom) -> None:
        self.size = 0
        """Bytes that were appended."""
        self._room = room
        self._parts: list[bytes] = []
        """All of it, or, once there is a file, what was not written yet."""
        self._in_memory = 0
        """Bytes of these."""
        self._file: IO[bytes] | None = None
        self._taken = 0
        """Of the room."""
        self._busy: asyncio.Future[Any] | None = None
        self._is_closed = False

    async def append(self, data: bytes) -> None:
        """Keep this, too. Raises TextTooLong when it becomes more than one file may have, and Overloaded when there is no
        room for it."""
        if self.size + len(data) > self._room.bytes_max:
            raise TextTooLong(
                "this speech is too long for a file",
                field="text",
                allowed=f"text that makes at most {self._room.bytes_max} bytes of audio",
            )
        self.size += len(data)
        self._parts.append(data)
        self._in_memory += len(data)
        if self._in_memory > MEMORY_BYTES_MAX:
            await self._write()

    async def blocks(self, size: int = BLOCK_BYTES) -> AsyncIterator[bytes]:
        """All of it, in blocks of `size` bytes, the last one being what is left. Raises Overloaded."""
        if self._file is None:
            whole = b"".join(self._parts)
            for start in range(0, len(whole), size):
                yield whole[start : start + size]
            return
        await self._write()
        file = self._file
        await self._in_thread(lambda: file.seek(0))
        while block := await self._in_thread(lambda: file.read(size)):
            yield block

    def close(self) -> None:
        """Forget all of it. Twice is fine."""
        if self._is_closed:
            return
        self._is_closed = True
        self._parts.clear()
        self._room.give_back(self._taken)
        if self._busy is not None and not self._busy.done():
            # A thread has the file in hand; it is not to find another one in its place.
            self._busy.add_done_callback(lambda _: self._close_file())
        else:
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    async def _write(self) -> None:
        """What is in memory goes to the file."""
        parts, size = self._parts, self._in_memory
        self._parts, self._in_memory = [], 0
        self._room.take(size)
        self._taken += size

        def write() -> None:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - until it is closed
            self._file.writelines(parts)
            # What a buffer holds would be written at closing, on the loop.
            self._file.flush()

        await self._in_thread(write)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        busy = asyncio.get_running_loop().run_in_executor(None, work)
        self._busy = busy
        try:
            # Whoever waits may be cancelled; a thread cannot be.
            return await asyncio.shield(busy)
        except OSError as error:
            log.warning("spool_failed", extra={"error": type(error).__name__, "errno": error.errno})
            raise Overloaded(
                "there is no room to gather the audio", retry_after_ms=RETRY_AFTER_MS
            ) from None
