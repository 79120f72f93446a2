// Package orderbook is the book of one product: it pairs bids with offers.
//
// It owns the rules of who meets whom, when, and at what price, the free capacity
// of each offer over time, and the carbon intensity of the grid zones (Grid). It
// does not own accounts, funds, leases, identifiers or clocks: the caller
// validates orders, numbers their arrival, interns their names, tells the time
// and turns fills into leases. There is no I/O, no clock, no randomness, no float
// and no goroutine in it, and no result depends on the order of a map, so equal
// commands give equal fills anywhere.
//
// The rules, each with examples that are run as tests, are in docs/matching.md:
//
//  1. A pair meets only if every hard condition of both holds: different
//     organisations, region and provider sets, SLA, carbon cap,
//     interruptibility, take-or-pay share, minimum duration, effective price
//     (offer's price + the bid's carbon price x the offer's carbon over the very
//     hours) within the limit, and a start from which the units are free for the
//     whole duration inside both windows and not before now.
//  2. Every lease has at least the offer's minimum fill, and the bid's or all
//     that the bid still seeks.
//  3. A bid repeatedly takes its best lease by effective price, then start, then
//     the offer's arrival. A splittable bid takes its time in pieces.
//  4. New capacity of an offer, placed, released or amended, goes to the resting
//     bid that would pay most for what is left, lease by lease; then arrival. A
//     bid whose needs became smaller by that is tried against all offers again.
//  5. Of bid and offer, the one that came first sets the price of the fill.
//  6. An all-or-none bid fills completely, all leases starting in one minute, at
//     the start of least total effective cost, then the earliest.
//  7. ioc and fok bids never rest. A bid that has become as many leases as it
//     allows does not rest either, whatever it still seeks.
//  8. Of an exclusive group, the first bid to fill completely takes the others
//     out of the book. A post-only order that would trade is refused.
//  9. A cancelled offer keeps nothing in the book.
//
// What always holds after each call: at no minute is an offer sold beyond its
// units, nor more free than it has; no fill is past its bid's limit or below its
// offer's price, and its price is on the tick; and no bid rests, all-or-none
// bids aside, that could have a lease of an offer in the book. A broken promise
// of a caller or of the book itself panics with the name of what should hold.
//
// # How it is found
//
// Orders that differ in nothing but price, arrival and units share their terms and
// wait in one ladder, by price and arrival (ladder.go); any other has a lot of its
// own for each stretch of time in which it is free. Lots, a ladder being one at its
// best price, are in trees in the order of price, a tree for each class of what is
// alike (region, zone, SLA, firm or interruptible; for bids region set, carbon
// price, SLA and what they accept), and each tree entry knows bounds of all beneath
// it: price, times, length, units, carbon, organisation (index.go). A walk keeps a
// heap of tree entries by the best key that anything beneath could have, and opens
// the top until a lease is there (walk.go); so an order reads what it could match
// and little else. During one command capacities change at once and trees when the
// search is over (settle).
package orderbook
