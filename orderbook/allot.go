package orderbook

import (
	"slices"

	"github.com/corehour/corehour"
)

// bidSearch looks for the resting bids that could have a lease of one offer, best
// first: by what they would pay it, then arrival. Keys are what they pay, negative.
type bidSearch struct {
	walk
	slot    uint32              // the offer
	rate    corehour.CarbonRate // the least that any lease of it can have
	touched []uint32            // bids whose lots are not what they now seek
	emptied []uint32            // queues of bids that are empty
	// version counts what has changed in the offer or in the queues since the
	// search began: a lease found before may not be there any more.
	version uint32
}

// allot gives an offer's new capacity over [from, to) to resting bids: again and
// again to the bid that would pay it most, then to the one that came first.
//
// Before it there was no eligible pair of bid and offer, so only leases that
// share a minute with [from, to) can have become possible.
func (b *Book) allot(slot uint32, from, to corehour.Minute) {
	if !b.beginTurns(slot, from, to) {
		return
	}
	for !b.soldOut(slot) {
		i, ok := b.nextTurn()
		if !ok {
			break
		}
		b.serve(&i, from, to)
	}
	b.finishTurns()
}

// soldOut reports whether an offer has nothing to sell at any time.
func (b *Book) soldOut(slot uint32) bool {
	o := b.offers.at(slot)
	return o.steps == 0 && o.free < o.minFill
}

// finishTurns brings the index of bids to what they are after some were served.
func (b *Book) finishTurns() {
	b.sweepBids()
	s := &b.turns
	for _, slot := range s.touched {
		if r := b.bids.at(slot); b.rests(slot) && r.touched {
			r.touched = false
			b.unindexBid(slot)
			b.indexBid(slot)
		}
	}
	s.touched = s.touched[:0]
}

// rests reports whether a slot holds a resting bid.
func (b *Book) rests(slot uint32) bool { return b.bidLinks.at(slot).generation&1 == 1 }

// retry tries a resting bid against all offers.
func (b *Book) retry(slot uint32) {
	bid := &b.work
	b.load(slot, bid)
	made := len(b.fills)
	if b.fillFromAll(bid); len(b.fills) > made {
		b.served(slot, bid)
	}
}

// beginTurns starts a search for bids that can use an offer's capacity around
// [from, to); false where that is quickly none.
func (b *Book) beginTurns(slot uint32, from, to corehour.Minute) bool {
	s, o := &b.turns, b.offers.at(slot)
	if !b.anyPays(o.price) {
		return false
	}
	from = max(from, b.now)
	if from >= to {
		return false
	}
	begin, end := max(corehour.Minute(o.from), b.now), corehour.Minute(o.to)
	low, high, room := begin, end, corehour.Units(o.free)
	if o.steps != 0 {
		room, low, high = b.capacity.at(o.steps).reach(from, to, corehour.Units(o.minFill))
		low = max(low, b.now)
	}
	if room < corehour.Units(o.minFill) || low >= high {
		return false
	}
	c := &b.classes[o.class]
	s.slot = slot
	s.rate = corehour.CarbonRate(o.factor)
	if c.zone != NoZone {
		s.rate = rateOf(corehour.Energy(o.factor), int64(b.grid.curves[c.zone].least(begin, end)), 1)
	}
	s.begin(len(b.bidClasses.all), filter{
		any: slotsOf(uint32(low), uint32(high)), mask: 1 << (c.region & 63), lo: uint32(high), hi: uint32(low),
		length: ^uint32(high - low), room: ^uint32(room), factor: ^uint32(min(s.rate, NoCarbonCap)), floor: ^uint32(o.minFill),
		org: o.org,
	}, -o.price)
	for id := range b.bidClasses.all {
		b.enterBidClass(uint32(id), c)
	}
	return len(s.heap) > 0
}

// anyPays reports whether some resting bid has a limit of at least a price.
func (b *Book) anyPays(price int64) bool {
	for id := range b.bidClasses.trees {
		if t := &b.bidClasses.trees[id]; t.root != 0 && limitOf(t.sum.rank) >= price {
			return true
		}
	}
	return false
}

// limitOf is the highest limit that a rank stands for.
func limitOf(rank uint32) int64 {
	if ticks := ^rank; ticks != ^uint32(0) {
		return int64(ticks) * int64(corehour.Tick)
	}
	return int64(corehour.MaxPrice)
}

// scaleOfLimits turns the ranks of bids into what they pay at most, negative.
func scaleOfLimits(cost corehour.Price, factor uint32) scale {
	return scale{
		offset: int64(cost) - int64(^uint32(0))*int64(corehour.Tick), first: int64(cost - corehour.MaxPrice), factor: factor,
	}
}

// enterBidClass takes the tree of a class into the search if it may have something.
func (b *Book) enterBidClass(id uint32, of *offerClass) {
	s, c, t := &b.turns, &b.bidClasses.all[id], &b.bidClasses.trees[id]
	if t.root == 0 || -limitOf(t.sum.rank) > s.cut || c.sla > of.sla || of.interruptible && !c.interruptible {
		return
	}
	if c.regions != 0 && c.regions != anyRegions && !b.regions.at(c.regions).Has(of.region) {
		return
	}
	s.enter(t, id, scaleOfLimits(corehour.CarbonCost(c.price, s.rate), s.filter.factor))
}

// nextTurn finds the bid that would pay most for what is left, and the lease of
// the offer that it would have.
func (b *Book) nextTurn() (item, bool) {
	s := &b.turns
	for len(s.heap) > 0 {
		i := s.heap.pop()
		lot := i.ref
		switch i.kind {
		case itemLease:
			if i.at == s.version {
				return i, true
			}
		default:
			found, ok := s.follow(&b.demand, &i)
			if !ok {
				continue
			}
			lot = found
		}
		if turn, ok := b.turnOf(lot, i.class); ok {
			if len(s.heap) == 0 || turn.less(&s.heap[0]) {
				return turn, true
			}
			s.heap.push(turn)
		}
	}
	return item{}, false
}

// turnOf is the best lease of the offer that the first bid of a lot could have
// that seeks as many units as the offer gives at least.
func (b *Book) turnOf(id, class uint32) (item, bool) {
	s := &b.turns
	slot := b.demand.lots.at(id).head
	for slot != 0 && b.bids.at(slot).units < b.offers.at(s.slot).minFill {
		slot = b.bidLinks.at(slot).next
	}
	if slot == 0 {
		return item{}, false
	}
	r := b.bids.at(slot)
	best, ok := b.bestFor(r, s.slot)
	if !ok {
		return item{}, false
	}
	return item{
		key: int64(best.effective) - int64(b.offers.at(s.slot).price) - r.limit, major: r.arrival, minor: uint64(best.at),
		ref: id, class: class, at: s.version, kind: itemLease,
	}, true
}

// bidOf is the bid of a turn.
func (b *Book) bidOf(i *item) uint32 {
	slot := b.demand.lots.at(i.ref).head
	for b.bids.at(slot).arrival != i.major {
		slot = b.bidLinks.at(slot).next
	}
	return slot
}

// bestFor is the best start of a resting bid's next lease of an offer.
func (b *Book) bestFor(r *bidRecord, slot uint32) (start, bool) {
	o := b.offers.at(slot)
	c := &b.classes[o.class]
	d := r.piece()
	if o.org == r.org || o.takeOrPay > r.takeOrPay || corehour.Minutes(o.minDuration) > d || o.minFill > r.units || o.price > r.limit ||
		uint8(c.sla) < r.sla || c.interruptible && r.flags&bidInterruptible == 0 ||
		r.regions != 0 && !b.regions.at(r.regions).Has(c.region) ||
		r.providers != 0 && !b.providers.at(r.providers).Has(ProviderIndex(o.provider)) {
		return start{}, false
	}
	t := terms{
		first: max(corehour.Minute(r.earliest), b.now), end: corehour.Minute(r.latestEnd), d: d,
		price: corehour.CarbonPrice(r.carbonPrice), maxCarbon: corehour.CarbonRate(r.maxCarbon), limit: corehour.Price(r.limit),
	}
	if r.taken != 0 {
		t.taken = *b.taken.at(r.taken)
	}
	return b.bestWithin(&t, o, o.from, o.to, corehour.Units(max(o.minFill, r.atLeast())))
}

// serve gives the bid whose turn it is its lease.
func (b *Book) serve(i *item, from, to corehour.Minute) {
	s := &b.turns
	slot := b.bidOf(i)
	if r := b.bids.at(slot); r.plain() {
		b.servePlain(slot, r, corehour.Minute(i.minor))
	} else if !b.serveOther(slot, corehour.Minute(i.minor), from, to) {
		return
	}
	if b.soldOut(s.slot) {
		return
	}
	if turn, ok := b.turnOf(i.ref, i.class); ok {
		s.heap.push(turn)
	}
}

// servePlain gives a bid without conditions on its leases one from a start.
func (b *Book) servePlain(slot uint32, r *bidRecord, at corehour.Minute) {
	b.turns.version++
	d := corehour.Minutes(r.duration)
	units := min(corehour.Units(r.units), b.fewest(b.offers.at(b.turns.slot), at, at.Add(d)))
	b.sell(b.turns.slot, at, d, units, buyer{
		corehour.BidID(r.id), r.arrival, corehour.Price(r.limit), corehour.CarbonPrice(r.carbonPrice),
	})
	r.maxLeases--
	if r.units -= int32(units); r.units == 0 || r.maxLeases == 0 {
		b.retire(slot)
	}
}

// serveOther fills a bid with conditions on its leases. One that is partly
// filled and now needs less than its minimum fill, or less time in a piece, may
// meet offers that had too little for it, so it is tried against all of them at
// once: no eligible pair is left resting. It returns false where the bid has had
// its one turn.
func (b *Book) serveOther(slot uint32, at, from, to corehour.Minute) (again bool) {
	bid := &b.work
	b.load(slot, bid)
	made, minimum := len(b.fills), bid.atLeast()
	b.settle()
	if bid.allOrNone() {
		b.fillAllOrNone(bid, &fresh{b.turns.slot, from, to})
	} else {
		again = true
		d := bid.piece()
		b.take(bid, b.turns.slot, at, d, min(bid.Units, b.fewest(b.offers.at(b.turns.slot), at, at.Add(d))))
		b.settle()
		if bid.seeks() && (bid.splittable() || bid.atLeast() < minimum) {
			b.fillFromAll(bid)
		}
	}
	if len(b.fills) > made {
		b.served(slot, bid)
	}
	return again
}

// served notes what a resting bid has become.
func (b *Book) served(slot uint32, bid *Bid) {
	b.turns.version++
	r := b.bids.at(slot)
	piece, least := r.piece(), r.atLeast()
	b.keep(r, bid)
	b.completed(bid)
	if !bid.seeks() {
		b.retire(slot)
		return
	}
	if (r.piece() != piece || r.atLeast() != least) && !r.touched {
		r.touched = true
		b.turns.touched = append(b.turns.touched, slot)
	}
}

// retire takes a bid out of the book while a search over bids goes on: its lot
// stays in the tree, empty, until the search is over.
func (b *Book) retire(slot uint32) {
	id := b.bidLinks.at(slot).lot
	if b.demand.lots.at(id).unlink(&b.bidLinks, slot) {
		b.turns.emptied = append(b.turns.emptied, id)
	}
	b.bids.at(slot).touched = false
	b.forgetBid(slot)
}

// completed drops the siblings of a bid that has filled completely.
func (b *Book) completed(bid *Bid) {
	if bid.Group == 0 || !bid.done() {
		return
	}
	siblings := slices.Clone(b.groups[bid.Group])
	slices.SortFunc(siblings, func(x, y uint32) int { return int(int64(b.bids.at(x).arrival) - int64(b.bids.at(y).arrival)) })
	for _, slot := range siblings {
		if id := corehour.BidID(b.bids.at(slot).id); id != bid.ID {
			b.dropped = append(b.dropped, id)
			b.retire(slot)
		}
	}
}

// sweepBids takes empty queues of bids out of their trees.
func (b *Book) sweepBids() {
	if len(b.turns.emptied) == 0 {
		return
	}
	for _, id := range b.turns.emptied {
		b.demand.strike(id)
		b.giveBidLot(id)
	}
	b.turns.emptied = b.turns.emptied[:0]
	b.demand.sweep(b.bidClasses.trees)
}

// wouldTrade reports whether a resting bid could have a lease of an offer.
func (b *Book) wouldTrade(slot uint32) bool {
	o := b.offers.at(slot)
	from, to := corehour.Minute(o.from), corehour.Minute(o.to)
	if !b.beginTurns(slot, from, to) {
		return false
	}
	for {
		i, ok := b.nextTurn()
		if !ok {
			return false
		}
		bid := &b.work
		b.load(b.bidOf(&i), bid)
		if !bid.allOrNone() {
			return true
		}
		if b.fillAllOrNone(bid, &fresh{slot, from, to}); len(b.fills) > 0 {
			b.undo()
			return true
		}
	}
}
