-- +goose Up
-- How often a node has asked for a token with this key, and what it drew the last time: two machines
-- that share a key cannot both be the next.
ALTER TABLE nodes ADD COLUMN generation bigint NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN generation_mark text COLLATE "C" NOT NULL DEFAULT '';

-- The keys that a node had before its present one: who still uses one is a copy.
CREATE TABLE rotated_keys (
    key_thumb  text COLLATE "C" NOT NULL PRIMARY KEY,
    node_id    text COLLATE "C" NOT NULL,
    next_thumb text COLLATE "C" NOT NULL,
    rotated_at timestamptz NOT NULL
);
CREATE INDEX rotated_keys_node ON rotated_keys (node_id);
CREATE INDEX rotated_keys_age ON rotated_keys (rotated_at);

-- Which replicas answer nodes, until when, and up to which revocation they know.
CREATE TABLE replicas (
    id          text COLLATE "C" NOT NULL PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    known       bigint NOT NULL
);

-- What every replica must know before whoever asked for it is answered. The numbers are given out
-- by the row below, in the order of the commits.
CREATE TABLE revocations (
    number     bigint NOT NULL PRIMARY KEY,
    cluster_id text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX revocations_age ON revocations (at);
CREATE TABLE revocation_count (
    id    bigint NOT NULL PRIMARY KEY,
    count bigint NOT NULL
);
INSERT INTO revocation_count (id, count) VALUES (1, 0);
