-- +goose Up
-- Times are timestamptz, in microseconds (docs/adr/0005). Text sorts by bytes ("C"), as SQLite
-- sorts it. A tenant's rows carry organization_id; composite foreign keys keep a row of
-- one tenant from hanging on a row of another (R29).

CREATE TABLE hub_states (
    id          bigint   NOT NULL PRIMARY KEY CHECK (id = 1),
    incarnation bigint   NOT NULL,
    hub_id      text COLLATE "C"     NOT NULL,
    created_at  timestamptz NOT NULL
);

CREATE TABLE organizations (
    id         text COLLATE "C"     NOT NULL PRIMARY KEY,
    name       text COLLATE "C"     NOT NULL,
    name_key   text COLLATE "C"     NOT NULL,
    zone       text COLLATE "C"     NOT NULL,
    language   text COLLATE "C"     NOT NULL,
    vendor     boolean  NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX organizations_name ON organizations (name_key);
CREATE UNIQUE INDEX one_vendor ON organizations (vendor) WHERE vendor;

CREATE TABLE users (
    id              text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C"     NOT NULL REFERENCES organizations (id),
    email           text COLLATE "C"     NOT NULL,
    name            text COLLATE "C"     NOT NULL,
    role            text COLLATE "C"     NOT NULL,
    password_hash   text COLLATE "C"     NOT NULL,
    created_at      timestamptz NOT NULL,
    disabled_at     timestamptz,
    UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX users_email ON users (email);

CREATE TABLE sessions (
    id_hash         text COLLATE "C"     NOT NULL PRIMARY KEY,
    user_id         text COLLATE "C"     NOT NULL,
    organization_id text COLLATE "C"     NOT NULL,
    created_at      timestamptz NOT NULL,
    last_used_at    timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sessions_of_user ON sessions (organization_id, user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE clusters (
    id                text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id   text COLLATE "C"     NOT NULL REFERENCES organizations (id),
    display_name      text COLLATE "C"     NOT NULL,
    name_key          text COLLATE "C"     NOT NULL,
    fqdn              text COLLATE "C"     NOT NULL,
    channel           text COLLATE "C"     NOT NULL,
    registered_at     timestamptz NOT NULL,
    deregistered_at   timestamptz,
    zone              text COLLATE "C"     NOT NULL,
    regular_time      text COLLATE "C"     NOT NULL,
    regular_days      smallint NOT NULL,
    regular_minutes   bigint   NOT NULL,
    emergency_time    text COLLATE "C"     NOT NULL,
    emergency_minutes bigint   NOT NULL,
    schedule_version  bigint   NOT NULL,
    schedule_from     timestamptz NOT NULL,
    postponed_start   timestamptz,
    postpone_spent    boolean  NOT NULL,
    pending_since     timestamptz,
    first_chance      timestamptz,
    extra_start       timestamptz,
    extra_end         timestamptz,
    extra_kind        text COLLATE "C"     NOT NULL,
    despite_node      text COLLATE "C"     NOT NULL,
    fence_incarnation bigint   NOT NULL,
    fence_counter     bigint   NOT NULL,
    await_polls       boolean  NOT NULL,
    UNIQUE (organization_id, id)
);
-- R1 and R5: among the living of one organization.
CREATE UNIQUE INDEX living_cluster_name ON clusters (organization_id, name_key)
    WHERE deregistered_at IS NULL;
CREATE UNIQUE INDEX living_cluster_fqdn ON clusters (organization_id, fqdn)
    WHERE deregistered_at IS NULL;

CREATE TABLE nodes (
    id                 text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id    text COLLATE "C"     NOT NULL,
    cluster_id         text COLLATE "C"     NOT NULL,
    name               text COLLATE "C"     NOT NULL,
    role               text COLLATE "C"     NOT NULL,
    member             text COLLATE "C"     NOT NULL,
    key_thumb          text COLLATE "C"     NOT NULL,
    public_key         text COLLATE "C"     NOT NULL,
    joined_at          timestamptz,
    version            text COLLATE "C"     NOT NULL,
    client_version     text COLLATE "C"     NOT NULL,
    protocol           bigint   NOT NULL,
    step               text COLLATE "C"     NOT NULL,
    step_percent       bigint   NOT NULL,
    health             text COLLATE "C"     NOT NULL,
    health_detail      text COLLATE "C"     NOT NULL,
    boot_id            text COLLATE "C"     NOT NULL,
    counter            bigint   NOT NULL,
    skew_seconds       bigint   NOT NULL,
    facts_digest       text COLLATE "C"     NOT NULL,
    facts              text COLLATE "C",
    denied             text COLLATE "C",
    adopted_odd        text COLLATE "C"     NOT NULL,
    journal_permit     text COLLATE "C"     NOT NULL,
    highest_fence      text COLLATE "C",
    seen_at            timestamptz,
    interval_seconds   bigint   NOT NULL,
    polled_since       boolean  NOT NULL,
    maintenance_until  timestamptz,
    maintenance_reason text COLLATE "C"     NOT NULL,
    verb               text COLLATE "C"     NOT NULL,
    reason             text COLLATE "C"     NOT NULL,
    subject            text COLLATE "C"     NOT NULL,
    earliest           timestamptz,
    decided_at         timestamptz,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id),
    UNIQUE (organization_id, cluster_id, id)
);
CREATE UNIQUE INDEX member_name ON nodes (cluster_id, name) WHERE member <> 'removed';
CREATE UNIQUE INDEX node_key ON nodes (key_thumb) WHERE key_thumb <> '';

CREATE TABLE registrations (
    id               text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id  text COLLATE "C"     NOT NULL,
    kind             text COLLATE "C"     NOT NULL,
    display_name     text COLLATE "C"     NOT NULL,
    fqdn             text COLLATE "C"     NOT NULL,
    state            text COLLATE "C"     NOT NULL,
    secret_hash      text COLLATE "C"     NOT NULL,
    user_id          text COLLATE "C"     NOT NULL,
    requested_by     text COLLATE "C"     NOT NULL,
    session_hash     text COLLATE "C"     NOT NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    claimed_at       timestamptz,
    return_by        timestamptz,
    return_code_hash text COLLATE "C"     NOT NULL,
    claim            bytea,
    key_thumb        text COLLATE "C"     NOT NULL,
    comparison_code  text COLLATE "C"     NOT NULL,
    cluster_id       text COLLATE "C"     NOT NULL,
    node_id          text COLLATE "C"     NOT NULL,
    ended_at         timestamptz,
    dismissed_at     timestamptz,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE UNIQUE INDEX registration_secret ON registrations (secret_hash);
CREATE UNIQUE INDEX registration_return_code ON registrations (return_code_hash)
    WHERE return_code_hash <> '';
-- R4: a new registration makes the old one worthless.
CREATE UNIQUE INDEX one_pending_registration ON registrations (organization_id, fqdn)
    WHERE state = 'pending';
CREATE INDEX registrations_of_organization ON registrations (organization_id, created_at);
CREATE INDEX registrations_open ON registrations (state, expires_at)
    WHERE state IN ('pending', 'claimed');

CREATE TABLE releases (
    id           text COLLATE "C"     NOT NULL PRIMARY KEY,
    version      text COLLATE "C"     NOT NULL,
    kind         text COLLATE "C"     NOT NULL,
    state        text COLLATE "C"     NOT NULL,
    channel      text COLLATE "C"     NOT NULL,
    digest       text COLLATE "C"     NOT NULL,
    size         bigint   NOT NULL,
    requirements text COLLATE "C",
    update_order text COLLATE "C"     NOT NULL,
    notes        text COLLATE "C"     NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    ended_at     timestamptz
);
CREATE UNIQUE INDEX release_version ON releases (channel, version);
CREATE INDEX releases_by_digest ON releases (digest);

CREATE TABLE rollouts (
    id              text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C"     NOT NULL,
    cluster_id      text COLLATE "C"     NOT NULL,
    release_id      text COLLATE "C"     NOT NULL REFERENCES releases (id),
    version         text COLLATE "C"     NOT NULL,
    kind            text COLLATE "C"     NOT NULL,
    state           text COLLATE "C"     NOT NULL,
    blocked_by      text COLLATE "C"     NOT NULL,
    retry_after     timestamptz,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id),
    CHECK ((state IN ('completed', 'superseded', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (cluster_id) WHERE ended_at IS NULL;
CREATE INDEX rollouts_of_cluster ON rollouts (cluster_id, started_at);

CREATE TABLE permits (
    id                text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id   text COLLATE "C"     NOT NULL,
    cluster_id        text COLLATE "C"     NOT NULL,
    node_id           text COLLATE "C"     NOT NULL,
    rollout_id        text COLLATE "C"     NOT NULL,
    release_id        text COLLATE "C"     NOT NULL,
    kind              text COLLATE "C"     NOT NULL,
    state             text COLLATE "C"     NOT NULL,
    outcome           text COLLATE "C"     NOT NULL,
    detail            text COLLATE "C"     NOT NULL,
    fence_incarnation bigint   NOT NULL,
    fence_counter     bigint   NOT NULL,
    offered_at        timestamptz NOT NULL,
    start_by          timestamptz NOT NULL,
    confirmed_at      timestamptz,
    confirmed_boot    text COLLATE "C"     NOT NULL,
    ended_at          timestamptz,
    FOREIGN KEY (organization_id, cluster_id, node_id)
        REFERENCES nodes (organization_id, cluster_id, id),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
-- R16: at most one open permit in a cluster, whatever the code above believes.
CREATE UNIQUE INDEX one_open_permit ON permits (cluster_id) WHERE ended_at IS NULL;
-- R21: a fence is given out once.
CREATE UNIQUE INDEX permit_fence ON permits (cluster_id, fence_incarnation, fence_counter);
CREATE INDEX permits_of_cluster ON permits (cluster_id, offered_at);

CREATE TABLE audit_records (
    id              text COLLATE "C"     NOT NULL PRIMARY KEY,
    organization_id text COLLATE "C"     NOT NULL REFERENCES organizations (id),
    at              timestamptz NOT NULL,
    actor_kind      text COLLATE "C"     NOT NULL,
    actor_id        text COLLATE "C"     NOT NULL,
    actor_name      text COLLATE "C"     NOT NULL,
    address         text COLLATE "C"     NOT NULL,
    user_agent      text COLLATE "C"     NOT NULL,
    action          text COLLATE "C"     NOT NULL,
    target_kind     text COLLATE "C"     NOT NULL,
    target_id       text COLLATE "C"     NOT NULL,
    target_name     text COLLATE "C"     NOT NULL,
    cluster_id      text COLLATE "C"     NOT NULL,
    before          text COLLATE "C"     NOT NULL,
    after           text COLLATE "C"     NOT NULL,
    tracking_id     text COLLATE "C"     NOT NULL
);
CREATE INDEX audit_of_organization ON audit_records (organization_id, id);
CREATE INDEX audit_of_cluster ON audit_records (cluster_id, id);

CREATE TABLE spent_assertions (
    id         text COLLATE "C"     NOT NULL PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX spent_assertions_expiry ON spent_assertions (expires_at);
