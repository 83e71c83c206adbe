-- The same text on SQLite and PostgreSQL. Times are Unix milliseconds; flags are 0 or 1; kinds of ids are 0 device,
-- 1 bridge, 2 access code.

CREATE TABLE accounts (
    connected_account_id TEXT NOT NULL PRIMARY KEY,
    origin TEXT NOT NULL,
    source TEXT,
    provider TEXT,
    customer_key TEXT,
    state TEXT NOT NULL,
    wait_for_devices BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    has_devices BIGINT NOT NULL,
    has_acs BIGINT NOT NULL,
    synced_at BIGINT,
    first_synced BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX accounts_of_customer ON accounts (customer_key, connected_account_id);

-- An empty source is every source.
CREATE TABLE owned_ids (
    source TEXT NOT NULL,
    kind BIGINT NOT NULL,
    id TEXT NOT NULL,
    connected_account_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (source, kind, id, connected_account_id)
);
CREATE INDEX owned_ids_of_account ON owned_ids (connected_account_id);

CREATE TABLE devices (
    connected_account_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    managed BIGINT NOT NULL,
    device_type TEXT,
    display_name TEXT,
    source TEXT,
    native_ids TEXT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (connected_account_id, device_id)
);

CREATE TABLE acs_systems (
    connected_account_id TEXT NOT NULL,
    acs_system_id TEXT NOT NULL,
    system_type TEXT,
    display_name TEXT,
    generation BIGINT NOT NULL,
    PRIMARY KEY (connected_account_id, acs_system_id)
);

CREATE TABLE acs_entrances (
    connected_account_id TEXT NOT NULL,
    acs_entrance_id TEXT NOT NULL,
    acs_system_id TEXT NOT NULL,
    display_name TEXT,
    generation BIGINT NOT NULL,
    PRIMARY KEY (connected_account_id, acs_entrance_id)
);
