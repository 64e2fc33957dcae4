-- +goose Up
-- A cluster whose organization is disabled gets no permit; its nodes stay registered.
ALTER TABLE clusters ADD COLUMN suspended boolean NOT NULL DEFAULT false;
UPDATE clusters SET suspended = true WHERE organization_id IN
    (SELECT id FROM organizations WHERE disabled_at IS NOT NULL);
