-- +goose Up

-- The accounts that documents are made out to, as they were opened.
CREATE TABLE billing_accounts (
    account TEXT NOT NULL PRIMARY KEY,
    org     TEXT NOT NULL,
    name    TEXT NOT NULL
);

-- What a lease was matched with, which never changes. start_minute and end_minute
-- are minutes, matched_at microseconds, since the Unix epoch; price is in
-- nano-units per unit-hour, carbon in milligrams per unit-hour.
CREATE TABLE billing_leases (
    lease_id        BIGINT NOT NULL PRIMARY KEY,
    product         TEXT   NOT NULL,
    region          TEXT   NOT NULL,
    consumer        TEXT   NOT NULL,
    consumer_org    TEXT   NOT NULL,
    provider        TEXT   NOT NULL,
    provider_org    TEXT   NOT NULL,
    units           BIGINT NOT NULL,
    start_minute    BIGINT NOT NULL,
    end_minute      BIGINT NOT NULL,
    price           BIGINT NOT NULL,
    carbon          BIGINT NOT NULL,
    take_or_pay_bps BIGINT NOT NULL,
    fee_bps         BIGINT NOT NULL,
    matched_at      BIGINT NOT NULL
);

-- How far a lease is, apart from its terms because it is written often. status is
-- matched, completed or failed; ended_at is microseconds, free_from minutes.
-- charges counts what was rated, posted what the exchange has posted; ready says
-- that charges is final. settle_id is the lease's place in the queue of
-- settlements, 0 before it has one.
CREATE TABLE billing_progress (
    lease_id     BIGINT NOT NULL PRIMARY KEY,
    status       TEXT   NOT NULL,
    ended_at     BIGINT NOT NULL,
    free_from    BIGINT NOT NULL,
    used_us      BIGINT NOT NULL,
    usage_closed BIGINT NOT NULL CHECK (usage_closed IN (0, 1)),
    charges      BIGINT NOT NULL,
    posted       BIGINT NOT NULL,
    ready        BIGINT NOT NULL CHECK (ready IN (0, 1)),
    settle_id    BIGINT NOT NULL,
    settled      BIGINT NOT NULL CHECK (settled IN (0, 1))
);

CREATE INDEX billing_progress_to_settle ON billing_progress (settle_id)
    WHERE settle_id > 0 AND settled = 0;

CREATE INDEX billing_progress_unsettled ON billing_progress (lease_id)
    WHERE settled = 0 AND status <> 'matched';

-- The use of a lease-hour and what of it has been rated. hour is the minute in
-- which the lease-hour begins.
CREATE TABLE billing_hours (
    lease_id  BIGINT NOT NULL,
    hour      BIGINT NOT NULL,
    used_us   BIGINT NOT NULL,
    billed_us BIGINT NOT NULL,
    billed    BIGINT NOT NULL,
    PRIMARY KEY (lease_id, hour)
);

-- Usage that came before its lease was known, because the feeds of the exchange
-- and of metering are not ordered against each other. sequence is that of
-- metering's feed; kind is usage or closed.
CREATE TABLE billing_early (
    sequence BIGINT NOT NULL PRIMARY KEY,
    lease_id BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    hour     BIGINT NOT NULL,
    used_us  BIGINT NOT NULL
);

CREATE INDEX billing_early_lease ON billing_early (lease_id, sequence);

-- Every charge ever rated. queue_id is its place in the queue of the
-- dispatcher, month that of its hour. fee is NULL until the exchange has posted
-- it. invoice and statement are empty until one names it.
CREATE TABLE billing_charges (
    lease_id  BIGINT NOT NULL,
    number    BIGINT NOT NULL,
    queue_id  BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    hour      BIGINT NOT NULL,
    month     TEXT   NOT NULL,
    consumer  TEXT   NOT NULL,
    provider  TEXT   NOT NULL,
    cpu_us    BIGINT NOT NULL,
    amount    BIGINT NOT NULL CHECK (amount > 0),
    fee       BIGINT,
    state     TEXT   NOT NULL CHECK (state IN ('pending', 'posted')),
    invoice   TEXT   NOT NULL,
    statement TEXT   NOT NULL,
    PRIMARY KEY (lease_id, number)
);

CREATE INDEX billing_charges_pending ON billing_charges (queue_id)
    WHERE state = 'pending';

CREATE INDEX billing_charges_to_invoice ON billing_charges (consumer, month, lease_id)
    WHERE state = 'posted' AND invoice = '';

CREATE INDEX billing_charges_to_state ON billing_charges (provider, month, lease_id)
    WHERE state = 'posted' AND statement = '';

-- Counters whose numbers have no gaps, because they are taken in the transaction
-- that uses them. The row 'queue' is also the lock that orders the transactions
-- that rate, post and issue.
CREATE TABLE billing_series (
    name TEXT   NOT NULL PRIMARY KEY,
    last BIGINT NOT NULL
);

-- The running balance of each account of the ledger, in two parts that add up:
-- whole units of the currency and nano-units. The sum of one column of nano-units
-- could outgrow 64 bits, the parts cannot.
CREATE TABLE ledger_accounts (
    account TEXT   NOT NULL PRIMARY KEY,
    whole   BIGINT NOT NULL,
    nano    BIGINT NOT NULL
);

-- One row per event of the exchange that moved money; sequence is the event's.
CREATE TABLE ledger_transactions (
    sequence BIGINT NOT NULL PRIMARY KEY,
    type     TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    subject  TEXT   NOT NULL
);

-- The postings of a transaction sum to zero: credits are positive.
CREATE TABLE ledger_postings (
    sequence BIGINT NOT NULL,
    line     BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    amount   BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (sequence, line)
);

CREATE TABLE invoices (
    number    TEXT   NOT NULL PRIMARY KEY,
    period    TEXT   NOT NULL,
    consumer  TEXT   NOT NULL,
    org       TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    issued_at BIGINT NOT NULL,
    lines     BIGINT NOT NULL,
    cpu_us    BIGINT NOT NULL,
    co2e_mg   BIGINT NOT NULL,
    total     BIGINT NOT NULL,
    hash      TEXT   NOT NULL
);

CREATE INDEX invoices_consumer ON invoices (consumer, number);

CREATE TABLE invoice_lines (
    invoice      TEXT   NOT NULL,
    line         BIGINT NOT NULL,
    lease_id     BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    month        TEXT   NOT NULL,
    product      TEXT   NOT NULL,
    region       TEXT   NOT NULL,
    units        BIGINT NOT NULL,
    start_minute BIGINT NOT NULL,
    end_minute   BIGINT NOT NULL,
    price        BIGINT NOT NULL,
    charges      BIGINT NOT NULL,
    cpu_us       BIGINT NOT NULL,
    co2e_mg      BIGINT NOT NULL,
    amount       BIGINT NOT NULL,
    PRIMARY KEY (invoice, line)
);

CREATE TABLE statements (
    number    TEXT   NOT NULL PRIMARY KEY,
    period    TEXT   NOT NULL,
    provider  TEXT   NOT NULL,
    org       TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    issued_at BIGINT NOT NULL,
    lines     BIGINT NOT NULL,
    cpu_us    BIGINT NOT NULL,
    co2e_mg   BIGINT NOT NULL,
    gross     BIGINT NOT NULL,
    fee       BIGINT NOT NULL,
    net       BIGINT NOT NULL,
    hash      TEXT   NOT NULL
);

CREATE INDEX statements_provider ON statements (provider, number);

CREATE TABLE statement_lines (
    statement    TEXT   NOT NULL,
    line         BIGINT NOT NULL,
    lease_id     BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    month        TEXT   NOT NULL,
    product      TEXT   NOT NULL,
    region       TEXT   NOT NULL,
    units        BIGINT NOT NULL,
    start_minute BIGINT NOT NULL,
    end_minute   BIGINT NOT NULL,
    price        BIGINT NOT NULL,
    charges      BIGINT NOT NULL,
    cpu_us       BIGINT NOT NULL,
    co2e_mg      BIGINT NOT NULL,
    gross        BIGINT NOT NULL,
    fee          BIGINT NOT NULL,
    net          BIGINT NOT NULL,
    PRIMARY KEY (statement, line)
);

-- +goose Down
DROP TABLE statement_lines;
DROP TABLE statements;
DROP TABLE invoice_lines;
DROP TABLE invoices;
DROP TABLE ledger_postings;
DROP TABLE ledger_transactions;
DROP TABLE ledger_accounts;
DROP TABLE billing_series;
DROP TABLE billing_charges;
DROP TABLE billing_early;
DROP TABLE billing_hours;
DROP TABLE billing_progress;
DROP TABLE billing_leases;
DROP TABLE billing_accounts;
