-- +goose Up
-- What the book knows since it has carbon by the hour, pieces, groups and
-- amendments. Orders from before it have none of that.
ALTER TABLE exchange_offers ADD COLUMN energy_mwh BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_offers ADD COLUMN zone TEXT NOT NULL DEFAULT '';
ALTER TABLE exchange_offers ADD COLUMN post_only BIGINT NOT NULL DEFAULT 0;

ALTER TABLE exchange_bids ADD COLUMN countries TEXT NOT NULL DEFAULT '{}';
ALTER TABLE exchange_bids ADD COLUMN continents TEXT NOT NULL DEFAULT '{}';
ALTER TABLE exchange_bids ADD COLUMN max_take_or_pay_bps BIGINT NOT NULL DEFAULT 10000;
ALTER TABLE exchange_bids ADD COLUMN min_piece_minutes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_bids ADD COLUMN bid_group BIGINT NOT NULL DEFAULT 0;
ALTER TABLE exchange_bids ADD COLUMN post_only BIGINT NOT NULL DEFAULT 0;
-- What each open unit still seeks; 0 where none is open.
ALTER TABLE exchange_bids ADD COLUMN left_minutes BIGINT NOT NULL DEFAULT 0;
UPDATE exchange_bids SET left_minutes = duration_minutes WHERE open_units > 0;
