-- Which letters occur in which stretch of log records, so that a search for words reads few of them. A block covers the
-- records created from `first` to `last`, in microseconds; `last_id` is one of the last moment.
CREATE TABLE log_block (
    part text NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    last_id uuid NOT NULL,
    earliest timestamptz NOT NULL,
    latest timestamptz NOT NULL,
    -- A Bloom filter over runs of three letters.
    letters bytea NOT NULL,
    PRIMARY KEY (part, first)
);
-- Single bits are asked for: compressed values would have to be unpacked for each.
ALTER TABLE log_block ALTER COLUMN letters SET STORAGE EXTERNAL;
