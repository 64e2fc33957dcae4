-- +goose Up
-- What a control node shows of its contact center while its administrator lets it: a row exactly that long.
CREATE TABLE cloud_views (
    cluster_id      text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    node_id         text NOT NULL,
    enabled_at      datetime NOT NULL,
    received_at     datetime NOT NULL,
    document        text NOT NULL,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id)
);
