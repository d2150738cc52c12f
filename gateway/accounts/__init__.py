"""Who may speak, and what of it is counted to whom: keys, tokens and the database they live in."""
