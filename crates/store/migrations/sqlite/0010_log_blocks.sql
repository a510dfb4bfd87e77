-- Which letters occur in which stretch of log records, so that a search for words reads few of them. A block covers the
-- rows from `first` to `last` of a table of `log`; `last_id` is the record of the last row, to know it by.
CREATE TABLE log_block (
    part TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    last_id BLOB NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL,
    -- A Bloom filter over runs of three letters.
    letters BLOB NOT NULL,
    PRIMARY KEY (part, first)
);
