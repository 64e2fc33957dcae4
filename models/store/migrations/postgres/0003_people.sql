-- +goose Up
-- An organization: its domain is verified by the hub's operator (empty: none), and belongs to it alone.
ALTER TABLE organizations ADD COLUMN domain text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE organizations ADD COLUMN require_comparison_code boolean NOT NULL DEFAULT false;
ALTER TABLE organizations ADD COLUMN require_second_factor boolean NOT NULL DEFAULT false;
ALTER TABLE organizations ADD COLUMN disabled_at timestamptz;
CREATE UNIQUE INDEX organizations_domain ON organizations (domain) WHERE domain <> '';

-- Somebody who signs in through a provider alone has an empty password_hash.
ALTER TABLE users ADD COLUMN last_signed_in_at timestamptz;
ALTER TABLE users ADD COLUMN password_changed_at timestamptz;

-- Older sessions have no id to be listed by: their people sign in again.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN confirmed_at timestamptz NOT NULL
    DEFAULT '1970-01-01 00:00:00+00';
ALTER TABLE sessions ADD COLUMN method text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN user_agent text COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX sessions_id ON sessions (id);

CREATE TABLE passkeys (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    credential_id   text COLLATE "C" NOT NULL,
    public_key      bytea NOT NULL,
    transports      text COLLATE "C" NOT NULL,
    backup_eligible boolean NOT NULL,
    sign_count      bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX passkey_credential ON passkeys (credential_id);
CREATE INDEX passkeys_of_user ON passkeys (organization_id, user_id);

-- Each code works once: used_at is set where it is null.
CREATE TABLE recovery_codes (
    id_hash         text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    used_at         timestamptz,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX recovery_codes_of_user ON recovery_codes (organization_id, user_id);

-- What a browser was asked to answer with a second factor, or to make a passkey for; once.
CREATE TABLE sign_in_challenges (
    id_hash         text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    purpose         text COLLATE "C" NOT NULL,
    browser_hash    text COLLATE "C" NOT NULL,
    data            bytea NOT NULL,
    tries           bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sign_in_challenges_expiry ON sign_in_challenges (expires_at);

CREATE TABLE invitations (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
    token_hash      text COLLATE "C" NOT NULL,
    email           text COLLATE "C" NOT NULL,
    role            text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    invited_by      text COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE UNIQUE INDEX invitation_token ON invitations (token_hash);
-- A newer invitation of the same address makes the old one worthless.
CREATE UNIQUE INDEX one_open_invitation ON invitations (organization_id, email)
    WHERE ended_at IS NULL;

CREATE TABLE api_tokens (
    id              text COLLATE "C" NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    prefix          text COLLATE "C" NOT NULL,
    secret_hash     text COLLATE "C" NOT NULL,
    scopes          text COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    last_used_at    timestamptz,
    revoked_at      timestamptz,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX api_token_secret ON api_tokens (secret_hash);
CREATE INDEX api_tokens_of_user ON api_tokens (organization_id, user_id);
