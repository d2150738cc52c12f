"""The listener's clock, as far as the gateway can know it: how much of what was handed out has not been played yet.

The model is a player that starts with the first audio, never pauses by itself, and stalls when it runs dry. One number
carries it: the time at which everything handed out so far will have been played.
"""

from __future__ import annotations


class Playback:
    """Lead and pacing of one context; times in seconds of the caller's clock."""

    def __init__(self) -> None:
        self.dry_at: float | None = None
        """When the handed-out audio will have been played; None = nothing was handed out since the last reset."""

    def handed_out(self, seconds: float, now: float) -> None:
        """Note that so much audio went to the player now."""
        self.dry_at = (now if self.dry_at is None else max(self.dry_at, now)) + seconds

    def lead_s(self, now: float) -> float:
        """Seconds of audio handed out and not yet played; never negative."""
        return 0.0 if self.dry_at is None else max(0.0, self.dry_at - now)

    def release_at(self, frame_ms: float, lead_ms: int | None) -> float | None:
        """From when on a frame may go without exceeding `lead_ms`; None = at once."""
        if lead_ms is None or self.dry_at is None:
            return None
        return self.dry_at - max(0.0, lead_ms - frame_ms) / 1_000

    def reset(self) -> None:
        """The player was emptied."""
        self.dry_at = None
