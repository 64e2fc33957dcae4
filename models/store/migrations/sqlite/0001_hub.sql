-- +goose Up
-- Times are fixed-width UTC text with microseconds (docs/adr/0005), so that comparing text
-- compares instants. A tenant's rows carry organization_id; composite foreign keys keep a row of
-- one tenant from hanging on a row of another (R29).

CREATE TABLE hub_states (
    id          integer  NOT NULL PRIMARY KEY CHECK (id = 1),
    incarnation integer  NOT NULL,
    hub_id      text     NOT NULL,
    created_at  datetime NOT NULL
);

CREATE TABLE organizations (
    id         text     NOT NULL PRIMARY KEY,
    name       text     NOT NULL,
    name_key   text     NOT NULL,
    zone       text     NOT NULL,
    language   text     NOT NULL,
    vendor     numeric  NOT NULL,
    created_at datetime NOT NULL
);
CREATE UNIQUE INDEX organizations_name ON organizations (name_key);
CREATE UNIQUE INDEX one_vendor ON organizations (vendor) WHERE vendor;

CREATE TABLE users (
    id              text     NOT NULL PRIMARY KEY,
    organization_id text     NOT NULL REFERENCES organizations (id),
    email           text     NOT NULL,
    name            text     NOT NULL,
    role            text     NOT NULL,
    password_hash   text     NOT NULL,
    created_at      datetime NOT NULL,
    disabled_at     datetime,
    UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX users_email ON users (email);

CREATE TABLE sessions (
    id_hash         text     NOT NULL PRIMARY KEY,
    user_id         text     NOT NULL,
    organization_id text     NOT NULL,
    created_at      datetime NOT NULL,
    last_used_at    datetime NOT NULL,
    expires_at      datetime NOT NULL,
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sessions_of_user ON sessions (organization_id, user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE clusters (
    id                text     NOT NULL PRIMARY KEY,
    organization_id   text     NOT NULL REFERENCES organizations (id),
    display_name      text     NOT NULL,
    name_key          text     NOT NULL,
    fqdn              text     NOT NULL,
    channel           text     NOT NULL,
    registered_at     datetime NOT NULL,
    deregistered_at   datetime,
    zone              text     NOT NULL,
    regular_time      text     NOT NULL,
    regular_days      integer  NOT NULL,
    regular_minutes   integer  NOT NULL,
    emergency_time    text     NOT NULL,
    emergency_minutes integer  NOT NULL,
    schedule_version  integer  NOT NULL,
    schedule_from     datetime NOT NULL,
    postponed_start   datetime,
    postpone_spent    numeric  NOT NULL,
    pending_since     datetime,
    first_chance      datetime,
    extra_start       datetime,
    extra_end         datetime,
    extra_kind        text     NOT NULL,
    despite_node      text     NOT NULL,
    fence_incarnation integer  NOT NULL,
    fence_counter     integer  NOT NULL,
    await_polls       numeric  NOT NULL,
    UNIQUE (organization_id, id)
);
-- R1 and R5: among the living of one organization.
CREATE UNIQUE INDEX living_cluster_name ON clusters (organization_id, name_key)
    WHERE deregistered_at IS NULL;
CREATE UNIQUE INDEX living_cluster_fqdn ON clusters (organization_id, fqdn)
    WHERE deregistered_at IS NULL;

CREATE TABLE nodes (
    id                 text     NOT NULL PRIMARY KEY,
    organization_id    text     NOT NULL,
    cluster_id         text     NOT NULL,
    name               text     NOT NULL,
    role               text     NOT NULL,
    member             text     NOT NULL,
    key_thumb          text     NOT NULL,
    public_key         text     NOT NULL,
    joined_at          datetime,
    version            text     NOT NULL,
    client_version     text     NOT NULL,
    protocol           integer  NOT NULL,
    step               text     NOT NULL,
    step_percent       integer  NOT NULL,
    health             text     NOT NULL,
    health_detail      text     NOT NULL,
    boot_id            text     NOT NULL,
    counter            integer  NOT NULL,
    skew_seconds       integer  NOT NULL,
    facts_digest       text     NOT NULL,
    facts              text,
    denied             text,
    adopted_odd        text     NOT NULL,
    journal_permit     text     NOT NULL,
    highest_fence      text,
    seen_at            datetime,
    interval_seconds   integer  NOT NULL,
    polled_since       numeric  NOT NULL,
    maintenance_until  datetime,
    maintenance_reason text     NOT NULL,
    verb               text     NOT NULL,
    reason             text     NOT NULL,
    subject            text     NOT NULL,
    earliest           datetime,
    decided_at         datetime,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id),
    UNIQUE (organization_id, cluster_id, id)
);
CREATE UNIQUE INDEX member_name ON nodes (cluster_id, name) WHERE member <> 'removed';
CREATE UNIQUE INDEX node_key ON nodes (key_thumb) WHERE key_thumb <> '';

CREATE TABLE registrations (
    id               text     NOT NULL PRIMARY KEY,
    organization_id  text     NOT NULL,
    kind             text     NOT NULL,
    display_name     text     NOT NULL,
    fqdn             text     NOT NULL,
    state            text     NOT NULL,
    secret_hash      text     NOT NULL,
    user_id          text     NOT NULL,
    requested_by     text     NOT NULL,
    session_hash     text     NOT NULL,
    created_at       datetime NOT NULL,
    expires_at       datetime NOT NULL,
    claimed_at       datetime,
    return_by        datetime,
    return_code_hash text     NOT NULL,
    claim            blob,
    key_thumb        text     NOT NULL,
    comparison_code  text     NOT NULL,
    cluster_id       text     NOT NULL,
    node_id          text     NOT NULL,
    ended_at         datetime,
    dismissed_at     datetime,
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
    id           text     NOT NULL PRIMARY KEY,
    version      text     NOT NULL,
    kind         text     NOT NULL,
    state        text     NOT NULL,
    channel      text     NOT NULL,
    digest       text     NOT NULL,
    size         integer  NOT NULL,
    requirements text,
    update_order text     NOT NULL,
    notes        text     NOT NULL,
    created_at   datetime NOT NULL,
    published_at datetime,
    ended_at     datetime
);
CREATE UNIQUE INDEX release_version ON releases (channel, version);
CREATE INDEX releases_by_digest ON releases (digest);

CREATE TABLE rollouts (
    id              text     NOT NULL PRIMARY KEY,
    organization_id text     NOT NULL,
    cluster_id      text     NOT NULL,
    release_id      text     NOT NULL REFERENCES releases (id),
    version         text     NOT NULL,
    kind            text     NOT NULL,
    state           text     NOT NULL,
    blocked_by      text     NOT NULL,
    retry_after     datetime,
    started_at      datetime NOT NULL,
    ended_at        datetime,
    FOREIGN KEY (organization_id, cluster_id) REFERENCES clusters (organization_id, id),
    CHECK ((state IN ('completed', 'superseded', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_open_rollout ON rollouts (cluster_id) WHERE ended_at IS NULL;
CREATE INDEX rollouts_of_cluster ON rollouts (cluster_id, started_at);

CREATE TABLE permits (
    id                text     NOT NULL PRIMARY KEY,
    organization_id   text     NOT NULL,
    cluster_id        text     NOT NULL,
    node_id           text     NOT NULL,
    rollout_id        text     NOT NULL,
    release_id        text     NOT NULL,
    kind              text     NOT NULL,
    state             text     NOT NULL,
    outcome           text     NOT NULL,
    detail            text     NOT NULL,
    fence_incarnation integer  NOT NULL,
    fence_counter     integer  NOT NULL,
    offered_at        datetime NOT NULL,
    start_by          datetime NOT NULL,
    confirmed_at      datetime,
    confirmed_boot    text     NOT NULL,
    ended_at          datetime,
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
    id              text     NOT NULL PRIMARY KEY,
    organization_id text     NOT NULL REFERENCES organizations (id),
    at              datetime NOT NULL,
    actor_kind      text     NOT NULL,
    actor_id        text     NOT NULL,
    actor_name      text     NOT NULL,
    address         text     NOT NULL,
    user_agent      text     NOT NULL,
    action          text     NOT NULL,
    target_kind     text     NOT NULL,
    target_id       text     NOT NULL,
    target_name     text     NOT NULL,
    cluster_id      text     NOT NULL,
    before          text     NOT NULL,
    after           text     NOT NULL,
    tracking_id     text     NOT NULL
);
CREATE INDEX audit_of_organization ON audit_records (organization_id, id);
CREATE INDEX audit_of_cluster ON audit_records (cluster_id, id);

CREATE TABLE spent_assertions (
    id         text     NOT NULL PRIMARY KEY,
    expires_at datetime NOT NULL
);
CREATE INDEX spent_assertions_expiry ON spent_assertions (expires_at);
