-- The whole product's tables. Every top-level row carries its workspace; ids are UUIDs; times are UTC in microseconds;
-- JSON is kept as it came, but for tags, which are searched.
-- A row of it exists for each workspace; the first release has the default one.
CREATE TABLE workspace (
    id BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE
) WITHOUT ROWID;

-- Facts about this installation: the id of the encryption key, the default result storage, and the like.
CREATE TABLE configuration (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE flow (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    labels TEXT NOT NULL,
    UNIQUE (workspace_id, name)
) WITHOUT ROWID;
CREATE INDEX flow_created ON flow (workspace_id, created);

CREATE TABLE work_pool (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    type TEXT NOT NULL,
    base_job_template TEXT NOT NULL,
    is_paused INTEGER NOT NULL,
    concurrency_limit INTEGER,
    default_queue_id BLOB,
    -- Null for pools of agents, which have no workers.
    status TEXT,
    storage_configuration TEXT NOT NULL,
    UNIQUE (workspace_id, name)
) WITHOUT ROWID;

CREATE TABLE work_queue (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    work_pool_id BLOB NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    is_paused INTEGER NOT NULL,
    concurrency_limit INTEGER,
    priority INTEGER NOT NULL,
    last_polled INTEGER,
    status TEXT NOT NULL,
    filter TEXT,
    UNIQUE (work_pool_id, name)
) WITHOUT ROWID;
CREATE INDEX work_queue_priority ON work_queue (work_pool_id, priority);

CREATE TABLE worker (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    work_pool_id BLOB NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    last_heartbeat_time INTEGER,
    heartbeat_interval_seconds INTEGER,
    status TEXT NOT NULL,
    UNIQUE (work_pool_id, name)
) WITHOUT ROWID;

CREATE TABLE concurrency_limit (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    slot_limit INTEGER NOT NULL,
    active INTEGER NOT NULL,
    -- Slots taken without a lease. Leased ones are counted from their rows, so they cannot drift.
    unleased_slots REAL NOT NULL,
    denied_slots INTEGER NOT NULL,
    slot_decay_per_second REAL NOT NULL,
    avg_slot_occupancy_seconds REAL NOT NULL,
    UNIQUE (workspace_id, name)
) WITHOUT ROWID;

CREATE TABLE concurrency_lease (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    holder_type TEXT,
    holder_id BLOB
) WITHOUT ROWID;
CREATE INDEX concurrency_lease_expires ON concurrency_lease (expires);
CREATE INDEX concurrency_lease_holder ON concurrency_lease (holder_id);

CREATE TABLE concurrency_slot (
    limit_id BLOB NOT NULL REFERENCES concurrency_limit (id) ON DELETE CASCADE,
    lease_id BLOB NOT NULL REFERENCES concurrency_lease (id) ON DELETE CASCADE,
    slots INTEGER NOT NULL,
    PRIMARY KEY (limit_id, lease_id)
) WITHOUT ROWID;
CREATE INDEX concurrency_slot_lease ON concurrency_slot (lease_id);

CREATE TABLE deployment (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    flow_id BLOB NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
    version TEXT,
    description TEXT,
    paused INTEGER NOT NULL,
    concurrency_limit_id BLOB REFERENCES concurrency_limit (id) ON DELETE SET NULL,
    concurrency_options TEXT,
    job_variables TEXT NOT NULL,
    parameters TEXT NOT NULL,
    parameter_openapi_schema TEXT,
    enforce_parameter_schema INTEGER NOT NULL,
    tags TEXT NOT NULL,
    labels TEXT NOT NULL,
    work_queue_id BLOB REFERENCES work_queue (id) ON DELETE SET NULL,
    work_queue_name TEXT,
    path TEXT,
    entrypoint TEXT,
    pull_steps TEXT,
    storage_document_id BLOB,
    infrastructure_document_id BLOB,
    created_by TEXT,
    updated_by TEXT,
    status TEXT NOT NULL,
    last_polled INTEGER,
    UNIQUE (flow_id, name)
) WITHOUT ROWID;
CREATE INDEX deployment_name ON deployment (workspace_id, name);
CREATE INDEX deployment_created ON deployment (workspace_id, created);
CREATE INDEX deployment_updated ON deployment (workspace_id, updated);
CREATE INDEX deployment_queue ON deployment (work_queue_id);
CREATE INDEX deployment_limit ON deployment (concurrency_limit_id);

CREATE TABLE deployment_schedule (
    id BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deployment_id BLOB NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    schedule TEXT NOT NULL,
    active INTEGER NOT NULL,
    max_scheduled_runs INTEGER,
    parameters TEXT NOT NULL,
    slug TEXT,
    -- When the scheduler has to look at it again; null while it is paused or has no more dates.
    next_tick INTEGER,
    -- Up to where its runs were given since its last change.
    scheduled_until INTEGER,
    UNIQUE (deployment_id, slug)
) WITHOUT ROWID;
CREATE INDEX deployment_schedule_tick ON deployment_schedule (next_tick) WHERE next_tick IS NOT NULL;

CREATE TABLE flow_run (
    id BLOB NOT NULL UNIQUE,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    flow_id BLOB NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
    deployment_id BLOB,
    deployment_version TEXT,
    work_queue_id BLOB REFERENCES work_queue (id) ON DELETE SET NULL,
    work_queue_name TEXT,
    flow_version TEXT,
    parameters TEXT NOT NULL,
    idempotency_key TEXT,
    context TEXT NOT NULL,
    empirical_policy TEXT NOT NULL,
    tags TEXT NOT NULL,
    labels TEXT NOT NULL,
    parent_task_run_id BLOB,
    auto_scheduled INTEGER NOT NULL,
    infrastructure_document_id BLOB,
    infrastructure_pid TEXT,
    created_by TEXT,
    job_variables TEXT,
    -- The current state, whole, so that lists need no join; type, name and time again as columns, for filters.
    state_id BLOB,
    state_type TEXT,
    state_name TEXT,
    state_timestamp INTEGER,
    state TEXT,
    run_count INTEGER NOT NULL,
    expected_start_time INTEGER,
    next_scheduled_start_time INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    total_run_time REAL NOT NULL,
    -- Who runs it: the owner's lease and its fencing token. A lease without deadline never expires.
    owner_name TEXT,
    owner_deadline INTEGER,
    owner_token INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    -- Why its infrastructure failed, and the class as a column, for filters and policies.
    failure_class TEXT,
    failure TEXT
);
CREATE UNIQUE INDEX flow_run_idempotency ON flow_run (flow_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX flow_run_expected_start ON flow_run (workspace_id, expected_start_time);
CREATE INDEX flow_run_start ON flow_run (workspace_id, coalesce(start_time, expected_start_time));
CREATE INDEX flow_run_end ON flow_run (workspace_id, end_time);
CREATE INDEX flow_run_name ON flow_run (workspace_id, name);
CREATE INDEX flow_run_flow ON flow_run (flow_id, expected_start_time);
CREATE INDEX flow_run_deployment ON flow_run (deployment_id, expected_start_time) WHERE deployment_id IS NOT NULL;
CREATE INDEX flow_run_in_state ON flow_run (workspace_id, state_type, expected_start_time);
CREATE INDEX flow_run_due ON flow_run (work_queue_id, next_scheduled_start_time) WHERE state_type = 'SCHEDULED';
CREATE INDEX flow_run_scheduled ON flow_run (next_scheduled_start_time) WHERE state_type = 'SCHEDULED';
CREATE INDEX flow_run_parent ON flow_run (parent_task_run_id) WHERE parent_task_run_id IS NOT NULL;
CREATE INDEX flow_run_lease ON flow_run (owner_deadline) WHERE owner_deadline IS NOT NULL;
CREATE INDEX flow_run_holding ON flow_run (work_queue_id, state_type) WHERE state_type IN ('PENDING', 'RUNNING', 'CANCELLING', 'PAUSED');
CREATE INDEX flow_run_waiting ON flow_run (state_type, state_timestamp) WHERE state_type IN ('PAUSED', 'CANCELLING');
CREATE INDEX flow_run_cancelled ON flow_run (end_time) WHERE state_type = 'CANCELLED';

CREATE TABLE flow_run_input (
    id BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    flow_run_id BLOB NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    sender TEXT,
    UNIQUE (flow_run_id, key)
) WITHOUT ROWID;

CREATE TABLE task_run (
    id BLOB NOT NULL UNIQUE,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    flow_run_id BLOB,
    task_key TEXT NOT NULL,
    dynamic_key TEXT NOT NULL,
    cache_key TEXT,
    cache_expiration INTEGER,
    task_version TEXT,
    empirical_policy TEXT NOT NULL,
    tags TEXT NOT NULL,
    labels TEXT,
    task_inputs TEXT NOT NULL,
    state_id BLOB,
    state_type TEXT,
    state_name TEXT,
    state_timestamp INTEGER,
    state TEXT,
    run_count INTEGER NOT NULL,
    flow_run_run_count INTEGER NOT NULL,
    expected_start_time INTEGER,
    next_scheduled_start_time INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    total_run_time REAL NOT NULL
);
CREATE UNIQUE INDEX task_run_key ON task_run (flow_run_id, task_key, dynamic_key) WHERE flow_run_id IS NOT NULL;
CREATE UNIQUE INDEX task_run_key_alone ON task_run (task_key, dynamic_key) WHERE flow_run_id IS NULL;
CREATE INDEX task_run_expected_start ON task_run (workspace_id, expected_start_time);
CREATE INDEX task_run_end ON task_run (workspace_id, end_time);
CREATE INDEX task_run_name ON task_run (workspace_id, name);
CREATE INDEX task_run_due ON task_run (task_key, next_scheduled_start_time) WHERE state_type = 'SCHEDULED';

CREATE TABLE task_run_cache (
    cache_key TEXT NOT NULL,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    state TEXT NOT NULL
);
CREATE INDEX task_run_cache_key ON task_run_cache (workspace_id, cache_key, created);

-- Rows go to one table per week (see `partition`); this one takes what fits no week. `flow_run_state` is the view of them all.
CREATE TABLE flow_run_state_rest (
    id BLOB NOT NULL,
    flow_run_id BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    message TEXT,
    state TEXT NOT NULL
);
CREATE VIEW flow_run_state AS SELECT * FROM flow_run_state_rest;
CREATE INDEX flow_run_state_rest_run ON flow_run_state_rest (flow_run_id, timestamp);
CREATE INDEX flow_run_state_rest_id ON flow_run_state_rest (id);

-- Rows go to one table per week (see `partition`); this one takes what fits no week. `task_run_state` is the view of them all.
CREATE TABLE task_run_state_rest (
    id BLOB NOT NULL,
    task_run_id BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    message TEXT,
    state TEXT NOT NULL
);
CREATE VIEW task_run_state AS SELECT * FROM task_run_state_rest;
CREATE INDEX task_run_state_rest_run ON task_run_state_rest (task_run_id, timestamp);
CREATE UNIQUE INDEX task_run_state_rest_id ON task_run_state_rest (id, timestamp);

-- Rows go to one table per week (see `partition`); this one takes what fits no week. `log` is the view of them all.
CREATE TABLE log_rest (
    id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    name TEXT NOT NULL,
    level INTEGER NOT NULL,
    message TEXT NOT NULL,
    flow_run_id BLOB,
    task_run_id BLOB
);
CREATE VIEW log AS SELECT * FROM log_rest;
CREATE INDEX log_rest_flow_run ON log_rest (flow_run_id, timestamp);
CREATE INDEX log_rest_task_run ON log_rest (task_run_id, timestamp) WHERE task_run_id IS NOT NULL;
-- Without the workspace in front: SQLite would choose this index for every query that names a workspace.
CREATE INDEX log_rest_timestamp ON log_rest (timestamp);

-- Rows go to one table per week (see `partition`); this one takes what fits no week. `event` is the view of them all.
CREATE TABLE event_rest (
    id BLOB NOT NULL,
    workspace_id BLOB NOT NULL,
    occurred INTEGER NOT NULL,
    received INTEGER NOT NULL,
    event TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    related TEXT NOT NULL,
    payload TEXT NOT NULL,
    follows BLOB
);
CREATE VIEW event AS SELECT * FROM event_rest;
CREATE UNIQUE INDEX event_rest_id ON event_rest (id);
-- The workspace comes last, for counts; in front, SQLite would choose this index for every query that names one.
CREATE INDEX event_rest_occurred ON event_rest (occurred, id, workspace_id);
CREATE INDEX event_rest_resource ON event_rest (resource_id, occurred);
CREATE INDEX event_rest_name ON event_rest (event, occurred);

-- Which events name which resource in `related`: the resource by hash, the event by time and id.
-- Rows go to one table per week (see `partition`); this one takes what fits no week. `event_link` is the view of them all.
CREATE TABLE event_link_rest (
    resource INTEGER NOT NULL,
    occurred INTEGER NOT NULL,
    event_id BLOB NOT NULL
);
CREATE VIEW event_link AS SELECT * FROM event_link_rest;
CREATE UNIQUE INDEX event_link_rest_key ON event_link_rest (resource, occurred, event_id);

-- What every server still has to hear of, in the order of commits: the tail that feeds subscribers and triggers.
CREATE TABLE event_outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL,
    occurred INTEGER NOT NULL,
    received INTEGER NOT NULL
);

CREATE TABLE artifact (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    key TEXT,
    type TEXT,
    description TEXT,
    data TEXT,
    metadata TEXT,
    flow_run_id BLOB,
    task_run_id BLOB
) WITHOUT ROWID;
CREATE INDEX artifact_key ON artifact (workspace_id, key, created);
CREATE INDEX artifact_flow_run ON artifact (flow_run_id);
CREATE INDEX artifact_task_run ON artifact (task_run_id);

CREATE TABLE artifact_collection (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    key TEXT NOT NULL,
    latest_id BLOB NOT NULL,
    type TEXT,
    description TEXT,
    data TEXT,
    metadata TEXT,
    flow_run_id BLOB,
    task_run_id BLOB,
    UNIQUE (workspace_id, key)
) WITHOUT ROWID;
CREATE INDEX artifact_collection_latest ON artifact_collection (latest_id);

CREATE TABLE variable (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (workspace_id, name)
) WITHOUT ROWID;

CREATE TABLE block_type (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    logo_url TEXT,
    documentation_url TEXT,
    description TEXT,
    code_example TEXT,
    is_protected INTEGER NOT NULL,
    UNIQUE (workspace_id, slug)
) WITHOUT ROWID;

CREATE TABLE block_schema (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    fields TEXT NOT NULL,
    block_type_id BLOB NOT NULL REFERENCES block_type (id) ON DELETE CASCADE,
    capabilities TEXT NOT NULL,
    version TEXT NOT NULL,
    UNIQUE (workspace_id, checksum, version)
) WITHOUT ROWID;
CREATE INDEX block_schema_type ON block_schema (block_type_id, created);

-- Which other schemas a block schema's fields refer to.
CREATE TABLE block_schema_reference (
    parent_id BLOB NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    reference_id BLOB NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, name, reference_id)
) WITHOUT ROWID;

CREATE TABLE block_document (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    is_anonymous INTEGER NOT NULL,
    block_type_id BLOB NOT NULL REFERENCES block_type (id) ON DELETE CASCADE,
    block_schema_id BLOB NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    -- The whole data, encrypted; the key's id says which key opens it.
    data BLOB NOT NULL,
    key_id TEXT NOT NULL,
    UNIQUE (block_type_id, name)
) WITHOUT ROWID;

CREATE TABLE block_document_reference (
    parent_id BLOB NOT NULL REFERENCES block_document (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    reference_id BLOB NOT NULL REFERENCES block_document (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, name, reference_id)
) WITHOUT ROWID;

CREATE TABLE saved_search (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    filters TEXT NOT NULL,
    UNIQUE (workspace_id, name)
) WITHOUT ROWID;

CREATE TABLE csrf_token (
    client TEXT PRIMARY KEY,
    id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    token TEXT NOT NULL,
    expiration INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE automation (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    tags TEXT NOT NULL,
    trigger_definition TEXT NOT NULL,
    actions TEXT NOT NULL,
    actions_on_trigger TEXT NOT NULL,
    actions_on_resolve TEXT NOT NULL,
    owner_resource TEXT
) WITHOUT ROWID;
CREATE INDEX automation_name ON automation (workspace_id, name);
CREATE INDEX automation_owner ON automation (owner_resource) WHERE owner_resource IS NOT NULL;

-- What services remember between passes: who leads, until when, and how far a consumer has read.
CREATE TABLE service_lease (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires INTEGER NOT NULL,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- What the planner may take for granted: one workspace, many rows, few of them alive. Without it, it would take any index
-- that begins with the workspace for a good one. `ANALYZE` by hand puts the present numbers in its place.
ANALYZE sqlite_master;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('flow_run', 'sqlite_autoindex_flow_run_1', '1000000 1'),
    ('flow_run', 'flow_run_idempotency', '1000000 10000 1'),
    ('flow_run', 'flow_run_expected_start', '1000000 1000000 1'),
    ('flow_run', 'flow_run_start', '1000000 1000000 1'),
    ('flow_run', 'flow_run_end', '1000000 1000000 1'),
    ('flow_run', 'flow_run_name', '1000000 1000000 2'),
    ('flow_run', 'flow_run_flow', '1000000 10000 1'),
    ('flow_run', 'flow_run_deployment', '1000000 10000 1'),
    ('flow_run', 'flow_run_in_state', '1000000 1000000 150000 1'),
    ('flow_run', 'flow_run_due', '1000 100 1'),
    ('flow_run', 'flow_run_scheduled', '1000 1'),
    ('flow_run', 'flow_run_parent', '100000 1'),
    ('flow_run', 'flow_run_lease', '1000 1'),
    ('flow_run', 'flow_run_holding', '1000 100 50'),
    ('flow_run', 'flow_run_waiting', '100 50 1'),
    ('flow_run', 'flow_run_cancelled', '1000 1'),
    ('task_run', 'sqlite_autoindex_task_run_1', '10000000 1'),
    ('task_run', 'task_run_key', '10000000 10 2 1'),
    ('task_run', 'task_run_key_alone', '10000 100 1'),
    ('task_run', 'task_run_expected_start', '10000000 10000000 1'),
    ('task_run', 'task_run_end', '10000000 10000000 1'),
    ('task_run', 'task_run_name', '10000000 10000000 2'),
    ('task_run', 'task_run_due', '100 10 1'),
    ('flow', 'flow', '100 1'),
    ('flow', 'sqlite_autoindex_flow_2', '100 100 1'),
    ('flow', 'flow_created', '100 100 1'),
    ('deployment', 'deployment', '1000 1'),
    ('deployment', 'sqlite_autoindex_deployment_2', '1000 10 1'),
    ('deployment', 'deployment_name', '1000 1000 2'),
    ('deployment', 'deployment_created', '1000 1000 1'),
    ('deployment', 'deployment_updated', '1000 1000 1'),
    ('deployment', 'deployment_queue', '1000 100'),
    ('deployment', 'deployment_limit', '1000 1'),
    ('deployment_schedule', 'deployment_schedule', '1000 1'),
    ('deployment_schedule', 'sqlite_autoindex_deployment_schedule_2', '1000 2 1'),
    ('deployment_schedule', 'deployment_schedule_tick', '1000 1'),
    ('artifact', 'artifact', '100000 1'),
    ('artifact', 'artifact_key', '100000 100000 100 1'),
    ('artifact', 'artifact_flow_run', '100000 2'),
    ('artifact', 'artifact_task_run', '100000 2');
ANALYZE sqlite_master;
