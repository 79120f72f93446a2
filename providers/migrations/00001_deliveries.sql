-- +goose Up

-- The providers' inboxes: one row per lease. sequence is that of the event
-- exchange.lease.matched and therefore rises in the order of the log; data is
-- the event's payload, which holds the lease.
CREATE TABLE providers_deliveries (
    lease    BIGINT NOT NULL PRIMARY KEY,
    provider TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    status   TEXT   NOT NULL,
    data     TEXT   NOT NULL
);

CREATE UNIQUE INDEX providers_deliveries_inbox ON providers_deliveries (provider, sequence);

-- +goose Down
DROP TABLE providers_deliveries;
