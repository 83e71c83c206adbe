-- At most one job an account. A job whose `wanted` has grown since it began runs again.
CREATE TABLE sync_jobs (
    connected_account_id TEXT NOT NULL PRIMARY KEY,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    wanted BIGINT NOT NULL,
    started_for BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease_owner TEXT,
    last_error TEXT
);
CREATE INDEX sync_jobs_by_due ON sync_jobs (due_at);
CREATE INDEX sync_jobs_by_lease ON sync_jobs (lease_until, due_at);
