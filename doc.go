// Package corehour is the vocabulary of the exchange: money, prices, units,
// delivery time, carbon, regions, identifiers, errors and the events that the
// packages tell each other.
//
// It owns the types that may cross a package boundary and the few conversions
// between them, each with its rounding named. It owns no behaviour and no I/O:
// nothing here reads a clock, a file, a socket or a source of randomness.
//
// What always holds: quantities are integers with a unit of their own, so that
// adding money to units does not compile; products of two quantities are
// carried in 128 bits; amounts are rounded down, for the buyer; persisted and
// published enumerations are strings or explicitly numbered.
package corehour
