-- Rules for how words are spoken, as JSON: a lexicon is read and written as a whole. Those of each kind are listed and bounded
-- by themselves.

CREATE TABLE lexicons (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL CHECK (account <> ''),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    exact INTEGER NOT NULL CHECK (exact IN (0, 1)),
    rules BLOB NOT NULL,
    rules_count INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX lexicons_by_account ON lexicons (account, kind);
