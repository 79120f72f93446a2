-- +goose Up
-- Whether a lease was started. One that failed, or was interrupted, after that has
-- been used and may still be reported; before there were such leases nobody needed
-- to know.
ALTER TABLE metering_leases ADD COLUMN started BIGINT NOT NULL DEFAULT 0 CHECK (started IN (0, 1));

-- +goose Down
ALTER TABLE metering_leases DROP COLUMN started;
