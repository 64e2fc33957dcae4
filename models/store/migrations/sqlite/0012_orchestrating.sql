-- +goose Up
-- A node on which a procedure or a download runs: no node of its cluster stops meanwhile.
ALTER TABLE nodes ADD COLUMN orchestrating numeric NOT NULL DEFAULT false;
