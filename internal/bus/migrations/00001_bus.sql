-- +goose Up
-- The last number that each producer has given to an event.
CREATE TABLE feeds (
    producer      TEXT   NOT NULL PRIMARY KEY,
    last_sequence BIGINT NOT NULL
);
-- The durable, ordered feed of each producer.
CREATE TABLE outbox (
    producer TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    type     TEXT   NOT NULL,
    at       BIGINT NOT NULL, -- microseconds since the Unix epoch
    subject  TEXT   NOT NULL,
    data     TEXT   NOT NULL, -- JSON
    PRIMARY KEY (producer, sequence)
);
-- The last event of each producer that each consumer has taken.
CREATE TABLE positions (
    consumer TEXT   NOT NULL,
    producer TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (consumer, producer)
);
-- +goose Down
DROP TABLE positions;
DROP TABLE outbox;
DROP TABLE feeds;
