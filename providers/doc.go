// Package providers is the exchange's side towards those who sell capacity.
//
// It owns the delivery of leases to their providers (Service: an inbox per
// provider, filled from the exchange's events), and the figures that describe
// where capacity runs and what it costs the climate: the catalogue of cloud
// regions (Catalogue), price lists (ReadPrices), the carbon intensity of grids by
// the year (ReadGridIntensity) and by the hour (ReadCurves), the power of
// processors (PowerOf) and the market that these make together (BuildMarket,
// Market).
//
// It does not own leases, which live in the exchange and are accepted, started
// and ended there, nor usage. Registration, sites, heartbeats and reputation of
// providers are not built.
//
// What always holds:
//   - Every lease is delivered to exactly one inbox, once, in the order in which
//     the exchange matched; a delivery's cursor rises and never changes.
//   - A delivery's status is that of the exchange's newest event taken.
//   - Figures are exact: decimals are read as they are written, never as floats,
//     and rounded once, in a function that is named for it. A figure that is not
//     in its source is an error or is reported, never guessed.
package providers
