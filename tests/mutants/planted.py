"""All planted bugs."""

from __future__ import annotations

from tests.mutants import cleanup, compare, segmenter, session, shell

PLANTED = (*session.BUGS, *segmenter.BUGS, *cleanup.BUGS, *shell.BUGS, *compare.BUGS)
