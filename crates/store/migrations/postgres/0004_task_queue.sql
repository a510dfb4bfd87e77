-- Background tasks that wait for a task worker. A row stays until a worker has said that it has the run.
CREATE TABLE task_run_queue (
    task_run_id uuid PRIMARY KEY REFERENCES task_run (id) ON DELETE CASCADE,
    workspace_id uuid NOT NULL,
    task_key text NOT NULL,
    queued timestamptz NOT NULL,
    -- What came back, or is tried again, is handed out before all others.
    is_retry boolean NOT NULL,
    -- The connection that it was sent over, and until when it is that one's without a word from it.
    taken_by uuid,
    taken_until timestamptz
);
CREATE INDEX task_run_queue_next ON task_run_queue (workspace_id, task_key, is_retry DESC, queued);
CREATE INDEX task_run_queue_taken ON task_run_queue (taken_by) WHERE taken_by IS NOT NULL;

INSERT INTO task_run_queue (task_run_id, workspace_id, task_key, queued, is_retry)
    SELECT id, workspace_id, task_key, created, false FROM task_run
    WHERE state_type = 'SCHEDULED' AND state #>> '{state_details,deferred}' = 'true';
