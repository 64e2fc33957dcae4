-- +goose Up
-- All packages of a node by name, where its facts can only name the first of them.
ALTER TABLE nodes ADD COLUMN package_names bytea;
ALTER TABLE nodes ADD COLUMN packages_more boolean NOT NULL DEFAULT false;
ALTER TABLE nodes ADD COLUMN packages_digest text COLLATE "C" NOT NULL DEFAULT '';
