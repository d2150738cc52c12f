-- By which route a request came, and the sums of each day (of 86,400,000 ms since 1970, so in UTC): what somebody had in a
-- year is asked for as often as he likes, and must not mean to add up all his requests. A request is of the day on which
-- it began.

ALTER TABLE requests ADD COLUMN route TEXT NOT NULL DEFAULT '';

CREATE TABLE days (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    day INTEGER NOT NULL,
    route TEXT NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    chars INTEGER NOT NULL,
    millicredits INTEGER NOT NULL,
    PRIMARY KEY (account, key, day, route, model)
) STRICT, WITHOUT ROWID;

INSERT INTO days
SELECT account, key, begun_ms / 86400000, route, model, count(*), sum(chars), sum(posted)
FROM requests GROUP BY account, key, begun_ms / 86400000, route, model;

CREATE TRIGGER requests_count AFTER INSERT ON requests
BEGIN
    INSERT INTO days VALUES (NEW.account, NEW.key, NEW.begun_ms / 86400000, NEW.route, NEW.model, 1, NEW.chars, NEW.posted)
    ON CONFLICT (account, key, day, route, model) DO UPDATE SET
        requests = requests + 1, chars = chars + excluded.chars, millicredits = millicredits + excluded.millicredits;
END;

CREATE TRIGGER requests_add_up AFTER UPDATE OF chars, posted ON requests
BEGIN
    UPDATE days SET chars = chars + NEW.chars - OLD.chars, millicredits = millicredits + NEW.posted - OLD.posted
    WHERE account = NEW.account AND key = NEW.key AND day = NEW.begun_ms / 86400000
        AND route = NEW.route AND model = NEW.model;
END;
