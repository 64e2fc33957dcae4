-- +goose Up
-- What a control node shows of its contact center while its administrator lets it: a row exactly that long.
CREATE TABLE cloud_views (
    cluster_id      text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    node_id         text COLLATE "C" NOT NULL,
    enabled_at      timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    document        text COLLATE "C" NOT NULL,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id)
);
