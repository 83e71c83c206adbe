-- An id and the owned id that one event carried with it.
CREATE TABLE learned_links (
    source TEXT NOT NULL,
    kind BIGINT NOT NULL,
    id TEXT NOT NULL,
    anchor_kind BIGINT NOT NULL,
    anchor_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (source, kind, id, anchor_kind, anchor_id)
);
CREATE INDEX learned_links_by_age ON learned_links (source, seen_at);

-- How many rows of each source `learned_links` has: counting them for every new one would be slow.
CREATE TABLE learned_link_counts (
    source TEXT NOT NULL PRIMARY KEY,
    n_links BIGINT NOT NULL
);
