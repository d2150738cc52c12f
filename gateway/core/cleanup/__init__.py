"""What an LLM writes for the eye becomes what can be said, while it is still arriving, with a map back to the source."""

from gateway.core.cleanup.cleaner import HELD_CHARS_MAX, Cleaner

__all__ = ["HELD_CHARS_MAX", "Cleaner"]
