-- What accounts were granted and what their requests cost, in thousandths of a credit. Entries are only ever added; the
-- other tables hold their sums, so that nothing has to be added up to know whether there is enough.

CREATE TABLE balances (
    account TEXT PRIMARY KEY CHECK (account <> ''),
    granted INTEGER NOT NULL CHECK (granted >= 0),
    posted INTEGER NOT NULL CHECK (posted >= 0),
    pending INTEGER NOT NULL CHECK (pending >= 0),
    CHECK (posted + pending <= granted)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    model TEXT NOT NULL,
    owner TEXT NOT NULL,
    begun_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    chars INTEGER NOT NULL CHECK (chars >= 0),
    posted INTEGER NOT NULL CHECK (posted >= 0),
    pending INTEGER NOT NULL CHECK (pending >= 0),
    CHECK (ended_ms IS NULL OR pending = 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_open ON requests (owner) WHERE ended_ms IS NULL;
CREATE INDEX requests_by_time ON requests (begun_ms);

CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL REFERENCES balances (account),
    kind TEXT NOT NULL CHECK (kind IN ('grant', 'reserve', 'post', 'void')),
    millicredits INTEGER NOT NULL CHECK (millicredits > 0),
    request TEXT REFERENCES requests (id),
    at_ms INTEGER NOT NULL,
    note TEXT NOT NULL,
    CHECK ((kind = 'grant') = (request IS NULL))
) STRICT;

CREATE TRIGGER entries_do_not_change BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are only added');
END;

CREATE TRIGGER entries_do_not_go BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are only added');
END;
