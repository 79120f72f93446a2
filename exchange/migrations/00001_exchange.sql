-- +goose Up
-- Where the projection stands in the log: one row.
CREATE TABLE exchange_position (
    id       BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash     TEXT   NOT NULL
);

CREATE TABLE exchange_offers (
    id                   BIGINT PRIMARY KEY,
    product              TEXT   NOT NULL,
    provider             TEXT   NOT NULL,
    org                  TEXT   NOT NULL,
    region               TEXT   NOT NULL,
    units                BIGINT NOT NULL,
    from_minute          BIGINT NOT NULL,
    to_minute            BIGINT NOT NULL,
    price_nano           BIGINT NOT NULL,
    carbon_mg            BIGINT NOT NULL,
    sla                  BIGINT NOT NULL,
    interruptible        BIGINT NOT NULL,
    min_fill             BIGINT NOT NULL,
    min_duration_minutes BIGINT NOT NULL,
    take_or_pay_bps      BIGINT NOT NULL,
    client_id            TEXT   NOT NULL,
    placed_at            BIGINT NOT NULL,
    closed               TEXT   NOT NULL,
    closed_at            BIGINT NOT NULL
);
CREATE INDEX exchange_offers_by_provider ON exchange_offers (provider, id);

CREATE TABLE exchange_bids (
    id                    BIGINT PRIMARY KEY,
    product               TEXT   NOT NULL,
    consumer              TEXT   NOT NULL,
    org                   TEXT   NOT NULL,
    units                 BIGINT NOT NULL,
    duration_minutes      BIGINT NOT NULL,
    earliest_start_minute BIGINT NOT NULL,
    latest_end_minute     BIGINT NOT NULL,
    limit_price_nano      BIGINT NOT NULL,
    regions               TEXT   NOT NULL,
    providers             TEXT   NOT NULL,
    max_carbon_mg         BIGINT,
    carbon_price_nano     BIGINT NOT NULL,
    min_sla               BIGINT NOT NULL,
    interruptible         BIGINT NOT NULL,
    min_fill              BIGINT NOT NULL,
    max_leases            BIGINT NOT NULL,
    time_in_force         BIGINT NOT NULL,
    expires_at            BIGINT NOT NULL,
    client_id             TEXT   NOT NULL,
    placed_at             BIGINT NOT NULL,
    open_units            BIGINT NOT NULL,
    closed                TEXT   NOT NULL,
    closed_at             BIGINT NOT NULL
);
CREATE INDEX exchange_bids_by_consumer ON exchange_bids (consumer, id);

CREATE TABLE exchange_leases (
    id              BIGINT PRIMARY KEY,
    product         TEXT   NOT NULL,
    bid             BIGINT NOT NULL,
    offer           BIGINT NOT NULL,
    consumer        TEXT   NOT NULL,
    consumer_org    TEXT   NOT NULL,
    provider        TEXT   NOT NULL,
    provider_org    TEXT   NOT NULL,
    region          TEXT   NOT NULL,
    units           BIGINT NOT NULL,
    start_minute    BIGINT NOT NULL,
    end_minute      BIGINT NOT NULL,
    price_nano      BIGINT NOT NULL,
    carbon_mg       BIGINT NOT NULL,
    sla             BIGINT NOT NULL,
    interruptible   BIGINT NOT NULL,
    take_or_pay_bps BIGINT NOT NULL,
    fee_bps         BIGINT NOT NULL,
    hold_nano       BIGINT NOT NULL,
    matched_at      BIGINT NOT NULL,
    status          TEXT   NOT NULL,
    accepted_at     BIGINT NOT NULL,
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL,
    settled_at      BIGINT NOT NULL,
    charged_nano    BIGINT NOT NULL,
    fee_paid_nano   BIGINT NOT NULL
);
CREATE INDEX exchange_leases_by_consumer ON exchange_leases (consumer, id);
CREATE INDEX exchange_leases_by_provider ON exchange_leases (provider, id);
CREATE INDEX exchange_leases_by_bid ON exchange_leases (bid, id);
