-- +goose Up
-- In which life of the hub, and when, somebody has last proved to hold the node's key: after a restore
-- nobody has, until the node comes.
ALTER TABLE nodes ADD COLUMN proved_incarnation bigint NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN proved_at timestamptz;
