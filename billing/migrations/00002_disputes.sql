-- +goose Up
-- A disputed lease is not settled before an operator has resolved the dispute.
ALTER TABLE billing_progress ADD COLUMN disputed BIGINT NOT NULL DEFAULT 0 CHECK (disputed IN (0, 1));
