-- Incoming webhooks, and the requests that they were sent.
CREATE TABLE webhook (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    enabled INTEGER NOT NULL,
    template TEXT NOT NULL,
    -- Senders know nothing but this, so it is one over all workspaces.
    slug TEXT NOT NULL UNIQUE,
    -- How requests are checked, without the secret: that is encrypted, and the key's id says which key opens it.
    verification TEXT,
    secret BLOB,
    key_id TEXT,
    requests_per_minute INTEGER
) WITHOUT ROWID;
CREATE INDEX webhook_by_name ON webhook (workspace_id, name, id);

-- Bodies may be large: this table keeps its rowid.
CREATE TABLE webhook_request (
    id BLOB PRIMARY KEY,
    workspace_id BLOB NOT NULL,
    webhook_id BLOB NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    received INTEGER NOT NULL,
    method TEXT NOT NULL,
    query TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB,
    body_bytes INTEGER NOT NULL,
    status INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT,
    event_id BLOB,
    replay_of BLOB
);
CREATE INDEX webhook_request_by_webhook ON webhook_request (webhook_id, received, id);
CREATE INDEX webhook_request_by_age ON webhook_request (received);
