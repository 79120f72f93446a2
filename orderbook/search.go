package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// A search is best first: a heap holds tree nodes, lots and leases, each with the
// least effective price that it can have. What is at the top is opened - a node
// into its entries, a lot into the lease that the bid could have of it - until a
// lease is at the top: then nothing anywhere is better.

// item is an entry of the heap of a search.
type item struct {
	key   int64  // least effective price; of a search over bids, what they pay at most, negative
	major uint64 // of a lease, what decides where keys are equal: its start, or the bid's arrival
	minor uint64 // and then: the offer's arrival; or just the start
	ref   uint32
	class uint32
	at    uint16 // position of a cursor, or version of a lease
	kind  itemKind
}

// itemKind says what an item is; bounds come before leases of the same price.
type itemKind uint8

const (
	itemNode   itemKind = iota // a tree node
	itemCursor                 // an entry of a leaf whose entries are sorted by rank
	itemLot                    // a lot
	itemLease                  // a lease that can be had of a lot
	itemSingle                 // a lease that can be had of one offer, whatever lot it is in
)

func (i *item) less(j *item) bool {
	if i.key != j.key {
		return i.key < j.key
	}
	if i.kind < itemLease || j.kind < itemLease {
		return i.kind < j.kind
	}
	if i.major != j.major {
		return i.major < j.major
	}
	return i.minor < j.minor
}

// heap is a binary heap of items, the least first.
type heap []item

func (h *heap) push(i item) {
	*h = append(*h, i)
	s := *h
	at := len(s) - 1
	for at > 0 {
		up := (at - 1) / 2
		if !i.less(&s[up]) {
			break
		}
		s[at] = s[up]
		at = up
	}
	s[at] = i
}

func (h *heap) pop() item {
	s := *h
	top := s[0]
	last := len(s) - 1
	i := s[last]
	s = s[:last]
	*h = s
	if last == 0 {
		return top
	}
	at := 0
	for {
		down := 2*at + 1
		if down >= last {
			break
		}
		if down+1 < last && s[down+1].less(&s[down]) {
			down++
		}
		if !s[down].less(&i) {
			break
		}
		s[at] = s[down]
		at = down
	}
	s[at] = i
	return top
}

// price of carbon per unit of factor (energy, or asserted rate), times 2^20,
// rounded down. It bounds what the carbon of offers costs a bid from below.
type carbonUnit uint64

const carbonShift = 20

// unitOf bounds price x exposure / (d x 1e15), or price / 1e9 where there is no
// zone and exposure and d are those of nothing.
func unitOf(price corehour.CarbonPrice, exposure int64, d corehour.Minutes) carbonUnit {
	if price == 0 || exposure == 0 {
		return 0
	}
	// price x exposure / d fits: MaxCarbonPrice x MaxIntensity is below 2^74.
	hi, lo := bits.Mul64(uint64(price), uint64(exposure)/uint64(d))
	const scale = corehour.NanoPerUnit * energyScale
	hi, lo = hi<<carbonShift|lo>>(64-carbonShift), lo<<carbonShift
	q, _ := bits.Div64(hi, lo, scale)
	return carbonUnit(q)
}

// least is the least that the carbon of a factor costs.
func (u carbonUnit) least(factor uint32) int64 {
	hi, lo := bits.Mul64(uint64(u), uint64(factor))
	if hi >= 1<<(carbonShift-2) {
		return math.MaxInt64 / 4
	}
	return int64(hi<<(64-carbonShift) | lo>>carbonShift)
}

// offerSearch looks for the leases that a bid could have, best first.
type offerSearch struct {
	heap       heap
	bid        *Bid
	terms      terms
	need       corehour.Units
	filter     filter
	varies     bool  // what a lease costs the bid, or whether its cap allows it, may depend on the start
	cut        int64 // nothing above this effective price is of use
	zones      []zoneExposure
	generation uint32       // of what is in zones
	kinds      []kindBounds // by class, as far as the search has been there
	all        bool         // every lease is sought, not only what the bid needs
}

// zoneExposure is the least exposure in a zone, where it is of this search.
type zoneExposure struct {
	least      int64
	generation uint32
}

// kindBounds is what the carbon of a class costs the bid and how much the cap allows.
type kindBounds struct {
	unit   carbonUnit
	factor uint32
}

// begin starts a search for leases of the bid's next length.
func (b *Book) beginSearch(bid *Bid) {
	s := &b.search
	s.heap = s.heap[:0]
	s.bid, s.terms, s.need = bid, b.termsOf(bid), bid.atLeast()
	s.cut, s.varies = int64(bid.Limit), false
	latest := s.terms.end.Add(-s.terms.d)
	if latest < s.terms.first {
		return
	}
	if s.generation++; s.generation == 0 {
		clear(s.zones)
		s.generation = 1
	}
	for len(s.zones) < len(b.grid.curves) {
		s.zones = append(s.zones, zoneExposure{})
	}
	s.filter = filter{
		lo: uint32(latest), hi: uint32(s.terms.first.Add(s.terms.d)), length: uint32(s.terms.d), room: uint32(s.need),
		floor: uint32(bid.Units), org: uint32(bid.Org), mask: providerMask(&bid.Providers),
	}
	for len(s.kinds) < len(b.classes) {
		s.kinds = append(s.kinds, kindBounds{})
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

// providerMask folds the providers that a bid allows.
func providerMask(set *ProviderSet) uint64 {
	if set.AllowAll {
		return ^uint64(0)
	}
	mask := uint64(0)
	for _, p := range set.Allow {
		mask |= 1 << (p & 63)
	}
	return mask
}

// enterClass puts the tree of a class into the heap if it may have something.
func (b *Book) enterClass(class uint32) {
	s, c := &b.search, &b.classes[class]
	if c.sla < s.bid.MinSLA || c.interruptible && !s.bid.Interruptible {
		return
	}
	t := &b.trees[class]
	if int64(t.sum.rank)*int64(corehour.Tick) > s.cut {
		return
	}
	k := kindBounds{factor: ^uint32(0)}
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
		exposure := z.least
		k.unit = unitOf(s.terms.price, exposure, s.terms.d)
		if s.terms.maxCarbon < NoCarbonCap {
			k.factor = s.terms.mostEnergy(exposure)
		}
	}
	s.kinds[class] = k
	if key := int64(t.sum.rank)*int64(corehour.Tick) + k.unit.least(t.sum.factor); key <= s.cut {
		s.filter.factor = k.factor
		if s.filter.passes(&t.sum) {
			s.heap.push(item{key: key, kind: itemNode, ref: t.root, class: class})
		}
	}
}

// leastExposure is the least intensity x minutes that any lease of the bid in a
// zone can have.
func (b *Book) leastExposure(zone ZoneIndex, t *terms) int64 {
	window := [1]run{{t.first, t.end.Add(-t.d)}}
	return b.grid.curves[zone].leastExposure(window[:], t.d)
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

// next finds the best lease there is. It is taken out of the search; take or
// again puts it back in.
func (b *Book) next() (found item, ok bool) {
	s := &b.search
	for len(s.heap) > 0 {
		i := s.heap.pop()
		if i.key > s.cut {
			// Nothing that comes after is better.
			s.heap = s.heap[:0]
			break
		}
		switch i.kind {
		case itemNode:
			b.openNode(&i)
		case itemCursor:
			b.advance(&i)
		case itemLot:
			if lease, ok := b.leaseOf(i.ref, i.class); ok {
				if len(s.heap) == 0 || lease.less(&s.heap[0]) {
					return lease, true
				}
				s.heap.push(lease)
			}
		default:
			return i, true
		}
	}
	return item{}, false
}

// openNode replaces a node by those of its entries that may have something.
func (b *Book) openNode(i *item) {
	s := &b.search
	n := b.supply.nodes.at(i.ref)
	k := s.kinds[i.class]
	s.filter.factor = k.factor
	if n.leaf && n.z[0] == n.z[n.n-1] {
		b.seekCursor(i, 0)
		return
	}
	kind := itemNode
	if n.leaf {
		kind = itemLot
	}
	for j := range int(n.n) {
		sum := &n.sums[j]
		if !s.filter.passes(sum) {
			continue
		}
		if key := int64(sum.rank)*int64(corehour.Tick) + k.unit.least(sum.factor); key <= s.cut {
			s.heap.push(item{key: key, kind: kind, ref: n.ref[j], class: i.class})
		}
	}
}

// seekCursor puts a cursor on the first entry of a sorted leaf, from a position
// on, that may have something. The key of later entries is not lower.
func (b *Book) seekCursor(i *item, from int) {
	s := &b.search
	n := b.supply.nodes.at(i.ref)
	k := &s.kinds[i.class]
	least := k.unit.least(b.trees[i.class].sum.factor)
	for j := from; j < int(n.n); j++ {
		key := int64(n.sums[j].rank)*int64(corehour.Tick) + least
		if key > s.cut {
			return
		}
		if s.filter.passes(&n.sums[j]) {
			s.heap.push(item{key: key, kind: itemCursor, ref: i.ref, class: i.class, at: uint16(j)})
			return
		}
	}
}

// advance opens the lot under a cursor and moves the cursor on.
func (b *Book) advance(i *item) {
	s := &b.search
	s.filter.factor = s.kinds[i.class].factor
	id := b.supply.nodes.at(i.ref).ref[i.at]
	b.seekCursor(i, int(i.at)+1)
	if lease, ok := b.leaseOf(id, i.class); ok {
		s.heap.push(lease)
	}
}

// leaseOf is the best lease that the bid could have of a lot.
func (b *Book) leaseOf(id, class uint32) (item, bool) {
	s := &b.search
	l := b.supply.lots.at(id)
	if l.alone {
		return b.leaseWithin(l.head, l.lo, l.hi, item{kind: itemLease, ref: id, class: class})
	}
	room := uint32(0)
	for slot := l.head; slot != 0; slot = b.offers.at(slot).next {
		o := b.offers.at(slot)
		if o.steps == 0 && corehour.Units(o.free) >= s.need {
			return b.leaseWithin(slot, l.lo, l.hi, item{kind: itemLease, ref: id, class: class})
		}
		room = max(room, uint32(o.free))
	}
	// None of the queue is as large as was thought.
	l.room = room
	return item{}, false
}

// leaseWithin is the best lease that the bid could have of an offer within
// [lo, hi), a stretch of its free time.
func (b *Book) leaseWithin(slot, lo, hi uint32, i item) (item, bool) {
	s, bid := &b.search, b.search.bid
	o := b.offers.at(slot)
	if o.org == uint32(bid.Org) || !bid.Providers.everyone() && !bid.Providers.Has(ProviderIndex(o.provider)) ||
		corehour.Minutes(o.minDuration) > s.terms.d || corehour.BasisPoints(o.takeOrPay) > bid.MaxTakeOrPay ||
		corehour.Units(o.minFill) > bid.Units {
		return i, false
	}
	need := max(s.need, corehour.Units(o.minFill))
	b.runs = b.runs[:0]
	if o.steps != 0 {
		b.runs = b.capacity.at(o.steps).runsIn(b.runs, &s.terms, corehour.Minute(lo), corehour.Minute(hi), need)
	} else if corehour.Units(o.free) >= need {
		b.runs = s.terms.runsIn(b.runs, corehour.Minute(lo), corehour.Minute(hi))
	}
	best, ok := b.bestStart(&s.terms, b.runs, o.carbon(&b.classes[i.class]), corehour.Price(o.price))
	if !ok {
		return i, false
	}
	i.key, i.major, i.minor = int64(best.effective), uint64(best.at), o.arrival
	if !s.all && o.minFill == 1 && b.fewest(o, best.at, best.at.Add(s.terms.d)) >= bid.Units {
		// All that is open fits here, so nothing dearer is of use.
		s.cut = min(s.cut, i.key)
	}
	return i, true
}

// offerOf is the offer that an item's lease is of.
func (b *Book) offerOf(i *item) uint32 {
	if i.kind == itemSingle {
		return i.ref
	}
	l := b.supply.lots.at(i.ref)
	slot := l.head
	if !l.alone {
		for o := b.offers.at(slot); o.arrival != i.minor; o = b.offers.at(slot) {
			slot = o.next
		}
	}
	return slot
}

// again puts what is left of an item's lot or offer back into the search.
func (b *Book) again(i item) {
	ok := false
	if i.kind == itemSingle {
		o := b.offers.at(i.ref)
		i, ok = b.leaseWithin(i.ref, o.from, o.to, i)
	} else {
		i, ok = b.leaseOf(i.ref, i.class)
	}
	if ok && i.key <= b.search.cut {
		b.search.heap.push(i)
	}
}
