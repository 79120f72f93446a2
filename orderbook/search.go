package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// offerSearch looks for the leases that a bid could have, best first: by effective
// price, then start, then arrival of the offer.
type offerSearch struct {
	walk
	bid        *Bid
	terms      terms
	need       corehour.Units
	varies     bool // what a lease costs the bid, or whether its cap allows it, may depend on the start
	all        bool // every lease is sought, not only what the bid needs
	prepared   bool // the filter is made
	zones      []zoneExposure
	generation uint32 // of what is in zones
}

// zoneExposure is the least exposure in a zone, where it is of this search.
type zoneExposure struct {
	least      int64
	generation uint32
}

// beginSearch starts a search for leases of the bid's next length.
func (b *Book) beginSearch(bid *Bid) {
	s := &b.search
	s.terms.read(bid, b.now)
	s.bid, s.need, s.varies = bid, bid.atLeast(), false
	latest := s.terms.end.Add(-s.terms.d)
	s.heap, s.cut, s.prepared = s.heap[:0], int64(bid.Limit), false
	if latest < s.terms.first {
		return
	}
	for word, selling := range b.selling {
		if !bid.Regions.AllowAll {
			selling &= bid.Regions.Allow[word]
		}
		for selling &^= bid.Regions.Deny[word]; selling != 0; selling &= selling - 1 {
			for _, class := range b.classIn[word*64+bits.TrailingZeros64(selling)] {
				b.enterClass(class)
			}
		}
	}
}

// prepare makes the filter of a search. Most bids that do not trade are turned
// away by the best price of each class before it is needed.
func (b *Book) prepare() {
	s, bid := &b.search, b.search.bid
	latest := s.terms.end.Add(-s.terms.d)
	s.prepared = true
	s.begin(len(b.classes), filter{
		// Every lease covers what is between its latest start and earliest end.
		all: slotsOf(uint32(latest), uint32(s.terms.first.Add(s.terms.d))),
		any: slotsOf(uint32(s.terms.first), uint32(s.terms.end)),
		lo:  uint32(latest), hi: uint32(s.terms.first.Add(s.terms.d)), length: uint32(s.terms.d), room: uint32(s.need),
		floor: uint32(bid.Units), org: uint32(bid.Org), mask: b.providerMask(&bid.Providers),
	}, s.cut)
	if s.generation++; s.generation == 0 {
		clear(s.zones)
		s.generation = 1
	}
	for len(s.zones) < len(b.grid.curves) {
		s.zones = append(s.zones, zoneExposure{})
	}
}

// providerMask folds the providers that a bid allows and that have something to
// sell.
func (b *Book) providerMask(set *ProviderSet) uint64 {
	if set.AllowAll {
		return ^uint64(0)
	}
	mask := uint64(0)
	for _, p := range set.Allow {
		if int(p) < len(b.sellers) && b.sellers[p] > 0 {
			mask |= 1 << (p & 63)
		}
	}
	return mask
}

// enterClass takes the tree of a class into the search if it may have something.
func (b *Book) enterClass(class uint32) {
	s, c := &b.search, &b.classes[class]
	if c.sla < s.bid.MinSLA || c.interruptible && !s.bid.Interruptible {
		return
	}
	t := &b.supply.trees[class]
	if int64(t.sum.rank)*int64(corehour.Tick) > s.cut {
		return
	}
	if !s.prepared {
		b.prepare()
	}
	if s.filter.factor = ^uint32(0); !s.filter.passes(&t.sum) {
		return
	}
	k := scale{factor: ^uint32(0)}
	switch {
	case s.terms.price == 0 && s.terms.maxCarbon == NoCarbonCap:
	case c.zone == NoZone:
		k.factor = uint32(s.terms.maxCarbon)
		k.unit = unitOf(s.terms.price, energyScale, 1)
	default:
		s.varies = true
		z := &s.zones[c.zone]
		if z.generation != s.generation {
			z.generation, z.least = s.generation, b.leastExposure(c.zone, &s.terms)
		}
		k.unit = unitOf(s.terms.price, z.least, s.terms.d)
		if s.terms.maxCarbon < NoCarbonCap {
			k.factor = s.terms.mostEnergy(z.least)
		}
	}
	s.enter(t, class, k)
}

// longSearch is how many starts are looked at for the least exposure in a zone.
const longSearch = 100 * corehour.MinutesPerHour

// leastExposure bounds intensity x minutes of any lease of the bid in a zone from
// below: exactly, or where there are very many starts by the cleanest hour.
func (b *Book) leastExposure(zone ZoneIndex, t *terms) int64 {
	c := &b.grid.curves[zone]
	last := t.end.Add(-t.d)
	if last.Sub(t.first) > longSearch {
		return int64(c.least(t.first, t.end)) * int64(t.d)
	}
	window := [1]run{{t.first, last}}
	return c.leastExposure(window[:], t.d)
}

// mostEnergy is the most energy whose carbon is within the cap at an exposure.
func (t *terms) mostEnergy(exposure int64) uint32 {
	if exposure == 0 {
		return ^uint32(0)
	}
	// energy x exposure <= cap x d x 1e6
	hi, lo := bits.Mul64(uint64(t.maxCarbon)*uint64(t.d), energyScale)
	if hi >= uint64(exposure) {
		return ^uint32(0)
	}
	q, _ := bits.Div64(hi, lo, uint64(exposure))
	return uint32(min(q, math.MaxUint32))
}

// next finds the best lease there is. It is taken out of the search; again puts
// what is left there back in.
func (b *Book) next() (found item, ok bool) {
	s := &b.search
	for len(s.heap) > 0 {
		top := &s.heap[0]
		if top.key > s.cut {
			break
		}
		if top.kind == itemLease {
			found = *top
			s.heap.drop()
			return found, true
		}
		class := top.class
		lot, ok := s.follow(&b.supply.index)
		if !ok || !b.leaseOf(lot, class, &found) {
			continue
		}
		if len(s.heap) == 0 || found.less(&s.heap[0]) {
			return found, true
		}
		s.heap.push(&found)
	}
	s.heap = s.heap[:0]
	return item{}, false
}

// leaseOf finds the best lease that the bid could have of a lot.
func (b *Book) leaseOf(id, class uint32, i *item) (ok bool) {
	l := b.supply.lots.at(id)
	slot := l.head
	if !l.alone {
		if slot = b.supply.first(l, uint32(b.search.need)); slot == 0 {
			return false
		}
	}
	i.kind, i.ref, i.class = itemLease, id, class
	return b.leaseWithin(slot, l.lo, l.hi, i)
}

// leaseWithin finds the best lease that the bid could have of an offer within
// [lo, hi), a stretch of its free time.
func (b *Book) leaseWithin(slot, lo, hi uint32, i *item) (ok bool) {
	s, bid := &b.search, b.search.bid
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	if t.org == uint32(bid.Org) || !bid.Providers.everyone() && !bid.Providers.Has(ProviderIndex(t.provider)) ||
		corehour.Minutes(t.minDuration) > s.terms.d || corehour.BasisPoints(t.takeOrPay) > bid.MaxTakeOrPay ||
		corehour.Units(t.minFill) > bid.Units {
		return false
	}
	need := max(s.need, corehour.Units(t.minFill))
	best, ok := b.bestWithin(&s.terms, o, t, lo, hi, need)
	if !ok {
		return false
	}
	i.key, i.major, i.minor, i.at = int64(best.effective), uint64(best.at), o.arrival, slot
	if !s.all && t.minFill == 1 && b.fewest(o, best.at, best.at.Add(s.terms.d)) >= bid.Units {
		// All that is open fits here, so nothing dearer is of use.
		s.cut = min(s.cut, i.key)
	}
	return true
}

// bestWithin is the best start of a lease of need units of an offer within [lo, hi).
func (b *Book) bestWithin(t *terms, o *order, of *offerTerms, lo, hi uint32, need corehour.Units) (start, bool) {
	from, to := corehour.Minute(lo), corehour.Minute(hi)
	b.runs = b.runs[:0]
	if o.steps != 0 {
		b.runs = b.capacity.at(o.steps).runsIn(b.runs, t, from, to, need)
	} else if corehour.Units(o.open) >= need {
		b.runs = t.runsIn(b.runs, from, to)
	}
	return b.bestStart(t, b.runs, of.carbon(), corehour.Price(o.price))
}

// again puts what is left of a lease's lot or offer back into the search.
func (b *Book) again(i *item) {
	var next item
	ok := false
	if i.ref == 0 {
		t := b.offerTermsOf(b.supply.orders.at(i.at))
		next.kind, next.class = itemLease, i.class
		ok = b.leaseWithin(i.at, t.from, t.to, &next)
	} else {
		ok = b.leaseOf(i.ref, i.class, &next)
	}
	if ok && next.key <= b.search.cut {
		b.search.heap.push(&next)
	}
}
