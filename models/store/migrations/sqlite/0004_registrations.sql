-- +goose Up
-- Why a registration ended, and what its organization demanded when it was begun.
ALTER TABLE registrations ADD COLUMN ended_why text NOT NULL DEFAULT '';
ALTER TABLE registrations ADD COLUMN headless numeric NOT NULL DEFAULT false;
ALTER TABLE registrations ADD COLUMN code_required numeric NOT NULL DEFAULT false;
ALTER TABLE registrations ADD COLUMN comparison_attempts integer NOT NULL DEFAULT 0;

-- A node that asks to be registered from its shell belongs to no tenant yet.
CREATE TABLE headless_requests (
    id               text  NOT NULL PRIMARY KEY,
    code_hash        text  NOT NULL,
    secret_hash      text  NOT NULL,
    key_thumb        text  NOT NULL,
    fqdn             text  NOT NULL,
    claim            blob,
    address          text  NOT NULL,
    state            text  NOT NULL,
    interval_seconds integer   NOT NULL,
    polled_at        datetime,
    registration_id  text  NOT NULL,
    created_at       datetime  NOT NULL,
    expires_at       datetime  NOT NULL,
    ended_at         datetime
);
-- One code, one node, while it counts.
CREATE UNIQUE INDEX headless_code ON headless_requests (code_hash) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX headless_secret ON headless_requests (secret_hash);
CREATE INDEX headless_expiry ON headless_requests (expires_at);

-- How often somebody has tried what can be guessed.
CREATE TABLE attempts (
    id      text NOT NULL PRIMARY KEY,
    count   integer  NOT NULL,
    until   datetime NOT NULL
);
CREATE INDEX attempts_expiry ON attempts (until);
