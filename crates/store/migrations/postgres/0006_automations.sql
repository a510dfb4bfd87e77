-- Never used: it could not hold a position of the outbox.
DROP TABLE service_lease;

-- Events before this position of the outbox do not count: the automation was not there yet, or not switched on.
ALTER TABLE automation ADD COLUMN active_transaction bigint NOT NULL DEFAULT 0;
ALTER TABLE automation ADD COLUMN active_sequence bigint NOT NULL DEFAULT 0;

-- The deployments that automations run whatever the event says.
CREATE TABLE automation_deployment (
    automation_id uuid NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    deployment_id uuid NOT NULL,
    PRIMARY KEY (automation_id, deployment_id)
);
CREATE INDEX automation_deployment_deployment ON automation_deployment (deployment_id);

-- How far the outbox was evaluated, and by whom. No row while nothing is to be evaluated.
CREATE TABLE trigger_progress (
    workspace_id uuid PRIMARY KEY,
    transaction_id bigint NOT NULL,
    sequence bigint NOT NULL,
    -- Counts the changes of automations.
    revision bigint NOT NULL,
    holder uuid,
    held_until timestamptz
);

-- Windows in which a trigger counts events, one for each value of its `for_each`.
CREATE TABLE trigger_window (
    trigger_id uuid NOT NULL,
    bucketing_key text NOT NULL,
    automation_id uuid NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    opens timestamptz NOT NULL,
    closes timestamptz NOT NULL,
    count bigint NOT NULL,
    last_event json,
    PRIMARY KEY (trigger_id, bucketing_key)
);
CREATE INDEX trigger_window_closes ON trigger_window (closes);
CREATE INDEX trigger_window_automation ON trigger_window (automation_id);

-- The last firing of each part of a trigger that is made of triggers, until it fires itself.
CREATE TABLE trigger_part_firing (
    parent_id uuid NOT NULL,
    child_id uuid NOT NULL,
    automation_id uuid NOT NULL REFERENCES automation (id) ON DELETE CASCADE,
    fired timestamptz NOT NULL,
    firing json NOT NULL,
    PRIMARY KEY (parent_id, child_id)
);
CREATE INDEX trigger_part_firing_automation ON trigger_part_firing (automation_id);

-- Events that wait for the event that they follow.
CREATE TABLE trigger_follower (
    event_id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    follows uuid NOT NULL,
    occurred timestamptz NOT NULL,
    received timestamptz NOT NULL
);
CREATE INDEX trigger_follower_follows ON trigger_follower (follows);

-- What fired, when and why, with the automation as it was then.
CREATE TABLE automation_firing (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    triggered timestamptz NOT NULL,
    event_id uuid NOT NULL,
    -- How many firings led to it, one by the other.
    depth bigint NOT NULL,
    automation json NOT NULL,
    firing json NOT NULL
);
CREATE INDEX automation_firing_automation ON automation_firing (automation_id, triggered);
CREATE INDEX automation_firing_triggered ON automation_firing (triggered);
CREATE INDEX automation_firing_event ON automation_firing (event_id);

-- What is to be done because of it. A row without an outcome is still to do.
CREATE TABLE automation_action (
    id uuid PRIMARY KEY,
    firing_id uuid NOT NULL REFERENCES automation_firing (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    action json NOT NULL,
    -- Whether the event of the firing itself is the triggering one.
    on_trigger boolean NOT NULL,
    due timestamptz NOT NULL,
    taken_by uuid,
    attempts json NOT NULL,
    outcome text,
    finished timestamptz
);
CREATE INDEX automation_action_firing ON automation_action (firing_id, position);
CREATE INDEX automation_action_due ON automation_action (due) WHERE outcome IS NULL;
