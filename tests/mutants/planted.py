"""All planted bugs."""

from __future__ import annotations

from tests.mutants import cleanup, compare, load, results, segmenter, session, shell

PLANTED = (
    *session.BUGS,
    *segmenter.BUGS,
    *cleanup.BUGS,
    *shell.BUGS,
    *compare.BUGS,
    *results.BUGS,
    *load.BUGS,
)
