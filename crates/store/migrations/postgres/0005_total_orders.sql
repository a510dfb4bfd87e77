-- Lists have one order for rows of the same key: by id. Their indexes end with it, so that a page is still read from the
-- index alone, however many rows share a key (all that have not ended, all of one name).
DROP INDEX flow_run_expected_start;
CREATE INDEX flow_run_expected_start ON flow_run (workspace_id, expected_start_time, id);
DROP INDEX flow_run_start;
CREATE INDEX flow_run_start ON flow_run (workspace_id, coalesce(start_time, expected_start_time), id);
DROP INDEX flow_run_end;
CREATE INDEX flow_run_end ON flow_run (workspace_id, end_time, id);
DROP INDEX flow_run_name;
CREATE INDEX flow_run_name ON flow_run (workspace_id, name, id);
DROP INDEX task_run_expected_start;
CREATE INDEX task_run_expected_start ON task_run (workspace_id, expected_start_time, id);
DROP INDEX task_run_end;
CREATE INDEX task_run_end ON task_run (workspace_id, end_time, id);
DROP INDEX task_run_name;
CREATE INDEX task_run_name ON task_run (workspace_id, name, id);
