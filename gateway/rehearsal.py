"""How a text would be cut if it came at the pace of an LLM: text, clock and listener are all made up, the cuts are real."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.core.intake import Cut, Intake
from gateway.core.params import TextSettings
from gateway.core.playback import Playback
from gateway.core.session import SPOKEN_CHARS_PER_S
from gateway.core.vocabulary import CutReason

TOKEN = re.compile(r"\s*\S{1,4}|\s+")
"""Roughly what an LLM sends at once: up to four characters with the blank before them."""


def rehearse(
    text: str, settings: TextSettings, tokens_per_s: float
) -> Iterator[tuple[float, int, Cut]]:
    """Each cut with the time in seconds at which it leaves and the number of characters that had come by then.

    The listener begins with the first cut and hears `SPOKEN_CHARS_PER_S`; making speech takes no time.
    """
    intake = Intake(settings)
    playback = Playback()
    came = 0

    def leave(cuts: list[Cut], now: float) -> Iterator[tuple[float, int, Cut]]:
        for cut in cuts:
            playback.handed_out(len(cut.text) / SPOKEN_CHARS_PER_S, now)
            yield now, came, cut

    now = 0.0
    for number, token in enumerate(TOKEN.findall(text)):
        token_at = number / tokens_per_s
        while (due := intake.deadline(playback.dry_at)) is not None and due < token_at:
            now = max(now, due)
            yield from leave(intake.tick(now, playback.dry_at), now)
        now = token_at
        came += len(token)
        yield from leave(intake.push(token, now), now)
    yield from leave(intake.flush(CutReason.END, now), now)
