-- The whole product's tables. Every top-level row carries its workspace; ids are UUIDs; times are UTC in microseconds;
-- JSON is kept as it came, but for tags, which are searched.
-- A row of it exists for each workspace; the first release has the default one.
CREATE TABLE workspace (
    id uuid PRIMARY KEY,
    created timestamptz NOT NULL,
    name text NOT NULL UNIQUE
);

-- Facts about this installation: the id of the encryption key, the default result storage, and the like.
CREATE TABLE configuration (
    key text PRIMARY KEY,
    value json NOT NULL
);

CREATE TABLE flow (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    tags jsonb NOT NULL,
    labels json NOT NULL,
    UNIQUE (workspace_id, name)
);
CREATE INDEX flow_created ON flow (workspace_id, created);

CREATE TABLE work_pool (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    description text,
    type text NOT NULL,
    base_job_template json NOT NULL,
    is_paused boolean NOT NULL,
    concurrency_limit bigint,
    default_queue_id uuid,
    -- Null for pools of agents, which have no workers.
    status text,
    storage_configuration json NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE work_queue (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    work_pool_id uuid NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    name text NOT NULL,
    description text NOT NULL,
    is_paused boolean NOT NULL,
    concurrency_limit bigint,
    priority bigint NOT NULL,
    last_polled timestamptz,
    status text NOT NULL,
    filter json,
    UNIQUE (work_pool_id, name)
);
CREATE INDEX work_queue_priority ON work_queue (work_pool_id, priority);

CREATE TABLE worker (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    work_pool_id uuid NOT NULL REFERENCES work_pool (id) ON DELETE CASCADE,
    name text NOT NULL,
    last_heartbeat_time timestamptz,
    heartbeat_interval_seconds bigint,
    status text NOT NULL,
    UNIQUE (work_pool_id, name)
);

CREATE TABLE concurrency_limit (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    slot_limit bigint NOT NULL,
    active boolean NOT NULL,
    -- Slots taken without a lease. Leased ones are counted from their rows, so they cannot drift.
    unleased_slots double precision NOT NULL,
    denied_slots bigint NOT NULL,
    slot_decay_per_second double precision NOT NULL,
    avg_slot_occupancy_seconds double precision NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE concurrency_lease (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    holder_type text,
    holder_id uuid
);
CREATE INDEX concurrency_lease_expires ON concurrency_lease (expires);
CREATE INDEX concurrency_lease_holder ON concurrency_lease (holder_id);

CREATE TABLE concurrency_slot (
    limit_id uuid NOT NULL REFERENCES concurrency_limit (id) ON DELETE CASCADE,
    lease_id uuid NOT NULL REFERENCES concurrency_lease (id) ON DELETE CASCADE,
    slots bigint NOT NULL,
    PRIMARY KEY (limit_id, lease_id)
);
CREATE INDEX concurrency_slot_lease ON concurrency_slot (lease_id);

CREATE TABLE deployment (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    flow_id uuid NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
    version text,
    description text,
    paused boolean NOT NULL,
    concurrency_limit_id uuid REFERENCES concurrency_limit (id) ON DELETE SET NULL,
    concurrency_options json,
    job_variables json NOT NULL,
    parameters json NOT NULL,
    parameter_openapi_schema json,
    enforce_parameter_schema boolean NOT NULL,
    tags jsonb NOT NULL,
    labels json NOT NULL,
    work_queue_id uuid REFERENCES work_queue (id) ON DELETE SET NULL,
    work_queue_name text,
    path text,
    entrypoint text,
    pull_steps json,
    storage_document_id uuid,
    infrastructure_document_id uuid,
    created_by json,
    updated_by json,
    status text NOT NULL,
    last_polled timestamptz,
    UNIQUE (flow_id, name)
);
CREATE INDEX deployment_name ON deployment (workspace_id, name);
CREATE INDEX deployment_created ON deployment (workspace_id, created);
CREATE INDEX deployment_updated ON deployment (workspace_id, updated);
CREATE INDEX deployment_queue ON deployment (work_queue_id);
CREATE INDEX deployment_limit ON deployment (concurrency_limit_id);

CREATE TABLE deployment_schedule (
    id uuid PRIMARY KEY,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    deployment_id uuid NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    schedule json NOT NULL,
    active boolean NOT NULL,
    max_scheduled_runs bigint,
    parameters json NOT NULL,
    slug text,
    -- When the scheduler has to look at it again; null while it is paused or has no more dates.
    next_tick timestamptz,
    -- Up to where its runs were given since its last change.
    scheduled_until timestamptz,
    UNIQUE (deployment_id, slug)
);
CREATE INDEX deployment_schedule_tick ON deployment_schedule (next_tick) WHERE next_tick IS NOT NULL;

CREATE TABLE flow_run (
    id uuid NOT NULL UNIQUE,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    flow_id uuid NOT NULL REFERENCES flow (id) ON DELETE CASCADE,
    deployment_id uuid,
    deployment_version text,
    work_queue_id uuid REFERENCES work_queue (id) ON DELETE SET NULL,
    work_queue_name text,
    flow_version text,
    parameters json NOT NULL,
    idempotency_key text,
    context json NOT NULL,
    empirical_policy json NOT NULL,
    tags jsonb NOT NULL,
    labels json NOT NULL,
    parent_task_run_id uuid,
    auto_scheduled boolean NOT NULL,
    infrastructure_document_id uuid,
    infrastructure_pid text,
    created_by json,
    job_variables json,
    -- The current state, whole, so that lists need no join; type, name and time again as columns, for filters.
    state_id uuid,
    state_type text,
    state_name text,
    state_timestamp timestamptz,
    state json,
    run_count bigint NOT NULL,
    expected_start_time timestamptz,
    next_scheduled_start_time timestamptz,
    start_time timestamptz,
    end_time timestamptz,
    total_run_time double precision NOT NULL,
    -- Who runs it: the owner's lease and its fencing token. A lease without deadline never expires.
    owner_name text,
    owner_deadline timestamptz,
    owner_token bigint NOT NULL,
    attempt bigint NOT NULL,
    -- Why its infrastructure failed, and the class as a column, for filters and policies.
    failure_class text,
    failure json
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
    id uuid PRIMARY KEY,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    flow_run_id uuid NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    sender text,
    UNIQUE (flow_run_id, key)
);

CREATE TABLE task_run (
    id uuid NOT NULL UNIQUE,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    flow_run_id uuid,
    task_key text NOT NULL,
    dynamic_key text NOT NULL,
    cache_key text,
    cache_expiration timestamptz,
    task_version text,
    empirical_policy json NOT NULL,
    tags jsonb NOT NULL,
    labels json,
    task_inputs json NOT NULL,
    state_id uuid,
    state_type text,
    state_name text,
    state_timestamp timestamptz,
    state json,
    run_count bigint NOT NULL,
    flow_run_run_count bigint NOT NULL,
    expected_start_time timestamptz,
    next_scheduled_start_time timestamptz,
    start_time timestamptz,
    end_time timestamptz,
    total_run_time double precision NOT NULL
);
CREATE UNIQUE INDEX task_run_key ON task_run (flow_run_id, task_key, dynamic_key) WHERE flow_run_id IS NOT NULL;
CREATE UNIQUE INDEX task_run_key_alone ON task_run (task_key, dynamic_key) WHERE flow_run_id IS NULL;
CREATE INDEX task_run_expected_start ON task_run (workspace_id, expected_start_time);
CREATE INDEX task_run_end ON task_run (workspace_id, end_time);
CREATE INDEX task_run_name ON task_run (workspace_id, name);
CREATE INDEX task_run_due ON task_run (task_key, next_scheduled_start_time) WHERE state_type = 'SCHEDULED';

CREATE TABLE task_run_cache (
    cache_key text NOT NULL,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    expires timestamptz,
    state json NOT NULL
);
CREATE INDEX task_run_cache_key ON task_run_cache (workspace_id, cache_key, created);

CREATE TABLE flow_run_state (
    id uuid NOT NULL,
    flow_run_id uuid NOT NULL,
    timestamp timestamptz NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    message text,
    state json NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE TABLE flow_run_state_rest PARTITION OF flow_run_state DEFAULT;
CREATE INDEX flow_run_state_run ON flow_run_state (flow_run_id, timestamp);
CREATE INDEX flow_run_state_id ON flow_run_state (id);

CREATE TABLE task_run_state (
    id uuid NOT NULL,
    task_run_id uuid NOT NULL,
    timestamp timestamptz NOT NULL,
    type text NOT NULL,
    name text NOT NULL,
    message text,
    state json NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE TABLE task_run_state_rest PARTITION OF task_run_state DEFAULT;
CREATE INDEX task_run_state_run ON task_run_state (task_run_id, timestamp);
CREATE UNIQUE INDEX task_run_state_id ON task_run_state (id, timestamp);

CREATE TABLE log (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    timestamp timestamptz NOT NULL,
    name text NOT NULL,
    level bigint NOT NULL,
    message text NOT NULL,
    flow_run_id uuid,
    task_run_id uuid
) PARTITION BY RANGE (created);
CREATE TABLE log_rest PARTITION OF log DEFAULT;
CREATE INDEX log_flow_run ON log (flow_run_id, timestamp);
CREATE INDEX log_task_run ON log (task_run_id, timestamp) WHERE task_run_id IS NOT NULL;
CREATE INDEX log_timestamp ON log (workspace_id, timestamp);

CREATE TABLE event (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    occurred timestamptz NOT NULL,
    received timestamptz NOT NULL,
    event text NOT NULL,
    resource_id text NOT NULL,
    resource json NOT NULL,
    related json NOT NULL,
    payload json NOT NULL,
    follows uuid
) PARTITION BY RANGE (occurred);
CREATE TABLE event_rest PARTITION OF event DEFAULT;
CREATE UNIQUE INDEX event_id ON event (id, occurred);
CREATE INDEX event_occurred ON event (workspace_id, occurred, id);
CREATE INDEX event_resource ON event (resource_id, occurred);
CREATE INDEX event_name ON event (event, occurred);

-- Which events name which resource in `related`: the resource by hash, the event by time and id.
CREATE TABLE event_link (
    resource bigint NOT NULL,
    occurred timestamptz NOT NULL,
    event_id uuid NOT NULL
) PARTITION BY RANGE (occurred);
CREATE TABLE event_link_rest PARTITION OF event_link DEFAULT;
CREATE UNIQUE INDEX event_link_key ON event_link (resource, occurred, event_id);

-- What every server still has to hear of, in the order of commits: the tail that feeds subscribers and triggers.
CREATE TABLE event_outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    occurred timestamptz NOT NULL,
    received timestamptz NOT NULL
);

CREATE TABLE artifact (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    key text,
    type text,
    description text,
    data json,
    metadata json,
    flow_run_id uuid,
    task_run_id uuid
);
CREATE INDEX artifact_key ON artifact (workspace_id, key, created);
CREATE INDEX artifact_flow_run ON artifact (flow_run_id);
CREATE INDEX artifact_task_run ON artifact (task_run_id);

CREATE TABLE artifact_collection (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    key text NOT NULL,
    latest_id uuid NOT NULL,
    type text,
    description text,
    data json,
    metadata json,
    flow_run_id uuid,
    task_run_id uuid,
    UNIQUE (workspace_id, key)
);
CREATE INDEX artifact_collection_latest ON artifact_collection (latest_id);

CREATE TABLE variable (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    value json NOT NULL,
    tags jsonb NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE block_type (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    logo_url text,
    documentation_url text,
    description text,
    code_example text,
    is_protected boolean NOT NULL,
    UNIQUE (workspace_id, slug)
);

CREATE TABLE block_schema (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    checksum text NOT NULL,
    fields json NOT NULL,
    block_type_id uuid NOT NULL REFERENCES block_type (id) ON DELETE CASCADE,
    capabilities jsonb NOT NULL,
    version text NOT NULL,
    UNIQUE (workspace_id, checksum, version)
);
CREATE INDEX block_schema_type ON block_schema (block_type_id, created);

-- Which other schemas a block schema's fields refer to.
CREATE TABLE block_schema_reference (
    parent_id uuid NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    name text NOT NULL,
    reference_id uuid NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, name, reference_id)
);

CREATE TABLE block_document (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    is_anonymous boolean NOT NULL,
    block_type_id uuid NOT NULL REFERENCES block_type (id) ON DELETE CASCADE,
    block_schema_id uuid NOT NULL REFERENCES block_schema (id) ON DELETE CASCADE,
    -- The whole data, encrypted; the key's id says which key opens it.
    data bytea NOT NULL,
    key_id text NOT NULL,
    UNIQUE (block_type_id, name)
);

CREATE TABLE block_document_reference (
    parent_id uuid NOT NULL REFERENCES block_document (id) ON DELETE CASCADE,
    name text NOT NULL,
    reference_id uuid NOT NULL REFERENCES block_document (id) ON DELETE CASCADE,
    PRIMARY KEY (parent_id, name, reference_id)
);

CREATE TABLE saved_search (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    filters json NOT NULL,
    UNIQUE (workspace_id, name)
);

CREATE TABLE csrf_token (
    client text PRIMARY KEY,
    id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    token text NOT NULL,
    expiration timestamptz NOT NULL
);

CREATE TABLE automation (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    enabled boolean NOT NULL,
    tags jsonb NOT NULL,
    trigger_definition json NOT NULL,
    actions json NOT NULL,
    actions_on_trigger json NOT NULL,
    actions_on_resolve json NOT NULL,
    owner_resource text
);
CREATE INDEX automation_name ON automation (workspace_id, name);
CREATE INDEX automation_owner ON automation (owner_resource) WHERE owner_resource IS NOT NULL;

-- What services remember between passes: who leads, until when, and how far a consumer has read.
CREATE TABLE service_lease (
    name text PRIMARY KEY,
    holder text NOT NULL,
    expires timestamptz NOT NULL,
    position bigint NOT NULL
);

CREATE INDEX flow_tags ON flow USING gin (tags);
CREATE INDEX flow_run_tags ON flow_run USING gin (tags);
CREATE INDEX task_run_tags ON task_run USING gin (tags);
CREATE INDEX deployment_tags ON deployment USING gin (tags);
-- The outbox is read in the order of commits: rows of transactions that are still open hide later ones.
ALTER TABLE event_outbox ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX event_outbox_commit ON event_outbox (xid, seq);
-- Followers of logs on other replicas read what was stored last.
CREATE INDEX log_created ON log USING brin (created);
