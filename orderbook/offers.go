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

// rankOf is a price in ticks, as far as 32 bits reach.
func rankOf(p corehour.Price) uint32 {
	return uint32(min(p/corehour.Tick, corehour.Price(^uint32(0))))
}

func (b *Book) offerRef(slot uint32) OfferRef {
	return OfferRef(reference(slot, b.offerLinks.at(slot).generation))
}

// admit makes an offer known. Bids find it when settle is called.
func (b *Book) admit(o *Offer) uint32 {
	checkOffer(o)
	slot := b.offers.take()
	b.offerLinks.reach(slot)
	factor := uint32(o.Carbon.Rate)
	if o.Carbon.Zone != NoZone {
		factor = uint32(o.Carbon.Energy)
	}
	*b.offers.at(slot) = offerRecord{
		id: uint64(o.ID), arrival: o.Arrival, price: int64(o.Price), from: uint32(o.From), to: uint32(o.To),
		provider: uint32(o.Provider), org: uint32(o.Org), units: int32(o.Units), free: int32(o.Units),
		minFill: int32(o.MinFill), minDuration: int32(o.MinDuration), factor: factor, takeOrPay: uint16(o.TakeOrPay),
		class: b.classFor(offerKind{o.Region, o.Carbon.Zone, o.SLA, o.Interruptible}), touched: true,
	}
	b.offerLinks.at(slot).generation++
	b.changed = append(b.changed, slot)
	return slot
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
		b.trees = append(b.trees, tree{sum: nothing})
	}
	return id
}

// forget takes an offer out of the book.
func (b *Book) forget(slot uint32) {
	b.unindex(slot)
	o, k := b.offers.at(slot), b.offerLinks.at(slot)
	b.capacity.drop(o.steps)
	o.steps = 0
	k.generation++
	b.offers.give(slot)
}

// Every offer with something to sell is in the index: one that is free alike at
// every minute waits in a queue with those that differ from it in nothing but
// arrival and units; any other has a lot of its own for each stretch of time in
// which it has at least its minimum fill free.

// index puts an offer that is in no lot into those that its capacity says.
func (b *Book) index(slot uint32) {
	o := b.offers.at(slot)
	switch {
	case o.steps != 0:
		b.indexStretches(slot)
	case o.free < o.minFill:
		// Sold out.
	case o.minFill > 1:
		b.offerLinks.at(slot).lot = b.lotAlone(slot, o.from, o.to, uint32(o.free))
	default:
		b.enqueue(slot)
	}
}

// unindex takes an offer out of the lots that it is in.
func (b *Book) unindex(slot uint32) {
	k := b.offerLinks.at(slot)
	id := k.lot
	if id == 0 {
		return
	}
	if l := b.supply.lots.at(id); !l.alone {
		if l.unlink(&b.offerLinks, slot) {
			b.dropLot(id)
		}
		return
	}
	for id != 0 {
		next := b.supply.lots.at(id).next
		b.dropLot(id)
		id = next
	}
	k.lot = 0
}

// queued reports whether an offer is in a queue.
func (b *Book) queued(slot uint32) bool {
	id := b.offerLinks.at(slot).lot
	return id != 0 && !b.supply.lots.at(id).alone
}

// bounds of a lot of an offer. The mask folds providers.
func (o *offerRecord) bounds(l *lot) bounds {
	return bounds{
		slots: slotsOf(l.lo, l.hi), mask: 1 << (o.provider & 63), lo: l.lo, hi: l.hi, length: l.hi - l.lo, rank: l.rank, room: l.room,
		factor: o.factor, floor: uint32(o.minFill), org: o.org,
	}
}

// lotAlone makes a lot of one stretch of an offer.
func (b *Book) lotAlone(slot, lo, hi, room uint32) uint32 {
	o := b.offers.at(slot)
	id := b.supply.lots.take()
	l := b.supply.lots.at(id)
	*l = lot{lo: lo, hi: hi, rank: rankOf(corehour.Price(o.price)), tag: slot, tree: o.class, group: groupOf(o.factor, hi-lo), head: slot, room: room, alone: true}
	b.placeLot(id, o)
	return id
}

func (b *Book) placeLot(id uint32, o *offerRecord) {
	l := b.supply.lots.at(id)
	t := &b.trees[l.tree]
	sum := o.bounds(l)
	b.openedLot(l.tree, o.provider)
	leaf, at := b.supply.seek(t.root, l.key())
	b.supply.insert(t, leaf, at, id, &sum)
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
	b.supply.remove(&b.trees[b.supply.lots.at(id).tree], id)
	b.giveLot(id)
}

// giveLot gives up a lot that is in no tree.
func (b *Book) giveLot(id uint32) {
	l := b.supply.lots.at(id)
	provider := uint32(0)
	if l.alone {
		provider = b.offers.at(l.head).provider
	} else {
		provider = b.offerTerms.at(l.terms).provider
		b.offerTerms.give(l.terms)
	}
	b.closedLot(l.tree, provider)
	b.supply.lots.give(id)
}

// queueTag tells queues of one price apart by what else they ask.
func (o *offerRecord) queueTag() uint32 {
	h := uint64(o.from)*0xff51afd7ed558ccd ^ uint64(o.to)*0xd6e8feb86659fd93 ^ uint64(o.provider)*0x9e3779b97f4a7c15 ^ uint64(o.factor)*0xc2b2ae3d27d4eb4f ^
		uint64(o.minDuration)*0x165667b19e3779f9 ^ uint64(o.takeOrPay)*0x27d4eb2f165667c5
	return uint32(h >> 40)
}

// enqueue puts an offer into its queue, behind those that came before it.
func (b *Book) enqueue(slot uint32) {
	o := b.offers.at(slot)
	rank, tag, group := rankOf(corehour.Price(o.price)), o.queueTag(), groupOf(o.factor, o.to-o.from)
	key := keyOf(group, rank, tag)
	t := &b.trees[o.class]
	terms := o.terms()
	var leaf uint32
	var at int
	if t.root != 0 {
		leaf, at = b.supply.seek(t.root, key)
		n := b.supply.nodes.at(leaf)
		for i := at; i < int(n.n) && n.key[i] == key; i++ {
			l := b.supply.lots.at(n.ref[i])
			if !l.alone && l.lo == o.from && l.hi == o.to && *b.offerTerms.at(l.terms) == terms {
				b.offerLinks.at(slot).lot = n.ref[i]
				l.join(&b.offerLinks, slot, o.arrival, func(slot uint32) uint64 { return b.offers.at(slot).arrival })
				if room := uint32(o.free); room > l.room {
					l.room = room
					n.sums[i].room = room
					b.supply.widen(t, leaf, &n.sums[i])
				}
				return
			}
		}
	}
	id := b.supply.lots.take()
	l := b.supply.lots.at(id)
	*l = lot{
		lo: o.from, hi: o.to, rank: rank, tag: tag, tree: o.class, group: group, head: slot, tail: slot, last: o.arrival,
		room: uint32(o.free), terms: b.offerTerms.take(),
	}
	*b.offerTerms.at(l.terms) = terms
	b.offerLinks.at(slot).lot = id
	sum := o.bounds(l)
	b.openedLot(o.class, o.provider)
	b.supply.insert(t, leaf, at, id, &sum)
}

// change gives units of an offer back over [from, to), or takes them where units
// is negative. The index follows when settle is called; until then a search
// finds the offer where it was and asks its capacity.
func (b *Book) change(slot uint32, from, to corehour.Minute, units corehour.Units) {
	o := b.offers.at(slot)
	if from < max(corehour.Minute(o.from), b.now) || to > corehour.Minute(o.to) || from >= to {
		panic(fmt.Sprintf("orderbook: lease within the offer's window: [%d, %d) of %s is not in [%d, %d)",
			from, to, corehour.OfferID(o.id), max(corehour.Minute(o.from), b.now), o.to))
	}
	if o.steps == 0 && (from > max(corehour.Minute(o.from), b.now) || to < corehour.Minute(o.to)) {
		o.steps = b.capacity.make(corehour.Units(o.units), corehour.Units(o.free), corehour.Minute(o.from), corehour.Minute(o.to))
	}
	if o.steps == 0 {
		free := corehour.Units(o.free) + units
		checkFree(free, corehour.Units(o.units))
		o.free = int32(free)
	} else {
		c := b.capacity.at(o.steps)
		c.trim(b.now)
		c.add(from, to, units)
		if len(c.steps) == 1 {
			o.free = int32(c.steps[0].free)
			b.capacity.drop(o.steps)
			o.steps = 0
		}
	}
	if !o.touched {
		o.touched = true
		b.changed = append(b.changed, slot)
	}
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
	if len(b.changed) == 0 {
		return
	}
	// What leaves its place goes first and all at once; then the rest comes in.
	kept := b.changed[:0]
	for _, slot := range b.changed {
		o := b.offers.at(slot)
		if queued := b.queued(slot); queued && o.steps == 0 && o.free > 0 {
			o.touched = false
			b.raiseRoom(slot)
			continue
		} else if queued {
			b.leave(slot)
		}
		kept = append(kept, slot)
	}
	for _, id := range b.emptied {
		b.supply.strike(id)
		b.giveLot(id)
	}
	b.emptied = b.emptied[:0]
	b.supply.sweep(b.trees)
	for _, slot := range kept {
		b.offers.at(slot).touched = false
		b.reindex(slot)
	}
	b.changed = b.changed[:0]
}

// leave takes an offer out of its queue; an empty queue stays in its tree until
// settle is called.
func (b *Book) leave(slot uint32) (empty bool) {
	id := b.offerLinks.at(slot).lot
	if empty = b.supply.lots.at(id).unlink(&b.offerLinks, slot); empty {
		b.emptied = append(b.emptied, id)
	}
	return empty
}

// raiseRoom lets the index know of an offer that has more free than any other
// of its queue had.
func (b *Book) raiseRoom(slot uint32) {
	o, id := b.offers.at(slot), b.offerLinks.at(slot).lot
	l := b.supply.lots.at(id)
	if uint32(o.free) <= l.room {
		return
	}
	l.room = uint32(o.free)
	n := b.supply.nodes.at(l.leaf)
	at := n.place(id)
	n.sums[at].room = l.room
	b.supply.widen(&b.trees[l.tree], l.leaf, &n.sums[at])
}

// reindex replaces the lots of an offer that is in no queue by those that its
// capacity says, leaving the ones that stay.
func (b *Book) reindex(slot uint32) {
	if b.offerLinks.at(slot).lot == 0 || b.offers.at(slot).steps == 0 {
		b.unindex(slot)
		b.index(slot)
		return
	}
	b.indexStretches(slot)
}

// indexStretches walks the stretches in which an offer has its minimum fill free
// and the lots that it has, both in order of time, and makes the lots those.
func (b *Book) indexStretches(slot uint32) {
	o := b.offers.at(slot)
	c, k := b.capacity.at(o.steps), b.offerLinks.at(slot)
	old, last := k.lot, uint32(0)
	k.lot = 0
	keep := func(id uint32) {
		if last == 0 {
			k.lot = id
		} else {
			b.supply.lots.at(last).next = id
		}
		last = id
	}
	for i := 0; ; {
		from, to, room, next, ok := c.stretch(i, corehour.Units(o.minFill))
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
func (b *Book) fewest(o *offerRecord, from, to corehour.Minute) corehour.Units {
	if o.steps == 0 {
		return corehour.Units(o.free)
	}
	return b.capacity.at(o.steps).fewest(from, to)
}
