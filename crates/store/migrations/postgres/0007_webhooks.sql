-- Incoming webhooks, and the requests that they were sent.
CREATE TABLE webhook (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    name text NOT NULL,
    description text,
    enabled boolean NOT NULL,
    template text NOT NULL,
    -- Senders know nothing but this, so it is one over all workspaces.
    slug text NOT NULL UNIQUE,
    -- How requests are checked, without the secret: that is encrypted, and the key's id says which key opens it.
    verification json,
    secret bytea,
    key_id text,
    requests_per_minute bigint
);
CREATE INDEX webhook_by_name ON webhook (workspace_id, name, id);

CREATE TABLE webhook_request (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    webhook_id uuid NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    received timestamptz NOT NULL,
    method text NOT NULL,
    query text NOT NULL,
    headers json NOT NULL,
    body bytea,
    body_bytes bigint NOT NULL,
    status bigint NOT NULL,
    outcome text NOT NULL,
    detail text,
    event_id uuid,
    replay_of uuid
);
CREATE INDEX webhook_request_by_webhook ON webhook_request (webhook_id, received, id);
CREATE INDEX webhook_request_by_age ON webhook_request (received);
