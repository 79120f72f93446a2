// Package orderbook is the book of one product: it pairs bids with offers.
//
// It owns the rules of who meets whom, when, and at what price, and the free
// capacity of each offer over time. It does not own accounts, funds, leases,
// identifiers or clocks: the caller validates orders, numbers their arrival,
// interns their names, tells the time and turns fills into leases. There is no
// I/O, no clock, no randomness, no float and no goroutine in it, and no result
// depends on the order of a map, so equal commands give equal fills anywhere.
//
// The rules, each with examples that are run as tests, are in docs/matching.md:
//
//  1. A pair meets only if every hard condition of both holds: different
//     organisations, region and provider sets, SLA, carbon cap,
//     interruptibility, minimum duration, effective price (offer's price + the
//     bid's carbon price x the offer's carbon) within the limit, and a start
//     from which the units are free for the whole duration inside both windows
//     and not before now.
//  2. Every lease has at least the offer's minimum fill, and the bid's or all
//     that the bid still seeks.
//  3. A bid repeatedly takes its best lease by effective price, then start, then
//     the offer's arrival.
//  4. New capacity of an offer, placed or released, goes to resting bids by what
//     they would pay it, then arrival. A bid whose needed minimum falls by that
//     is tried against all offers again.
//  5. Of bid and offer, the one that came first sets the price of the fill.
//  6. An all-or-none bid fills completely, all leases starting in one minute, at
//     the start of least total effective cost, then the earliest.
//  7. ioc and fok bids never rest. A bid that has become as many leases as it
//     allows does not rest either, whatever it still seeks.
//  8. A cancelled offer keeps nothing in the book.
//
// What always holds after each call: at no minute is an offer sold beyond its
// units, nor more free than it has; no fill is past its bid's limit or below its
// offer's price, and its price is on the tick; and no bid rests, all-or-none
// bids aside, that could have a lease of an offer in the book. A broken promise
// of a caller or of the book itself panics with the name of what should hold.
//
// All-or-none bids are outside of the last promise because their search is
// greedy, as that of a person with a price list: now and then less free capacity
// allows what more did not (see fillWhole), and it is tried only when the bid
// comes and when capacity that it can use does.
package orderbook
