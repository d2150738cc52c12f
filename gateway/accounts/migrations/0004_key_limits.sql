-- What a single key may have; NULL = what the gateway's configuration says, 0 = any number.

ALTER TABLE keys ADD COLUMN requests_per_minute INTEGER CHECK (requests_per_minute >= 0);
ALTER TABLE keys ADD COLUMN chars_per_minute INTEGER CHECK (chars_per_minute >= 0);
ALTER TABLE keys ADD COLUMN contexts_max INTEGER CHECK (contexts_max >= 0);
