-- +goose Up

-- One row per provider that ever had a lease. Whoever takes in or closes usage
-- of a provider updates its row first, which is the lock on all its usage.
CREATE TABLE metering_providers (
    provider TEXT   NOT NULL PRIMARY KEY,
    touched  BIGINT NOT NULL
);

-- What metering needs to know of a lease. starts_at and ends_at are minutes,
-- the other times microseconds, since the Unix epoch. grace_from is what the
-- usage grace counts from: NULL while the lease runs, 0 where there is no grace.
CREATE TABLE metering_leases (
    id           BIGINT NOT NULL PRIMARY KEY,
    provider     TEXT   NOT NULL,
    provider_org TEXT   NOT NULL,
    consumer     TEXT   NOT NULL,
    consumer_org TEXT   NOT NULL,
    units        BIGINT NOT NULL CHECK (units > 0),
    starts_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    status       TEXT   NOT NULL,
    ended_at     BIGINT,
    grace_from   BIGINT,
    closed       BIGINT NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
    closed_at    BIGINT,
    CHECK (starts_at < ends_at)
);

CREATE INDEX metering_leases_due ON metering_leases (grace_from, id)
    WHERE closed = 0 AND grace_from IS NOT NULL;

-- The accepted usage records. sequence is that of the record's event in
-- metering's outbox, so record and event find one another forever.
CREATE TABLE usage_records (
    provider    TEXT   NOT NULL,
    record_id   TEXT   NOT NULL,
    lease       BIGINT NOT NULL,
    from_us     BIGINT NOT NULL,
    to_us       BIGINT NOT NULL,
    hour        BIGINT NOT NULL,
    cpu_us      BIGINT NOT NULL CHECK (cpu_us >= 0),
    hash        TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    PRIMARY KEY (provider, record_id),
    CHECK (from_us < to_us)
);

CREATE UNIQUE INDEX usage_records_lease ON usage_records (lease, sequence);

-- The sums of the accepted records per lease-hour; hour is the minute in which
-- the lease-hour begins.
CREATE TABLE usage_hours (
    lease   BIGINT NOT NULL,
    hour    BIGINT NOT NULL,
    records BIGINT NOT NULL,
    cpu_us  BIGINT NOT NULL,
    PRIMARY KEY (lease, hour)
);

-- +goose Down
DROP TABLE usage_hours;
DROP TABLE usage_records;
DROP TABLE metering_leases;
DROP TABLE metering_providers;
