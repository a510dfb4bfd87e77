-- Counts the changes of automations, apart from how far they were evaluated: whoever changes one does not wait for the
-- evaluation of others.
CREATE TABLE automation_revision (
    workspace_id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO automation_revision (workspace_id, revision) SELECT workspace_id, revision FROM trigger_progress;
ALTER TABLE trigger_progress DROP COLUMN revision;
