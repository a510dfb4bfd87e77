-- Links are nothing but their key: one tree instead of a table and an index that holds all of it once more. Tables of weeks
-- that exist already stay as they are; new ones are made like `event_link_rest`.
CREATE TABLE event_link_keyed (
    resource INTEGER NOT NULL,
    occurred INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    PRIMARY KEY (resource, occurred, event_id)
) WITHOUT ROWID;
INSERT INTO event_link_keyed SELECT resource, occurred, event_id FROM event_link_rest;
DROP TABLE event_link_rest;
-- Otherwise the new name would be looked for in the view, which for this moment names a table that is not there.
PRAGMA legacy_alter_table = ON;
ALTER TABLE event_link_keyed RENAME TO event_link_rest;
PRAGMA legacy_alter_table = OFF;
