-- +goose Up
-- All packages of a node by name, where its facts can only name the first of them.
ALTER TABLE nodes ADD COLUMN package_names blob;
ALTER TABLE nodes ADD COLUMN packages_more numeric NOT NULL DEFAULT false;
ALTER TABLE nodes ADD COLUMN packages_digest text NOT NULL DEFAULT '';
