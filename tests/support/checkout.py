"""The checkout as files, for tests about the repository itself. Needs no git: a bare machine may have none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def project_files() -> Iterator[Path]:
    """Every file below the root that .gitignore does not name, in no particular order."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    ignored.append(".git")

    def is_kept(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in ignored)

    for folder, folders, files in os.walk(ROOT):
        folders[:] = filter(is_kept, folders)
        yield from (Path(folder, name) for name in filter(is_kept, files))
