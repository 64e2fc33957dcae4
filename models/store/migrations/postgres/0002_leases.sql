-- +goose Up
-- R13: a change of one schedule leaves an open window of the other alone, so each has its own commit.
ALTER TABLE clusters ADD COLUMN emergency_from timestamptz NOT NULL DEFAULT 'epoch';
UPDATE clusters SET emergency_from = schedule_from;

-- Which replica does what only one of them does, and until when.
CREATE TABLE leases (
    name       text COLLATE "C"     NOT NULL PRIMARY KEY,
    holder     text COLLATE "C"     NOT NULL,
    fence      bigint   NOT NULL,
    expires_at timestamptz NOT NULL
);
