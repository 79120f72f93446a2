package orderbook

import (
	"cmp"
	"math"
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
	points  []corehour.Minute
	takes   []part
	best    []part
	dearest int64 // effective price of any of best
}

// source is an offer that an all-or-none bid may draw on.
type source struct {
	slot      uint32
	least     int64 // effective price at its best start
	effective int64 // at the start that is being looked at
	arrival   uint64
	minFill   corehour.Units
	free      corehour.Units // at that start, none where that is below its minimum fill
	levels    []level        // what is free by start, where it changes
	changes   bool           // free is other than a minute before or after
}

// part is a lease of an all-or-none fill.
type part struct {
	slot  uint32
	units corehour.Units
}

// cost is a sum of units x effective price in 128 bits: a million units at a
// million currency units exceed 64.
type cost struct{ high, low uint64 }

func (c cost) plus(units corehour.Units, effective int64) cost {
	high, low := bits.Mul64(uint64(units), uint64(effective))
	low, carry := bits.Add64(c.low, low, 0)
	high, _ = bits.Add64(c.high, high, carry)
	return cost{high, low}
}

func (c cost) compare(d cost) int {
	return cmp.Or(cmp.Compare(c.high, d.high), cmp.Compare(c.low, d.low))
}

// fresh is new capacity of an offer over [from, to).
type fresh struct {
	slot     uint32
	from, to corehour.Minute
}

// firstSources is how many offers are first looked at; while more could matter
// their number doubles.
const firstSources = 8

// fillWhole fills an all-or-none bid with leases that all start in one minute,
// the one of least total effective cost, then the earliest, or leaves it as it
// is. A resting bid is tried because of new capacity: then only starts count
// whose leases share a minute with it and at which its offer has its minimum
// fill, because at others nothing has changed for the better.
//
// Offers come from the search by their least effective price. As soon as
// whatever is still to come would make the fill dearer, it is not looked at.
func (b *Book) fillWhole(bid *Bid, of *fresh) {
	w := &b.whole
	first, last := max(bid.EarliestStart, b.now), bid.LatestEnd.Add(-bid.Duration)
	w.sources, w.levels = w.sources[:0], w.levels[:0]
	b.beginSearch(bid)
	b.search.all = true
	defer func() { b.search.all = false }()
	low := first
	if of != nil {
		low = max(first, of.from.Add(1-bid.Duration))
	}
	for size := firstSources; ; size *= 2 {
		next, more := b.gather(size, first, last)
		start, total, found := b.cheapest(bid, of, first, last)
		if more && !(found && w.settled(bid, start == low && !b.search.varies, total, next.key)) {
			w.add(b, next, first, last)
			continue
		}
		if found {
			for _, p := range w.best {
				b.take(bid, p.slot, start, bid.Duration, p.units)
			}
			b.settle()
		}
		return
	}
}

// settled reports whether no offer that is still to come, none of which has a
// lower effective price than next, can change the best fill there is.
func (w *wholeSearch) settled(bid *Bid, earliest bool, total cost, next int64) bool {
	// At least one unit would be of those, the others of the cheapest known.
	slices.SortFunc(w.sources, func(x, y source) int { return cmp.Compare(x.least, y.least) })
	var least cost
	open := bid.Units - 1
	for i := range w.sources {
		if open == 0 {
			break
		}
		most := corehour.Units(0)
		for _, l := range w.sources[i].levels {
			most = max(most, l.free)
		}
		units := min(open, most)
		least = least.plus(units, w.sources[i].least)
		open -= units
	}
	least = least.plus(1+open, next)
	c := least.compare(total)
	return c > 0 && next > w.dearest || c == 0 && earliest && next >= w.dearest
}

// gather takes offers from the search until there are so many; next is one more.
func (b *Book) gather(size int, first, last corehour.Minute) (next item, more bool) {
	for {
		i, ok := b.next()
		if !ok || len(b.whole.sources) >= size {
			return i, ok
		}
		b.whole.add(b, i, first, last)
	}
}

// add makes the offer of an item a source, once, and lets the search go on to
// the next offer of its ladder.
func (w *wholeSearch) add(b *Book, i item, first, last corehour.Minute) {
	slot := i.at
	b.goOn(slot, i)
	if slices.ContainsFunc(w.sources, func(s source) bool { return s.slot == slot }) {
		return
	}
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	d, least := b.search.terms.d, corehour.Units(t.minFill)
	begin := len(w.levels)
	low, high := max(first, corehour.Minute(t.from)), min(last, corehour.Minute(t.to).Add(-d))
	if low > first {
		w.levels = append(w.levels, level{at: math.MinInt64 / 2})
	}
	if o.steps != 0 {
		w.levels = b.capacity.at(o.steps).levels(w.levels, &w.queue, low, high, d)
	} else {
		w.levels = append(w.levels, level{at: low, free: corehour.Units(o.open)})
	}
	if high < last {
		w.levels = append(w.levels, level{at: high + 1})
	}
	// What is below the minimum fill is none.
	kept := begin
	for _, l := range w.levels[begin:] {
		if l.free < least {
			l.free = 0
		}
		if kept == begin || w.levels[kept-1].free != l.free {
			w.levels[kept] = l
			kept++
		}
	}
	w.levels = w.levels[:kept]
	w.sources = append(w.sources, source{
		slot: slot, least: i.key, arrival: o.arrival, minFill: least, levels: slices.Clone(w.levels[begin:kept]),
	})
	w.levels = w.levels[:begin]
}

// goOn puts the next offer of a ladder into the search, which takes nothing.
func (b *Book) goOn(slot uint32, i item) {
	x := &b.supply
	o := x.orders.at(slot)
	if !o.queued {
		return
	}
	t := b.offerTermsOf(o)
	for next := x.next(slot); next != 0; next = x.next(next) {
		lease := item{kind: itemLease, class: i.class}
		if b.leaseWithin(next, t.from, t.to, &lease) {
			b.search.heap.push(&lease)
			return
		}
		if x.orders.at(next).price > int64(b.search.bid.Limit) {
			return
		}
	}
}

// cheapest goes through the starts that may count and leaves the parts of the
// best one in best.
func (b *Book) cheapest(bid *Bid, of *fresh, first, last corehour.Minute) (at corehour.Minute, total cost, found bool) {
	w := &b.whole
	w.point(first, last, bid.Duration, b.search.varies)
	for i := range w.sources {
		w.sources[i].effective = w.sources[i].least
	}
	for _, s := range w.points {
		if of != nil && (s >= of.to || s.Add(bid.Duration) <= of.from || !b.useful(of, s, bid.Duration)) {
			continue
		}
		if !b.look(bid, s) {
			continue
		}
		c, dearest, full, counts := w.fill(bid)
		counts = counts || s == first || s == last || onTheHour(s, 0) == s || onTheHour(s, bid.Duration) == s
		if full && counts && (!found || c.compare(total) < 0) {
			at, total, found = s, c, true
			w.takes, w.best, w.dearest = w.best, w.takes, dearest
		}
	}
	return at, total, found
}

// useful reports whether the offer with new capacity has its minimum fill free
// for a lease from a start.
func (b *Book) useful(of *fresh, s corehour.Minute, d corehour.Minutes) bool {
	o := b.supply.orders.at(of.slot)
	t := b.offerTermsOf(o)
	return s >= corehour.Minute(t.from) && s.Add(d) <= corehour.Minute(t.to) && b.fewest(o, s, s.Add(d)) >= corehour.Units(t.minFill)
}

// point lists the starts that may count, in order: where what is free changes,
// the minute before, and the next ones that begin or end on the hour. Where
// carbon makes the cost depend on the start it is all of those.
func (w *wholeSearch) point(first, last corehour.Minute, d corehour.Minutes, varies bool) {
	w.points = append(w.points[:0], first, last)
	add := func(s corehour.Minute) {
		if s >= first && s <= last {
			w.points = append(w.points, s)
		}
	}
	for i := range w.sources {
		for _, l := range w.sources[i].levels {
			if l.at < first {
				continue
			}
			add(l.at)
			add(l.at - 1)
			add(onTheHour(l.at, 0))
			add(onTheHour(l.at, d))
		}
	}
	add(onTheHour(first, 0))
	add(onTheHour(first, d))
	if varies {
		for s := onTheHour(first, 0); s <= last; s += corehour.Minute(minutesPerHour) {
			add(s)
		}
		for s := onTheHour(first, d); s <= last; s += corehour.Minute(minutesPerHour) {
			add(s)
		}
	}
	slices.Sort(w.points)
	w.points = slices.Compact(w.points)
}

// look brings the sources to a start: what is free, what it costs, their order.
// It reports whether all together have enough.
func (b *Book) look(bid *Bid, s corehour.Minute) bool {
	w := &b.whole
	var sum corehour.Units
	for i := range w.sources {
		src := &w.sources[i]
		at, _ := slices.BinarySearchFunc(src.levels, s+1, func(l level, m corehour.Minute) int { return cmp.Compare(l.at, m) })
		src.free, src.changes = 0, false
		if at > 0 {
			src.free = src.levels[at-1].free
			src.changes = src.levels[at-1].at == s
		}
		if at < len(src.levels) && src.levels[at].at == s+1 {
			src.changes = true
		}
		sum += src.free
	}
	if sum < bid.Units {
		return false
	}
	if b.search.varies {
		sum = 0
		for i := range w.sources {
			src := &w.sources[i]
			if src.free == 0 {
				continue
			}
			o := b.supply.orders.at(src.slot)
			rate := b.grid.Rate(b.offerTermsOf(o).carbon(), s, bid.Duration)
			src.effective = o.price + int64(corehour.CarbonCost(bid.CarbonPrice, rate))
			if rate > bid.MaxCarbon || src.effective > int64(bid.Limit) {
				src.free = 0
			}
			sum += src.free
		}
		if sum < bid.Units {
			return false
		}
	}
	slices.SortFunc(w.sources, func(x, y source) int {
		return cmp.Or(cmp.Compare(x.effective, y.effective), cmp.Compare(x.arrival, y.arrival))
	})
	return true
}

// fill takes from the sources in their order what the current start allows and
// leaves it in takes; counts is whether what a source used has free changes
// here. A source whose minimum fill exceeds what is still needed is passed over:
// the rule is greedy, so that everyone can follow it with a pencil.
func (w *wholeSearch) fill(bid *Bid) (c cost, dearest int64, full, counts bool) {
	w.takes = w.takes[:0]
	open := bid.Units
	for i := range w.sources {
		s := &w.sources[i]
		if s.free == 0 || s.minFill > open {
			continue
		}
		units := min(open, s.free)
		w.takes = append(w.takes, part{s.slot, units})
		c = c.plus(units, s.effective)
		counts = counts || s.changes
		if open -= units; open == 0 {
			return c, s.effective, true, counts
		}
		if len(w.takes) == bid.MaxLeases {
			break
		}
	}
	return c, 0, false, false
}
