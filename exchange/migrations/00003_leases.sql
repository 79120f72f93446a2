-- +goose Up
-- What rules, interruptions, covers, bonds and disputes make of bids and leases.
-- Those from before have none of that. Zero is no time and no lease.
ALTER TABLE exchange_bids ADD COLUMN cover_interrupted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_bids ADD COLUMN cover_of BIGINT NOT NULL DEFAULT 0;

ALTER TABLE exchange_leases ADD COLUMN accept_by BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN start_by BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN cover_of BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN payer TEXT NOT NULL DEFAULT '';
ALTER TABLE exchange_leases ADD COLUMN from_bond_nano BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE exchange_leases ADD COLUMN suspect_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN interrupt_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_leases ADD COLUMN credit_nano BIGINT NOT NULL DEFAULT 0;
CREATE INDEX exchange_leases_by_cover ON exchange_leases (cover_of, id) WHERE cover_of > 0;
