-- What workers shall clean up: infrastructure of runs that ended without it. A row stays until a worker has said that it is
-- done, or too many have tried.
CREATE TABLE worker_cleanup_message (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    work_pool_id BLOB NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    work_queue_id BLOB,
    created INTEGER NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    delivery_count INTEGER NOT NULL,
    -- Who it was sent to proves itself with the token, until the lease ends.
    token TEXT,
    expires INTEGER,
    -- Why nobody is asked any more, and what the last worker said.
    dead_reason TEXT,
    release_reason TEXT
) WITHOUT ROWID;
CREATE INDEX worker_cleanup_message_next ON worker_cleanup_message (work_pool_id, created, id) WHERE dead_reason IS NULL;
