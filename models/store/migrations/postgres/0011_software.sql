-- +goose Up
-- What the vendor offers for download; its bytes are kept by sha256. A path is free again once its file is withdrawn.
CREATE TABLE software_files (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    repository   text COLLATE "C" NOT NULL,
    path         text COLLATE "C" NOT NULL,
    size         bigint NOT NULL,
    sha256       text COLLATE "C" NOT NULL,
    sha1         text COLLATE "C" NOT NULL,
    md5          text COLLATE "C" NOT NULL,
    product      text COLLATE "C" NOT NULL,
    version      text COLLATE "C" NOT NULL,
    restricted   boolean NOT NULL,
    notes        text COLLATE "C" NOT NULL,
    published_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX software_path ON software_files (repository, path) WHERE withdrawn_at IS NULL;

-- Contracts and subscriptions; an empty user_id is everybody in the organization.
CREATE TABLE entitlements (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
    user_id         text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    reference       text COLLATE "C" NOT NULL,
    products        text COLLATE "C" NOT NULL,
    export_cleared  boolean NOT NULL,
    valid_from      timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE INDEX entitlements_of_organization ON entitlements (organization_id);

CREATE TABLE eulas (
    version      text COLLATE "C" NOT NULL PRIMARY KEY,
    text         text COLLATE "C" NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE TABLE eula_acceptances (
    user_id         text COLLATE "C" NOT NULL,
    version         text COLLATE "C" NOT NULL REFERENCES eulas (version),
    organization_id text COLLATE "C" NOT NULL,
    accepted_at     timestamptz NOT NULL,
    CONSTRAINT eula_acceptances_pkey PRIMARY KEY (user_id, version),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);

-- Download keys and identity tokens, by the hash of their secret.
CREATE TABLE download_credentials (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    prefix          text COLLATE "C" NOT NULL,
    last_four       text COLLATE "C" NOT NULL,
    secret_hash     text COLLATE "C" NOT NULL,
    days            bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    last_used_at    timestamptz,
    revoked_at      timestamptz,
    successor_id    text COLLATE "C" NOT NULL,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX download_credential_secret ON download_credentials (secret_hash);
CREATE INDEX download_credentials_of_user ON download_credentials (organization_id, user_id);
