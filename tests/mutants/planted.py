"""All planted bugs."""

from __future__ import annotations

from tests.mutants import (
    accounts,
    asked_again,
    chaos,
    cleanup,
    compare,
    forms,
    guard,
    lexicon,
    load,
    operations,
    results,
    sarvam,
    sarvam_http,
    segmenter,
    session,
    shell,
    yourvoic,
)

PLANTED = (
    *session.BUGS,
    *segmenter.BUGS,
    *cleanup.BUGS,
    *shell.BUGS,
    *forms.BUGS,
    *guard.BUGS,
    *lexicon.BUGS,
    *compare.BUGS,
    *results.BUGS,
    *load.BUGS,
    *operations.BUGS,
    *chaos.BUGS,
    *accounts.BUGS,
    *asked_again.BUGS,
    *yourvoic.BUGS,
    *sarvam.BUGS,
    *sarvam_http.BUGS,
)
