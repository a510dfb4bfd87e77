-- Never used: it could not hold a position of the outbox.
DROP TABLE service_lease;

-- Events before this position of the outbox do not count: the automation was not there yet, or not switched on.
ALTER TABLE automation ADD COLUMN active_transaction INTEGER NOT NULL DEFAULT 0;
ALTER TABLE automation ADD COLUMN active_sequence INTEGER NOT NULL DEFAULT 0;

-- The deployments that automations run whatever the event says.
CREATE TABLE automation_deployment (
    automation_id BLOB NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    deployment_id BLOB NOT NULL,
    PRIMARY KEY (automation_id, deployment_id)
) WITHOUT ROWID;
CREATE INDEX automation_deployment_deployment ON automation_deployment (deployment_id);

-- How far the outbox was evaluated, and by whom. No row while nothing is to be evaluated.
CREATE TABLE trigger_progress (
    workspace_id BLOB PRIMARY KEY,
    transaction_id INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    -- Counts the changes of automations.
    revision INTEGER NOT NULL,
    holder BLOB,
    held_until INTEGER
) WITHOUT ROWID;

-- Windows in which a trigger counts events, one for each value of its `for_each`.
CREATE TABLE trigger_window (
    trigger_id BLOB NOT NULL,
    bucketing_key TEXT NOT NULL,
    automation_id BLOB NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    opens INTEGER NOT NULL,
    closes INTEGER NOT NULL,
    count INTEGER NOT NULL,
    last_event TEXT,
    PRIMARY KEY (trigger_id, bucketing_key)
) WITHOUT ROWID;
CREATE INDEX trigger_window_closes ON trigger_window (closes);
CREATE INDEX trigger_window_automation ON trigger_window (automation_id);

-- The last firing of each part of a trigger that is made of triggers, until it fires itself.
CREATE TABLE trigger_part_firing (
    parent_id BLOB NOT NULL,
    child_id BLOB NOT NULL,
    automation_id BLOB NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    fired INTEGER NOT NULL,
    firing TEXT NOT NULL,
    PRIMARY KEY (parent_id, child_id)
) WITHOUT ROWID;
CREATE INDEX trigger_part_firing_automation ON trigger_part_firing (automation_id);

-- Events that wait for the event that they follow.
CREATE TABLE trigger_follower (
    event_id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    follows BLOB NOT NULL,
    occurred INTEGER NOT NULL,
    received INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX trigger_follower_follows ON trigger_follower (follows);

-- What fired, when and why, with the automation as it was then.
CREATE TABLE automation_firing (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    automation_id BLOB NOT NULL,
    triggered INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    -- How many firings led to it, one by the other.
    depth INTEGER NOT NULL,
    automation TEXT NOT NULL,
    firing TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX automation_firing_automation ON automation_firing (automation_id, triggered);
CREATE INDEX automation_firing_triggered ON automation_firing (triggered);
CREATE INDEX automation_firing_event ON automation_firing (event_id);

-- What is to be done because of it. A row without an outcome is still to do.
CREATE TABLE automation_action (
    id BLOB PRIMARY KEY,
    firing_id BLOB NOT NULL REFERENCES automation_firing (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    action TEXT NOT NULL,
    -- Whether the event of the firing itself is the triggering one.
    on_trigger INTEGER NOT NULL,
    due INTEGER NOT NULL,
    taken_by BLOB,
    attempts TEXT NOT NULL,
    outcome TEXT,
    finished INTEGER
) WITHOUT ROWID;
CREATE INDEX automation_action_firing ON automation_action (firing_id, position);
CREATE INDEX automation_action_due ON automation_action (due) WHERE outcome IS NULL;
