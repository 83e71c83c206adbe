-- Of millions of jobs few fail: whoever looks for them must not read the others.
CREATE INDEX sync_jobs_failing ON sync_jobs (connected_account_id) WHERE attempts > 0;
