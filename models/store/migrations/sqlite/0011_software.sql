-- +goose Up
-- What the vendor offers for download; its bytes are kept by sha256. A path is free again once its file is withdrawn.
CREATE TABLE software_files (
    id           text NOT NULL PRIMARY KEY,
    repository   text NOT NULL,
    path         text NOT NULL,
    size         integer NOT NULL,
    sha256       text NOT NULL,
    sha1         text NOT NULL,
    md5          text NOT NULL,
    product      text NOT NULL,
    version      text NOT NULL,
    restricted   numeric NOT NULL,
    notes        text NOT NULL,
    published_at datetime NOT NULL,
    withdrawn_at datetime
);
CREATE UNIQUE INDEX software_path ON software_files (repository, path) WHERE withdrawn_at IS NULL;

-- Contracts and subscriptions; an empty user_id is everybody in the organization.
CREATE TABLE entitlements (
    id              text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations (id),
    user_id         text NOT NULL,
    kind            text NOT NULL,
    reference       text NOT NULL,
    products        text NOT NULL,
    export_cleared  numeric NOT NULL,
    valid_from      datetime NOT NULL,
    valid_until     datetime NOT NULL,
    created_at      datetime NOT NULL,
    ended_at        datetime
);
CREATE INDEX entitlements_of_organization ON entitlements (organization_id);

CREATE TABLE eulas (
    version      text NOT NULL PRIMARY KEY,
    text         text NOT NULL,
    published_at datetime NOT NULL
);

CREATE TABLE eula_acceptances (
    user_id         text NOT NULL,
    version         text NOT NULL REFERENCES eulas (version),
    organization_id text NOT NULL,
    accepted_at     datetime NOT NULL,
    CONSTRAINT eula_acceptances_pkey PRIMARY KEY (user_id, version),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);

-- Download keys and identity tokens, by the hash of their secret.
CREATE TABLE download_credentials (
    id              text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    kind            text NOT NULL,
    name            text NOT NULL,
    prefix          text NOT NULL,
    last_four       text NOT NULL,
    secret_hash     text NOT NULL,
    days            integer NOT NULL,
    created_at      datetime NOT NULL,
    expires_at      datetime,
    last_used_at    datetime,
    revoked_at      datetime,
    successor_id    text NOT NULL,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX download_credential_secret ON download_credentials (secret_hash);
CREATE INDEX download_credentials_of_user ON download_credentials (organization_id, user_id);
