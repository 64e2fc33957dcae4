-- +goose Up
-- Each organization's audit records form a chain of hashes (docs/adr/0009). Records from before
-- get their hashes from the program, directly after this file.
ALTER TABLE audit_records ADD COLUMN sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_records ADD COLUMN encoding bigint NOT NULL DEFAULT 0;
ALTER TABLE audit_records ADD COLUMN previous text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN hash text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_email text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_role text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN actor_organization text COLLATE "C" NOT NULL DEFAULT '';
UPDATE audit_records SET sequence = n.sequence FROM (SELECT id,
        row_number() OVER (PARTITION BY organization_id ORDER BY id) AS sequence
    FROM audit_records) AS n WHERE n.id = audit_records.id;
CREATE UNIQUE INDEX audit_sequence ON audit_records (organization_id, sequence);
CREATE INDEX audit_by_time ON audit_records (organization_id, at, sequence);

-- Half of each page is left free: a head's new form stays on its page, and its index untouched.
CREATE TABLE audit_heads (
    organization_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES organizations (id),
    sequence        bigint  NOT NULL,
    hash            text COLLATE "C" NOT NULL,
    pruned_sequence bigint  NOT NULL,
    pruned_hash     text COLLATE "C" NOT NULL,
    prune_statement text COLLATE "C" NOT NULL,
    checkpoints     bigint  NOT NULL,
    unchained       boolean NOT NULL,
    CHECK (pruned_sequence <= sequence)
) WITH (fillfactor = 50);
INSERT INTO audit_heads
    SELECT o.id, 0, '', 0, '', '', 0,
        EXISTS (SELECT 1 FROM audit_records r WHERE r.organization_id = o.id)
    FROM organizations o;

CREATE TABLE audit_checkpoints (
    organization_id text COLLATE "C" NOT NULL REFERENCES organizations (id),
    number          bigint NOT NULL,
    sequence        bigint NOT NULL,
    hash            text COLLATE "C" NOT NULL,
    at              timestamptz NOT NULL,
    statement       text COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, number)
);

-- The second wall: what a chain makes evident, the database refuses. A record gets its hash once,
-- never changes, and goes only below the point up to which the hub has signed that it is too old.
-- +goose StatementBegin
CREATE FUNCTION audit_record_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.sequence < 1 OR NEW.hash = '' THEN
            RAISE EXCEPTION 'an audit record needs its place in the chain';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF OLD.hash <> '' THEN
            RAISE EXCEPTION 'an audit record never changes';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.sequence > COALESCE((SELECT h.pruned_sequence FROM audit_heads h
        WHERE h.organization_id = OLD.organization_id), 0) THEN
        RAISE EXCEPTION 'an audit record goes by its age only';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_head_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the head of an audit chain stays';
    END IF;
    IF NEW.organization_id <> OLD.organization_id OR NEW.sequence < OLD.sequence
        OR NEW.pruned_sequence < OLD.pruned_sequence OR NEW.checkpoints < OLD.checkpoints
        OR NEW.unchained > OLD.unchained THEN
        RAISE EXCEPTION 'the head of an audit chain only grows';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_checkpoint_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'an audit checkpoint never changes';
    END IF;
    IF OLD.sequence > COALESCE((SELECT h.pruned_sequence FROM audit_heads h
        WHERE h.organization_id = OLD.organization_id), 0) THEN
        RAISE EXCEPTION 'an audit checkpoint goes by its age only';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is never emptied';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_record_guard BEFORE INSERT OR UPDATE OR DELETE ON audit_records
    FOR EACH ROW EXECUTE FUNCTION audit_record_guard();
CREATE TRIGGER audit_head_guard BEFORE UPDATE OR DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION audit_head_guard();
CREATE TRIGGER audit_checkpoint_guard BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_checkpoint_guard();
CREATE TRIGGER audit_records_stay BEFORE TRUNCATE ON audit_records
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_heads_stay BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
CREATE TRIGGER audit_checkpoints_stay BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
