"""The thin async shell round the core: it carries bytes and time, and decides nothing that the core can decide."""
