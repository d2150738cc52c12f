"""How many files the server may need, and asking the system for them.

Most systems let a process have 1,024 unless it asks for more, and allow it far more when it does.
"""

from __future__ import annotations

import resource
import sys

from gateway.core.limits import Limits

FILES_BESIDE = 64
"""Standard streams, the loop's own, libraries and voices."""
FILES_PER_WORKER = 4
"""A socket and a process each, of the one that works and of the one that waits."""


def files_needed(limits: Limits, workers: int, *, sockets: int | None = None) -> int:
    """Descriptors for all connections that may be open (or so many), all workers, and the rest."""
    return (limits.sockets_max if sockets is None else sockets) + (
        FILES_PER_WORKER * workers + FILES_BESIDE
    )


def files_allowed() -> int:
    """Descriptors that this process could have at most."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def allow_files(needed: int) -> int:
    """Ask for so many descriptors, or as many as the system allows; gives how many there may be now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(needed, files_allowed())
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
