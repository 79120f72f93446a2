package orderbook

import (
	"fmt"

	"github.com/corehour/corehour"
)

// offerKind is what is alike for all offers of a class, so that a bid passes
// over classes and not over offers where one of these keeps it away.
type offerKind struct {
	region        RegionIndex
	zone          ZoneIndex
	sla           corehour.SLA
	interruptible bool
}

// offerClass is the offers of one kind; its lots are in the tree of the same
// number.
type offerClass struct {
	offerKind
	lots int
}

// offerTerms is all that offers of a ladder have in common, or what an offer has
// for itself.
type offerTerms struct {
	offerKind
	takeOrPay   uint16
	provider    uint32
	org         uint32
	from, to    uint32
	factor      uint32 // energy, or the asserted rate where there is no zone
	minFill     int32
	minDuration int32
}

// offerTermsOf are the terms of an offer in the book.
func (b *Book) offerTermsOf(o *order) *offerTerms { return b.offerTerms.at(o.terms) }

// carbon is the profile of the offers.
func (t *offerTerms) carbon() Carbon {
	if t.zone == NoZone {
		return Carbon{Rate: corehour.CarbonRate(t.factor)}
	}
	return Carbon{Zone: t.zone, Energy: corehour.Energy(t.factor)}
}

// are reports whether the terms are those of an offer.
func (t *offerTerms) are(o *Offer) bool {
	factor := uint32(o.Carbon.Rate)
	if o.Carbon.Zone != NoZone {
		factor = uint32(o.Carbon.Energy)
	}
	return t.provider == uint32(o.Provider) && t.from == uint32(o.From) && t.to == uint32(o.To) && t.factor == factor &&
		t.region == o.Region && t.zone == o.Carbon.Zone && t.sla == o.SLA && t.interruptible == o.Interruptible && t.org == uint32(o.Org) &&
		t.minFill == int32(o.MinFill) && t.minDuration == int32(o.MinDuration) && t.takeOrPay == uint16(o.TakeOrPay)
}

// agreeOffer finds or makes the terms of an offer. Those that ladders are made of
// are shared.
func (b *Book) agreeOffer(o *Offer) uint32 {
	// Mostly an offer is like the last one.
	if last := b.offerTerms.latest(); last != nil && last.value.are(o) && o.MinFill == 1 {
		last.users++
		return b.offerTerms.recent
	}
	t := offerTerms{
		offerKind: offerKind{o.Region, o.Carbon.Zone, o.SLA, o.Interruptible},
		provider:  uint32(o.Provider), org: uint32(o.Org), from: uint32(o.From), to: uint32(o.To), factor: uint32(o.Carbon.Rate),
		minFill: int32(o.MinFill), minDuration: int32(o.MinDuration), takeOrPay: uint16(o.TakeOrPay),
	}
	if o.Carbon.Zone != NoZone {
		t.factor = uint32(o.Carbon.Energy)
	}
	var terms uint32
	var fresh bool
	if t.minFill == 1 {
		terms, fresh = b.offerTerms.take(&t)
	} else {
		terms, fresh = b.offerTerms.own(&t), true
	}
	if fresh {
		b.offerTerms.values.at(terms).class = b.classFor(t.offerKind)
	}
	return terms
}

// admit makes an offer known; it is in no lot yet.
func (b *Book) admit(o *Offer) uint32 {
	checkOffer(o)
	terms := b.agreeOffer(o)
	slot := b.supply.orders.take()
	r := b.supply.orders.at(slot)
	r.start(uint64(o.ID), o.Arrival, int64(o.Price), int32(o.Units), terms)
	r.units = int32(o.Units)
	return slot
}

// touch lets settle know of an offer whose lots are not what its capacity says.
func (b *Book) touch(slot uint32) {
	if o := b.supply.orders.at(slot); !o.touched {
		o.touched = true
		b.changed = append(b.changed, slot)
	}
}

func (b *Book) classFor(kind offerKind) uint32 {
	// Mostly an offer is of a kind that has offers, and a region has few.
	for _, id := range b.classIn[kind.region] {
		if b.classes[id].offerKind == kind {
			return id
		}
	}
	id, ok := b.classOf[kind]
	if !ok {
		id = uint32(len(b.classes))
		b.classOf[kind] = id
		b.classes = append(b.classes, offerClass{offerKind: kind})
		b.supply.trees = append(b.supply.trees, tree{sum: nothing})
	}
	return id
}

// forget takes an offer out of the book.
func (b *Book) forget(slot uint32) {
	b.unindex(slot)
	b.tidySupply()
	o := b.supply.orders.at(slot)
	b.capacity.drop(o.steps)
	b.offerTerms.give(o.terms)
	delete(b.suspended, slot)
	o.generation++
	b.supply.orders.give(slot)
}

// Every offer with something to sell that is not suspended is in the index: one that is free alike at
// every minute waits in a ladder with those that differ from it in nothing but
// price, arrival and units; any other has a lot of its own for each stretch of
// time in which it has at least its minimum fill free.

// index puts an offer that is in no lot into those that its capacity says.
func (b *Book) index(slot uint32) {
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	switch {
	case len(b.suspended) > 0 && b.suspended[slot]:
		// Not for sale.
	case o.steps != 0:
		b.indexStretches(slot)
	case o.open < t.minFill:
		// Sold out.
	case t.minFill > 1 || !ranked(o.price):
		o.place = b.lotAlone(slot, t.from, t.to, uint32(o.open))
	default:
		b.enqueue(slot)
	}
}

// unindex takes an offer out of the lots that it is in.
func (b *Book) unindex(slot uint32) {
	o := b.supply.orders.at(slot)
	if o.queued {
		b.leaveLadder(slot)
		return
	}
	for id := o.place; id != 0; {
		next := b.supply.lots.at(id).next
		b.dropLot(id)
		id = next
	}
	o.place = 0
}

// leaveLadder takes an offer out of its ladder; the trees follow when the supply is
// tidied.
func (b *Book) leaveLadder(slot uint32) {
	if b.supply.leave(slot) {
		b.offerTerms.values.at(b.supply.orders.at(slot).terms).lot = 0
	}
}

// bounds of a lot of offers. The mask folds providers.
func (t *offerTerms) bounds(l *lot) bounds {
	return bounds{
		slots: slotsOf(l.lo, l.hi), mask: 1 << (t.provider & 63), lo: l.lo, hi: l.hi, length: l.hi - l.lo, rank: l.rank, room: l.room,
		factor: t.factor, floor: uint32(t.minFill), org: t.org,
	}
}

// offerLot is a lot of offers with some terms that are free over [lo, hi).
func (b *Book) offerLot(terms, lo, hi uint32) lot {
	s := b.offerTerms.values.at(terms)
	return lot{lo: lo, hi: hi, tree: s.class, group: groupOf(s.value.factor, hi-lo), owner: s.value.provider}
}

// lotAlone makes a lot of one stretch of an offer.
func (b *Book) lotAlone(slot, lo, hi, room uint32) uint32 {
	o := b.supply.orders.at(slot)
	id := b.supply.lots.take()
	l := b.supply.lots.at(id)
	*l = b.offerLot(o.terms, lo, hi)
	l.rank, l.tag, l.head, l.room, l.alone = b.supply.rankOf(o.price), slot, slot, room, true
	b.placeLot(id, b.offerTermsOf(o))
	return id
}

// enqueue puts an offer into the ladder of its terms.
func (b *Book) enqueue(slot uint32) {
	o := b.supply.orders.at(slot)
	s := b.offerTerms.values.at(o.terms)
	if s.lot != 0 {
		b.supply.join(s.lot, slot)
		b.tidySupply()
		return
	}
	l := b.offerLot(o.terms, s.value.from, s.value.to)
	l.tag = o.terms
	s.lot = b.supply.found(l, slot)
	b.placeLot(s.lot, &s.value)
}

// placeLot puts a lot into its tree.
func (b *Book) placeLot(id uint32, t *offerTerms) {
	l := b.supply.lots.at(id)
	sum := t.bounds(l)
	b.openedLot(l.tree, l.owner)
	b.supply.insert(&b.supply.trees[l.tree], id, &sum)
}

// openedLot counts a lot of a class and provider.
func (b *Book) openedLot(class, provider uint32) {
	for int(provider) >= len(b.sellers) {
		b.sellers = append(b.sellers, make([]int32, int(provider)+1-len(b.sellers))...)
	}
	b.sellers[provider]++
	c := &b.classes[class]
	if c.lots++; c.lots == 1 {
		b.classIn[c.region] = append(b.classIn[c.region], class)
		b.selling.Set(c.region)
	}
}

// closedLot counts a lot less; a class without lots is not looked at.
func (b *Book) closedLot(class, provider uint32) {
	b.sellers[provider]--
	c := &b.classes[class]
	if c.lots--; c.lots > 0 {
		return
	}
	list := b.classIn[c.region]
	for i, id := range list {
		if id == class {
			list[i] = list[len(list)-1]
			b.classIn[c.region] = list[:len(list)-1]
			break
		}
	}
	if len(b.classIn[c.region]) == 0 {
		b.selling[c.region/64] &^= 1 << (c.region % 64)
	}
}

func (b *Book) dropLot(id uint32) {
	b.supply.remove(&b.supply.trees[b.supply.lots.at(id).tree], id)
	b.giveLot(id)
}

// giveLot gives up a lot that is in no tree.
func (b *Book) giveLot(id uint32) {
	l := b.supply.lots.at(id)
	b.closedLot(l.tree, l.owner)
	b.supply.lots.give(id)
}

// tidySupply brings the trees to what their ladders are.
func (b *Book) tidySupply() { b.supply.tidy(b.giveLot) }

// change gives units of an offer back over [from, to), or takes them where units
// is negative. The index follows when settle is called; until then a search
// finds the offer where it was and asks its capacity.
func (b *Book) change(slot uint32, from, to corehour.Minute, units corehour.Units) {
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	begin, end := corehour.Minute(t.from), corehour.Minute(t.to)
	if from < max(begin, b.now) || to > end || from >= to {
		panic(fmt.Sprintf("orderbook: lease within the offer's window: [%d, %d) of %s is not in [%d, %d)",
			from, to, corehour.OfferID(o.id), max(begin, b.now), end))
	}
	if o.steps == 0 && (from > max(begin, b.now) || to < end) {
		o.steps = b.capacity.make(corehour.Units(o.units), corehour.Units(o.open), begin, end)
	}
	if o.steps == 0 {
		free := corehour.Units(o.open) + units
		checkFree(free, corehour.Units(o.units))
		o.open = int32(free)
	} else {
		c := b.capacity.at(o.steps)
		c.trim(b.now)
		c.add(from, to, units)
		if len(c.steps) == 1 {
			o.open = int32(c.steps[0].free)
			b.capacity.drop(o.steps)
			o.steps = 0
		}
	}
	b.touch(slot)
}

// checkFree panics where units free are not between none and all of the offer's.
func checkFree(free, units corehour.Units) {
	if free < 0 {
		panic(fmt.Sprintf("orderbook: never oversold: %d of %d units would be free", free, units))
	}
	if free > units {
		panic(fmt.Sprintf("orderbook: never more than offered: %d of %d units would be free", free, units))
	}
}

// settle brings the index to what the offers' capacities say.
func (b *Book) settle() {
	// What leaves its place goes first and all at once; then the rest comes in.
	kept := b.changed[:0]
	for _, slot := range b.changed {
		o := b.supply.orders.at(slot)
		if o.queued && o.steps == 0 && o.open > 0 {
			o.touched = false
			b.raiseRoom(slot)
			continue
		}
		if o.queued {
			b.leaveLadder(slot)
		}
		kept = append(kept, slot)
	}
	b.tidySupply()
	for _, slot := range kept {
		b.supply.orders.at(slot).touched = false
		b.reindex(slot)
	}
	b.changed = b.changed[:0]
}

// raiseRoom lets the index know of a waiting offer that has more free than
// before.
func (b *Book) raiseRoom(slot uint32) {
	o := b.supply.orders.at(slot)
	q := b.supply.levels.at(o.place)
	b.supply.roomAt(b.supply.lots.at(q.lot), q, uint32(o.open))
	b.supply.raise(q.lot, uint32(o.open))
}

// reindex replaces the lots of an offer that is in no ladder by those that its
// capacity says, leaving the ones that stay.
func (b *Book) reindex(slot uint32) {
	if o := b.supply.orders.at(slot); o.place == 0 || o.steps == 0 {
		b.unindex(slot)
		b.index(slot)
		return
	}
	b.indexStretches(slot)
}

// indexStretches walks the stretches in which an offer has its minimum fill free
// and the lots that it has, both in order of time, and makes the lots those.
func (b *Book) indexStretches(slot uint32) {
	o := b.supply.orders.at(slot)
	c, need := b.capacity.at(o.steps), corehour.Units(b.offerTermsOf(o).minFill)
	old, last := o.place, uint32(0)
	o.place = 0
	keep := func(id uint32) {
		if last == 0 {
			o.place = id
		} else {
			b.supply.lots.at(last).next = id
		}
		last = id
	}
	for i := 0; ; {
		from, to, room, next, ok := c.stretch(i, need)
		i = next
		// Lots that begin before the next stretch are of no stretch any more.
		for old != 0 && (!ok || b.supply.lots.at(old).lo < uint32(from)) {
			gone := old
			old = b.supply.lots.at(old).next
			b.dropLot(gone)
		}
		if !ok {
			break
		}
		if old != 0 {
			if l := b.supply.lots.at(old); l.lo == uint32(from) {
				same := old
				old = l.next
				if l.hi == uint32(to) && uint32(room) <= l.room {
					keep(same)
					continue
				}
				b.dropLot(same)
			}
		}
		keep(b.lotAlone(slot, uint32(from), uint32(to), uint32(room)))
	}
	if last != 0 {
		b.supply.lots.at(last).next = 0
	}
}

// fewest is the least number of units of an offer free over [from, to).
func (b *Book) fewest(o *order, from, to corehour.Minute) corehour.Units {
	if o.steps == 0 {
		return corehour.Units(o.open)
	}
	return b.capacity.at(o.steps).fewest(from, to)
}
