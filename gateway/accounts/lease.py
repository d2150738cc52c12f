"""How one process knows whether another one, which it has never met, still lives.

Each holds a lock on a file of its own. The kernel lets go of it when the process ends, however it ends, and never before:
so nobody is taken for dead who is only slow, and nobody for alive who is dead.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path


class Lease:
    """A sign of life beside the database. It is made when it is first needed."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.owner = secrets.token_hex(8)
        self._file: int | None = None

    def hold(self) -> None:
        """From now on others see that this one lives. Again is fine. Raises OSError."""
        if self._file is None:
            self._file = _locked(self._path(self.owner), os.O_CREAT)

    def release(self) -> None:
        """This one has nothing open any more. Again is fine."""
        if self._file is not None:
            self._path(self.owner).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def lives(self, owner: str) -> bool:
        """Whether another one holds its lease; what a dead one left is taken away."""
        try:
            file = _locked(self._path(owner), 0)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        self._path(owner).unlink(missing_ok=True)
        os.close(file)
        return False

    def _path(self, owner: str) -> Path:
        return self._database.with_name(f"{self._database.name}-lease-{owner}")


def _locked(path: Path, flags: int) -> int:
    """An open file with its lock. Raises BlockingIOError when another process has it. It is closed in programs that this
    process starts, so that a child does not hold the lease of its dead parent."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file
