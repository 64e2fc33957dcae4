-- +goose Up
-- The OpenID Connect provider of an organization. The operator of the hub sets it, on its command line.
CREATE TABLE oidc_providers (
    organization_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES organizations (id),
    issuer          text COLLATE "C" NOT NULL,
    client_id       text COLLATE "C" NOT NULL,
    sealed_secret   text COLLATE "C" NOT NULL,
    hosts           text COLLATE "C" NOT NULL,
    required        boolean NOT NULL,
    set_at          timestamptz NOT NULL
);

-- A browser's journey to the provider and back. Hashes only: whoever reads them cannot finish it.
CREATE TABLE oidc_logins (
    state_hash      text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
    browser_hash    text COLLATE "C" NOT NULL,
    nonce_hash      text COLLATE "C" NOT NULL,
    issuer          text COLLATE "C" NOT NULL,
    client_id       text COLLATE "C" NOT NULL,
    purpose         text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    session_hash    text COLLATE "C" NOT NULL,
    return_to       text COLLATE "C" NOT NULL,
    began_at        timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz
);
CREATE INDEX oidc_logins_expiry ON oidc_logins (expires_at);

-- What a provider calls a person is bound at the first sign-in: an e-mail address that is given to
-- somebody else later does not reach the account.
CREATE TABLE oidc_subjects (
    organization_id text COLLATE "C" NOT NULL,
    issuer          text COLLATE "C" NOT NULL,
    subject         text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    bound_at        timestamptz NOT NULL,
    PRIMARY KEY (organization_id, issuer, subject),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX oidc_subject_of_user ON oidc_subjects (organization_id, user_id, issuer);
