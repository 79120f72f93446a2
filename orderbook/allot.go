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
	// version counts what has changed in the offer or in the ladders since the
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
	o := b.supply.orders.at(slot)
	return o.steps == 0 && o.open < b.offerTermsOf(o).minFill
}

// finishTurns brings the index of bids to what they are after some were served.
func (b *Book) finishTurns() {
	s := &b.turns
	for _, slot := range s.touched {
		if r := b.demand.orders.at(slot); b.demand.has(slot) && r.touched {
			r.touched = false
			b.unindexBid(slot)
			b.indexBid(slot)
		}
	}
	s.touched = s.touched[:0]
	b.tidyDemand()
}

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
	s, o := &b.turns, b.supply.orders.at(slot)
	if !b.anyPays(o.price) {
		return false
	}
	from = max(from, b.now)
	if from >= to {
		return false
	}
	t := b.offerTermsOf(o)
	least := corehour.Units(t.minFill)
	begin, end := max(corehour.Minute(t.from), b.now), corehour.Minute(t.to)
	low, high, room := begin, end, corehour.Units(o.open)
	if o.steps != 0 {
		room, low, high = b.capacity.at(o.steps).reach(from, to, least)
		low = max(low, b.now)
	}
	if room < least || low >= high {
		return false
	}
	s.slot = slot
	s.rate = corehour.CarbonRate(t.factor)
	if t.zone != NoZone {
		s.rate = rateOf(corehour.Energy(t.factor), int64(b.grid.curves[t.zone].least(begin, end)), 1)
	}
	s.begin(len(b.bidClasses.all), filter{
		any: slotsOf(uint32(low), uint32(high)), mask: 1 << (t.region & 63), lo: uint32(high), hi: uint32(low),
		length: ^uint32(high - low), room: ^uint32(room), factor: ^uint32(min(s.rate, NoCarbonCap)), floor: ^uint32(least),
		org: t.org,
	}, -o.price)
	for id := range b.bidClasses.all {
		b.enterBidClass(uint32(id), &t.offerKind)
	}
	return len(s.heap) > 0
}

// anyPays reports whether some resting bid has a limit of at least a price.
func (b *Book) anyPays(price int64) bool {
	for id := range b.demand.trees {
		if t := &b.demand.trees[id]; t.root != 0 && limitOf(t.sum.rank) >= price {
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
func (b *Book) enterBidClass(id uint32, of *offerKind) {
	s, c, t := &b.turns, &b.bidClasses.all[id], &b.demand.trees[id]
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
func (b *Book) nextTurn() (turn item, ok bool) {
	s := &b.turns
	for len(s.heap) > 0 {
		lot := s.heap[0].ref
		if s.heap[0].kind < itemLease {
			found, ok := s.follow(&b.demand.index)
			if !ok {
				continue
			}
			lot = found
		} else {
			turn = s.heap[0]
			if s.heap.drop(); turn.class == s.version {
				return turn, true
			}
		}
		if !b.turnOf(lot, &turn) {
			continue
		}
		if len(s.heap) == 0 || turn.less(&s.heap[0]) {
			return turn, true
		}
		s.heap.push(&turn)
	}
	return item{}, false
}

// turnOf finds the best lease of the offer that the first bid of a lot could have
// that seeks as many units as the offer gives at least.
func (b *Book) turnOf(id uint32, i *item) (ok bool) {
	s := &b.turns
	o := b.supply.orders.at(s.slot)
	l, least := b.demand.lots.at(id), b.offerTermsOf(o).minFill
	slot := l.head
	if !l.alone {
		slot = b.demand.first(l, uint32(least))
	}
	if slot == 0 {
		return false
	}
	r := b.demand.orders.at(slot)
	if r.open < least {
		return false
	}
	best, ok := b.bestFor(r, s.slot)
	if ok {
		i.key, i.major, i.minor = int64(best.effective)-o.price-r.price, r.arrival, uint64(best.at)
		i.ref, i.class, i.at, i.kind = id, s.version, slot, itemLease
	}
	return ok
}

// bestFor is the best start of a resting bid's next lease of an offer.
func (b *Book) bestFor(r *order, slot uint32) (start, bool) {
	o, of := b.supply.orders.at(slot), b.bidTermsOf(r)
	c := b.offerTermsOf(o)
	d := of.piece(r)
	if c.org == of.org || c.takeOrPay > of.takeOrPay || corehour.Minutes(c.minDuration) > d || c.minFill > r.open || o.price > r.price ||
		c.sla < of.sla || c.interruptible && !of.interruptible ||
		of.regions != 0 && !b.regions.at(of.regions).Has(c.region) ||
		of.providers != 0 && !b.providers.at(of.providers).Has(ProviderIndex(c.provider)) {
		return start{}, false
	}
	t := terms{
		first: max(corehour.Minute(of.earliest), b.now), end: corehour.Minute(of.latestEnd), d: d,
		price: of.carbonPrice, maxCarbon: corehour.CarbonRate(of.maxCarbon), limit: corehour.Price(r.price),
	}
	if r.taken != 0 {
		t.taken = *b.taken.at(r.taken)
	}
	return b.bestWithin(&t, o, c, c.from, c.to, corehour.Units(max(c.minFill, of.atLeast(r))))
}

// serve gives the bid whose turn it is its lease.
func (b *Book) serve(i *item, from, to corehour.Minute) {
	s, slot := &b.turns, i.at
	if b.demand.orders.at(slot).queued {
		b.serveQueued(i)
		return
	}
	if !b.serveOther(slot, corehour.Minute(i.minor), from, to) {
		return
	}
	if b.soldOut(s.slot) {
		return
	}
	if id := i.ref; b.turnOf(id, i) {
		s.heap.push(i)
	}
}

// servePlain gives a bid without conditions on its leases one from a start.
func (b *Book) servePlain(slot uint32, r *order, at corehour.Minute) {
	b.turns.version++
	t := b.bidTermsOf(r)
	d := corehour.Minutes(t.duration)
	units := min(corehour.Units(r.open), b.fewest(b.supply.orders.at(b.turns.slot), at, at.Add(d)))
	b.sell(b.turns.slot, at, d, units, buyer{corehour.BidID(r.id), r.arrival, corehour.Price(r.price), t.carbonPrice})
	r.leases--
	if r.open -= int32(units); r.open == 0 || r.leases == 0 {
		b.retire(slot)
	}
}

// serveQueued serves the bids of a ladder one after the other, until what comes
// next in it is not better than what else is known.
func (b *Book) serveQueued(i *item) {
	s := &b.turns
	for {
		b.servePlain(i.at, b.demand.orders.at(i.at), corehour.Minute(i.minor))
		if b.soldOut(s.slot) || !b.turnOf(i.ref, i) {
			return
		}
		if len(s.heap) > 0 && !i.less(&s.heap[0]) {
			s.heap.push(i)
			return
		}
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
		b.take(bid, b.turns.slot, at, d, min(bid.Units, b.fewest(b.supply.orders.at(b.turns.slot), at, at.Add(d))))
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
	r := b.demand.orders.at(slot)
	t := b.bidTermsOf(r)
	piece, least := t.piece(r), t.atLeast(r)
	b.keep(r, bid)
	b.completed(bid)
	if !bid.seeks() {
		b.retire(slot)
		return
	}
	if (t.piece(r) != piece || t.atLeast(r) != least) && !r.touched {
		r.touched = true
		b.turns.touched = append(b.turns.touched, slot)
	}
}

// retire takes a bid out of the book while a search over bids goes on: its lot
// stays in the tree until the search is over.
func (b *Book) retire(slot uint32) {
	b.unindexBid(slot)
	b.demand.orders.at(slot).touched = false
	b.forgetBid(slot)
}

// completed drops the siblings of a bid that has filled completely.
func (b *Book) completed(bid *Bid) {
	if bid.Group == 0 || !bid.done() {
		return
	}
	siblings := slices.Clone(b.groups[bid.Group])
	b.demand.byArrival(siblings)
	for _, slot := range siblings {
		if id := corehour.BidID(b.demand.orders.at(slot).id); id != bid.ID {
			b.dropped = append(b.dropped, id)
			b.retire(slot)
		}
	}
}

// wouldTrade reports whether a resting bid could have a lease of an offer.
func (b *Book) wouldTrade(slot uint32) bool {
	t := b.offerTermsOf(b.supply.orders.at(slot))
	from, to := corehour.Minute(t.from), corehour.Minute(t.to)
	if !b.beginTurns(slot, from, to) {
		return false
	}
	for {
		i, ok := b.nextTurn()
		if !ok {
			return false
		}
		bid := &b.work
		b.load(i.at, bid)
		if !bid.allOrNone() {
			return true
		}
		if b.fillAllOrNone(bid, &fresh{slot, from, to}); len(b.fills) > 0 {
			b.undo()
			return true
		}
	}
}
