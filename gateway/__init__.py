"""Speech Gateway: one session core, two protocols, many voices."""

__version__ = "0.1.0"
