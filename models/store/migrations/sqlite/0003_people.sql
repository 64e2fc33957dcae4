-- +goose Up
-- An organization: its domain is verified by the hub's operator (empty: none), and belongs to it alone.
ALTER TABLE organizations ADD COLUMN domain text NOT NULL DEFAULT '';
ALTER TABLE organizations ADD COLUMN require_comparison_code numeric NOT NULL DEFAULT false;
ALTER TABLE organizations ADD COLUMN require_second_factor numeric NOT NULL DEFAULT false;
ALTER TABLE organizations ADD COLUMN disabled_at datetime;
CREATE UNIQUE INDEX organizations_domain ON organizations (domain) WHERE domain <> '';

-- Somebody who signs in through a provider alone has an empty password_hash.
ALTER TABLE users ADD COLUMN last_signed_in_at datetime;
ALTER TABLE users ADD COLUMN password_changed_at datetime;

-- Older sessions have no id to be listed by: their people sign in again.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN confirmed_at datetime NOT NULL
    DEFAULT '1970-01-01 00:00:00.000000+00:00';
ALTER TABLE sessions ADD COLUMN method text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX sessions_id ON sessions (id);

CREATE TABLE passkeys (
    id              text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    name            text NOT NULL,
    credential_id   text NOT NULL,
    public_key      blob NOT NULL,
    transports      text NOT NULL,
    backup_eligible numeric NOT NULL,
    sign_count      integer NOT NULL,
    created_at      datetime NOT NULL,
    last_used_at    datetime,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX passkey_credential ON passkeys (credential_id);
CREATE INDEX passkeys_of_user ON passkeys (organization_id, user_id);

-- Each code works once: used_at is set where it is null.
CREATE TABLE recovery_codes (
    id_hash         text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    created_at      datetime NOT NULL,
    used_at         datetime,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX recovery_codes_of_user ON recovery_codes (organization_id, user_id);

-- What a browser was asked to answer with a second factor, or to make a passkey for; once.
CREATE TABLE sign_in_challenges (
    id_hash         text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    purpose         text NOT NULL,
    browser_hash    text NOT NULL,
    data            blob NOT NULL,
    tries           integer NOT NULL,
    created_at      datetime NOT NULL,
    expires_at      datetime NOT NULL,
    used_at         datetime,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sign_in_challenges_expiry ON sign_in_challenges (expires_at);

CREATE TABLE invitations (
    id              text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organizations (id),
    token_hash      text NOT NULL,
    email           text NOT NULL,
    role            text NOT NULL,
    user_id         text NOT NULL,
    invited_by      text NOT NULL,
    created_at      datetime NOT NULL,
    expires_at      datetime NOT NULL,
    ended_at        datetime
);
CREATE UNIQUE INDEX invitation_token ON invitations (token_hash);
-- A newer invitation of the same address makes the old one worthless.
CREATE UNIQUE INDEX one_open_invitation ON invitations (organization_id, email)
    WHERE ended_at IS NULL;

CREATE TABLE api_tokens (
    id              text NOT NULL PRIMARY KEY,
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    name            text NOT NULL,
    prefix          text NOT NULL,
    secret_hash     text NOT NULL,
    scopes          text NOT NULL,
    created_at      datetime NOT NULL,
    expires_at      datetime NOT NULL,
    last_used_at    datetime,
    revoked_at      datetime,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX api_token_secret ON api_tokens (secret_hash);
CREATE INDEX api_tokens_of_user ON api_tokens (organization_id, user_id);
