-- +goose Up
-- The OpenID Connect provider of an organization. The operator of the hub sets it, on its command line.
CREATE TABLE oidc_providers (
    organization_id text NOT NULL PRIMARY KEY REFERENCES organizations (id),
    issuer          text NOT NULL,
    client_id       text NOT NULL,
    sealed_secret   text NOT NULL,
    hosts           text NOT NULL,
    required        numeric NOT NULL,
    set_at          datetime NOT NULL
);

-- A browser's journey to the provider and back. Hashes only: whoever reads them cannot finish it.
CREATE TABLE oidc_logins (
    state_hash      text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations (id),
    browser_hash    text NOT NULL,
    nonce_hash      text NOT NULL,
    issuer          text NOT NULL,
    client_id       text NOT NULL,
    purpose         text NOT NULL,
    user_id         text NOT NULL,
    session_hash    text NOT NULL,
    return_to       text NOT NULL,
    began_at        datetime NOT NULL,
    expires_at      datetime NOT NULL,
    used_at         datetime
);
CREATE INDEX oidc_logins_expiry ON oidc_logins (expires_at);

-- What a provider calls a person is bound at the first sign-in: an e-mail address that is given to
-- somebody else later does not reach the account.
CREATE TABLE oidc_subjects (
    organization_id text NOT NULL,
    issuer          text NOT NULL,
    subject         text NOT NULL,
    user_id         text NOT NULL,
    bound_at        datetime NOT NULL,
    PRIMARY KEY (organization_id, issuer, subject),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX oidc_subject_of_user ON oidc_subjects (organization_id, user_id, issuer);
