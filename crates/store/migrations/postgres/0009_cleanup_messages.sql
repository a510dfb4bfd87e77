-- What workers shall clean up: infrastructure of runs that ended without it. A row stays until a worker has said that it is
-- done, or too many have tried.
CREATE TABLE worker_cleanup_message (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    work_pool_id uuid NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    work_queue_id uuid,
    created timestamptz NOT NULL,
    kind text NOT NULL,
    target json NOT NULL,
    delivery_count bigint NOT NULL,
    -- Who it was sent to proves itself with the token, until the lease ends.
    token text,
    expires timestamptz,
    -- Why nobody is asked any more, and what the last worker said.
    dead_reason text,
    release_reason text
);
CREATE INDEX worker_cleanup_message_next ON worker_cleanup_message (work_pool_id, created, id) WHERE dead_reason IS NULL;
