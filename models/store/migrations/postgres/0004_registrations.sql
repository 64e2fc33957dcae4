-- +goose Up
-- Why a registration ended, and what its organization demanded when it was begun.
ALTER TABLE registrations ADD COLUMN ended_why text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE registrations ADD COLUMN headless boolean NOT NULL DEFAULT false;
ALTER TABLE registrations ADD COLUMN code_required boolean NOT NULL DEFAULT false;
ALTER TABLE registrations ADD COLUMN comparison_attempts bigint NOT NULL DEFAULT 0;

-- A node that asks to be registered from its shell belongs to no tenant yet.
CREATE TABLE headless_requests (
    id               text COLLATE "C"  NOT NULL PRIMARY KEY,
    code_hash        text COLLATE "C"  NOT NULL,
    secret_hash      text COLLATE "C"  NOT NULL,
    key_thumb        text COLLATE "C"  NOT NULL,
    fqdn             text COLLATE "C"  NOT NULL,
    claim            bytea,
    address          text COLLATE "C"  NOT NULL,
    state            text COLLATE "C"  NOT NULL,
    interval_seconds bigint   NOT NULL,
    polled_at        timestamptz,
    registration_id  text COLLATE "C"  NOT NULL,
    created_at       timestamptz  NOT NULL,
    expires_at       timestamptz  NOT NULL,
    ended_at         timestamptz
);
-- One code, one node, while it counts.
CREATE UNIQUE INDEX headless_code ON headless_requests (code_hash) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX headless_secret ON headless_requests (secret_hash);
CREATE INDEX headless_expiry ON headless_requests (expires_at);

-- How often somebody has tried what can be guessed.
CREATE TABLE attempts (
    id      text COLLATE "C" NOT NULL PRIMARY KEY,
    count   bigint  NOT NULL,
    until   timestamptz NOT NULL
);
CREATE INDEX attempts_expiry ON attempts (until);
