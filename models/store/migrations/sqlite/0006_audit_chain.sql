-- +goose Up
-- Each organization's audit records form a chain of hashes (docs/adr/0009). Records from before
-- get their hashes from the program, directly after this file.
ALTER TABLE audit_records ADD COLUMN sequence integer NOT NULL DEFAULT 0;
ALTER TABLE audit_records ADD COLUMN encoding integer NOT NULL DEFAULT 0;
ALTER TABLE audit_records ADD COLUMN previous text NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN hash text NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_email text NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_role text NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_organization text NOT NULL DEFAULT '';
UPDATE audit_records SET sequence = n.sequence FROM (SELECT id,
        row_number() OVER (PARTITION BY organization_id ORDER BY id) AS sequence
    FROM audit_records) AS n WHERE n.id = audit_records.id;
CREATE UNIQUE INDEX audit_sequence ON audit_records (organization_id, sequence);
CREATE INDEX audit_by_time ON audit_records (organization_id, at, sequence);

CREATE TABLE audit_heads (
    organization_id text    NOT NULL PRIMARY KEY REFERENCES organizations (id),
    sequence        integer NOT NULL,
    hash            text    NOT NULL,
    pruned_sequence integer NOT NULL,
    pruned_hash     text    NOT NULL,
    prune_statement text    NOT NULL,
    checkpoints     integer NOT NULL,
    unchained       numeric NOT NULL,
    CHECK (pruned_sequence <= sequence)
);
INSERT INTO audit_heads
    SELECT o.id, 0, '', 0, '', '', 0,
        EXISTS (SELECT 1 FROM audit_records r WHERE r.organization_id = o.id)
    FROM organizations o;

CREATE TABLE audit_checkpoints (
    organization_id text     NOT NULL REFERENCES organizations (id),
    number          integer  NOT NULL,
    sequence        integer  NOT NULL,
    hash            text     NOT NULL,
    at              datetime NOT NULL,
    statement       text     NOT NULL,
    PRIMARY KEY (organization_id, number)
);

-- The second wall: what a chain makes evident, the database refuses. A record gets its hash once,
-- never changes, and goes only below the point up to which the hub has signed that it is too old.
-- +goose StatementBegin
CREATE TRIGGER audit_record_has_a_place BEFORE INSERT ON audit_records WHEN NEW.sequence < 1 OR NEW.hash = ''
BEGIN SELECT RAISE(ABORT, 'an audit record needs its place in the chain'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_record_never_changes BEFORE UPDATE ON audit_records WHEN OLD.hash <> ''
BEGIN SELECT RAISE(ABORT, 'an audit record never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_record_stays BEFORE DELETE ON audit_records
WHEN OLD.sequence > COALESCE((SELECT h.pruned_sequence FROM audit_heads h
    WHERE h.organization_id = OLD.organization_id), 0)
BEGIN SELECT RAISE(ABORT, 'an audit record goes by its age only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_heads
WHEN NEW.organization_id <> OLD.organization_id OR NEW.sequence < OLD.sequence
    OR NEW.pruned_sequence < OLD.pruned_sequence OR NEW.checkpoints < OLD.checkpoints
    OR NEW.unchained > OLD.unchained
BEGIN SELECT RAISE(ABORT, 'the head of an audit chain only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the head of an audit chain stays'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoint_never_changes BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'an audit checkpoint never changes'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoint_stays BEFORE DELETE ON audit_checkpoints
WHEN OLD.sequence > COALESCE((SELECT h.pruned_sequence FROM audit_heads h
    WHERE h.organization_id = OLD.organization_id), 0)
BEGIN SELECT RAISE(ABORT, 'an audit checkpoint goes by its age only'); END;
-- +goose StatementEnd
