-- Events that the filter has set aside. `body` is the one column of bytes: SQLite keeps them under any declared type.
-- `state` is `waiting` or `replayed`.
CREATE TABLE quarantined (
    id BIGINT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    cause TEXT NOT NULL,
    path TEXT NOT NULL,
    content_type TEXT NOT NULL,
    event_type TEXT,
    event_timestamp TEXT,
    device_id TEXT,
    bridge_id TEXT,
    access_code_id TEXT,
    partition_key TEXT,
    state TEXT NOT NULL,
    times_seen BIGINT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    attempted_at BIGINT,
    answer_status BIGINT,
    answer_cause TEXT,
    lease_until BIGINT NOT NULL,
    lease_owner TEXT,
    n_body_bytes BIGINT NOT NULL,
    n_bytes BIGINT NOT NULL,
    body BYTEA NOT NULL,
    UNIQUE (source, event_id, body_hash, environment)
);
CREATE INDEX quarantined_by_age ON quarantined (last_seen_at);
CREATE INDEX quarantined_by_state ON quarantined (state, last_seen_at, id);
CREATE INDEX quarantined_by_source ON quarantined (source, id);
CREATE INDEX quarantined_by_cause ON quarantined (cause, id);

-- One row. Whoever adds or removes an event has locked it, so that bounds hold whoever writes at the same time.
CREATE TABLE quarantine_totals (
    only_row BIGINT NOT NULL PRIMARY KEY,
    n_events BIGINT NOT NULL,
    n_bytes BIGINT NOT NULL,
    last_id BIGINT NOT NULL
);
INSERT INTO quarantine_totals (only_row, n_events, n_bytes, last_id) VALUES (1, 0, 0, 0);
