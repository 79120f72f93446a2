package orderbook

import (
	"cmp"
	"slices"

	"github.com/corehour/corehour"
)

// candidate is an offer that a bid can meet, and the earliest lease that the bid
// could have of it now.
type candidate struct {
	offer     *offer
	effective corehour.Price
	start     corehour.Minute
	free      corehour.Units
	found     bool
}

// turn is a resting bid's place in the queue for new capacity.
type turn struct {
	bid  *restingBid
	pays corehour.Price
}

// fillFromAll gives a bid leases from every offer that it can meet, best first.
func (b *Book) fillFromAll(bid *Bid) {
	b.candidates = b.candidates[:0]
	for _, o := range b.offers {
		if o.Price > bid.Limit {
			break
		}
		first, last := starts(b.now, bid, &o.Offer)
		if first > last {
			continue
		}
		if effective, ok := eligible(bid, &o.Offer); ok {
			b.candidates = append(b.candidates, candidate{offer: o, effective: effective})
		}
	}
	slices.SortFunc(b.candidates, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.effective, y.effective), cmp.Compare(x.offer.Arrival, y.offer.Arrival))
	})
	b.fillFrom(bid, b.candidates)
}

// fillFrom takes the best lease again and again until nothing is open, no lease
// is possible or the bid may have no more of them. The candidates are sorted by
// effective price, then arrival. Going through them once is enough as long as
// the bid's needed minimum stays: taking only lowers what is free, so what had
// no lease to give has none later. When the minimum falls, cheaper offers that
// had too little may have enough, and it starts over. That happens at most once,
// because from then on the minimum is all that is open.
func (b *Book) fillFrom(bid *Bid, candidates []candidate) {
	for i := 0; i < len(candidates) && bid.seeks(); {
		end := i + 1
		for end < len(candidates) && candidates[end].effective == candidates[i].effective {
			end++
		}
		minimum := bid.atLeast()
		b.fillFromEqual(bid, candidates[i:end])
		if i = end; bid.atLeast() < minimum {
			i = 0
		}
	}
}

// fillFromEqual takes leases from offers of one effective price by earlier start,
// then earlier offer, until none is left or the bid's needed minimum has fallen.
func (b *Book) fillFromEqual(bid *Bid, equal []candidate) {
	for i := range equal {
		b.look(bid, &equal[i])
	}
	for bid.seeks() {
		var best *candidate
		for i := range equal {
			c := &equal[i]
			if c.found && c.offer.MinFill <= bid.Units && (best == nil || c.start < best.start) {
				best = c
			}
		}
		if best == nil {
			return
		}
		minimum := bid.atLeast()
		b.take(bid, best.offer, best.start, min(bid.Units, best.free))
		if bid.atLeast() < minimum {
			return
		}
		b.look(bid, best)
	}
}

// look finds the earliest lease of a candidate that is as large as both sides
// need.
func (b *Book) look(bid *Bid, c *candidate) {
	c.found = false
	if c.offer.MinFill > bid.Units {
		return
	}
	first, last := starts(b.now, bid, &c.offer.Offer)
	need := max(c.offer.MinFill, bid.atLeast())
	c.start, c.free, c.found = c.offer.free.earliest(first, last, bid.Duration, need)
}

// take makes a lease: the units are the offer's no more and the bid's no more.
func (b *Book) take(bid *Bid, o *offer, start corehour.Minute, units corehour.Units) {
	end := start.Add(bid.Duration)
	o.free.trim(b.now)
	o.free.reserve(start, end, units)
	bid.Units -= units
	bid.MaxLeases--
	b.fills = append(b.fills, Fill{
		Bid: bid.ID, Offer: o.ID, Units: units, Start: start, End: end,
		Price: price(bid, &o.Offer), Carbon: o.Carbon.Rate,
	})
}

// allot gives an offer's new capacity over [from, to) to resting bids, those
// first that would pay it most, then those that came first.
//
// Before it there was no eligible pair of bid and offer, so only leases that
// share a minute with [from, to) can have become possible, and whatever turns a
// bid away here would also turn it away in its turn.
func (b *Book) allot(o *offer, from, to corehour.Minute) {
	from = max(from, b.now)
	if from >= to {
		return
	}
	b.queue(o, from, to)
	for _, t := range b.turns {
		b.serve(t.bid, o, from, to)
	}
	clear(b.turns)
}

// queue collects in turns the resting bids that can use the capacity.
func (b *Book) queue(o *offer, from, to corehour.Minute) {
	b.turns = b.turns[:0]
	most, low, high := o.free.reach(from, to, o.MinFill)
	if most < o.MinFill {
		return
	}
	low = max(low, b.now)
	for i := range b.wants {
		w := &b.wants[i]
		if w.limit < o.Price || w.atLeast > most {
			continue
		}
		first := max(w.earliest, low, from.Add(1-w.duration))
		last := min(min(w.latestEnd, high).Add(-w.duration), to-1)
		if first > last {
			continue
		}
		r := b.resting[i]
		if _, ok := eligible(&r.Bid, &o.Offer); !ok {
			continue
		}
		if _, _, ok := o.free.earliest(first, last, w.duration, max(o.MinFill, w.atLeast)); !ok {
			continue
		}
		b.turns = append(b.turns, turn{r, pays(&r.Bid, &o.Offer)})
	}
	slices.SortFunc(b.turns, func(x, y turn) int {
		return cmp.Or(cmp.Compare(y.pays, x.pays), cmp.Compare(x.bid.Arrival, y.bid.Arrival))
	})
}

// serve fills a resting bid from new capacity. A bid that was partly filled and
// now needs less than its minimum fill may meet offers that had too little for
// it, so it is tried against all of them: no eligible pair is left resting.
func (b *Book) serve(r *restingBid, o *offer, from, to corehour.Minute) {
	made := len(b.fills)
	if r.allOrNone() {
		b.fillWhole(&r.Bid, o, from, to)
	} else {
		minimum := r.atLeast()
		one := [1]candidate{{offer: o}}
		b.fillFrom(&r.Bid, one[:])
		if r.seeks() && r.atLeast() < minimum {
			b.fillFromAll(&r.Bid)
		}
	}
	if len(b.fills) == made {
		return
	}
	if !r.seeks() {
		b.remove(r)
		return
	}
	b.wants[r.slot].atLeast = r.atLeast()
}
