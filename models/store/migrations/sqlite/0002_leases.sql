-- +goose Up
-- R13: a change of one schedule leaves an open window of the other alone, so each has its own commit.
ALTER TABLE clusters ADD COLUMN emergency_from datetime NOT NULL
    DEFAULT '1970-01-01 00:00:00.000000+00:00';
UPDATE clusters SET emergency_from = schedule_from;

-- Which replica does what only one of them does, and until when.
CREATE TABLE leases (
    name       text     NOT NULL PRIMARY KEY,
    holder     text     NOT NULL,
    fence      integer  NOT NULL,
    expires_at datetime NOT NULL
);
