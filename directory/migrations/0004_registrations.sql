-- Where providers were asked to deliver. `events` is a JSON array of event types.
CREATE TABLE registrations (
    provider_url TEXT NOT NULL,
    url TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    status TEXT NOT NULL,
    events TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (provider_url, url)
);
