-- +goose Up
-- A known text under the seal key: a hub that has another key, or none, finds out at its start.
CREATE TABLE seal_marks (
    id     text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id = 'hub'),
    sealed text COLLATE "C" NOT NULL CHECK (sealed <> '')
);
