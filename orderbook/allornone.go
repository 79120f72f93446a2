package orderbook

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/corehour/corehour"
)

// wholeSearch holds what the search for an all-or-none fill works on. Its
// buffers live from search to search.
type wholeSearch struct {
	sources []source
	levels  []level
	queue   []int
	free    []corehour.Units // by rank: what a lease from the current start may take
	takes   []take
	best    []take
}

// source is an offer that an all-or-none bid may draw on; its rank is its place
// by effective price, then arrival.
type source struct {
	offer     *offer
	effective corehour.Price
}

// take is a part of an all-or-none fill.
type take struct {
	rank  int
	units corehour.Units
}

// cost is a sum of units x effective price in 128 bits: a million units at a
// million currency units exceed 64.
type cost struct{ high, low uint64 }

func (c cost) plus(units corehour.Units, effective corehour.Price) cost {
	high, low := bits.Mul64(uint64(units), uint64(effective))
	low, carry := bits.Add64(c.low, low, 0)
	high, _ = bits.Add64(c.high, high, carry)
	return cost{high, low}
}

func (c cost) less(d cost) bool {
	return c.high < d.high || c.high == d.high && c.low < d.low
}

// fillWhole fills an all-or-none bid with leases that all start in one minute,
// the one of least total effective cost, then the earliest, or leaves it as it
// is. A resting bid is tried because of new capacity of one offer over
// [from, to): then only starts count at which that capacity is of use, which are
// those whose leases share a minute with it and can have the offer's least fill.
//
// What every offer has free over the bid's duration is a step function of the
// start, so the first start of each stretch on which none of them changes stands
// for the whole stretch. (Stretches that begin with a fall can't be left out:
// where an offer has less, a least fill elsewhere may fit again, or a lease be
// saved.)
func (b *Book) fillWhole(bid *Bid, fresh *offer, from, to corehour.Minute) {
	first, last := max(bid.EarliestStart, b.now), bid.LatestEnd.Add(-bid.Duration)
	if fresh != nil {
		first = max(first, from.Add(1-bid.Duration))
		last = min(last, to-1)
	}
	w := &b.whole
	w.gather(b.offers, bid, first, last)
	start, ok := w.cheapest(bid, fresh)
	if !ok {
		return
	}
	for _, t := range w.best {
		b.take(bid, w.sources[t.rank].offer, start, t.units)
	}
}

// gather lists the offers that the bid may draw on, by rank, and the levels of
// all of them, by time.
func (w *wholeSearch) gather(offers []*offer, bid *Bid, first, last corehour.Minute) {
	w.sources, w.levels, w.free = w.sources[:0], w.levels[:0], w.free[:0]
	if first > last {
		return
	}
	for _, o := range offers {
		if o.Price > bid.Limit {
			break
		}
		if effective, ok := eligible(bid, &o.Offer); ok {
			w.sources = append(w.sources, source{o, effective})
		}
	}
	slices.SortFunc(w.sources, func(x, y source) int {
		return cmp.Or(cmp.Compare(x.effective, y.effective), cmp.Compare(x.offer.Arrival, y.offer.Arrival))
	})
	for rank, s := range w.sources {
		w.free = append(w.free, 0)
		low, high := max(first, s.offer.From), min(last, s.offer.To.Add(-bid.Duration))
		if low > high {
			continue
		}
		w.levels = s.offer.free.levels(w.levels, &w.queue, rank, low, high, bid.Duration)
		if high < last {
			w.levels = append(w.levels, level{high + 1, rank, 0})
		}
	}
	slices.SortFunc(w.levels, func(x, y level) int { return cmp.Compare(x.at, y.at) })
}

// cheapest goes through the starts and leaves the takes of the best one in best.
func (w *wholeSearch) cheapest(bid *Bid, fresh *offer) (start corehour.Minute, ok bool) {
	freshRank := -1
	if fresh != nil {
		freshRank = slices.IndexFunc(w.sources, func(s source) bool { return s.offer == fresh })
		if freshRank < 0 {
			return 0, false
		}
	}
	var least cost
	var total corehour.Units
	for i := 0; i < len(w.levels); {
		at := w.levels[i].at
		for ; i < len(w.levels) && w.levels[i].at == at; i++ {
			l := w.levels[i]
			if l.free < w.sources[l.rank].offer.MinFill {
				l.free = 0
			}
			total += l.free - w.free[l.rank]
			w.free[l.rank] = l.free
		}
		if total < bid.Units || freshRank >= 0 && w.free[freshRank] == 0 {
			continue
		}
		if c, filled := w.fill(bid); filled && (!ok || c.less(least)) {
			start, least, ok = at, c, true
			w.takes, w.best = w.best, w.takes
		}
	}
	return start, ok
}

// fill takes from the offers by rank what the current start allows and leaves it
// in takes. An offer whose least fill exceeds what is still needed is passed
// over: the rule is greedy, so that everyone can follow it with a pencil.
func (w *wholeSearch) fill(bid *Bid) (c cost, filled bool) {
	w.takes = w.takes[:0]
	open := bid.Units
	for rank, s := range w.sources {
		if w.free[rank] == 0 || s.offer.MinFill > open {
			continue
		}
		units := min(open, w.free[rank])
		w.takes = append(w.takes, take{rank, units})
		c = c.plus(units, s.effective)
		if open -= units; open == 0 {
			return c, true
		}
		if len(w.takes) == bid.MaxLeases {
			break
		}
	}
	return c, false
}
