package orderbook

import (
	"fmt"

	"github.com/corehour/corehour"
)

// Book is the book of one product. It is not safe for concurrent use: the state
// machine that owns it is one goroutine.
type Book struct {
	grid *Grid
	now  corehour.Minute

	supply     side // offers and their free time
	offerTerms interned[offerTerms]
	capacity   capacities
	classes    []offerClass
	classOf    map[offerKind]uint32
	classIn    [corehour.MaxRegions][]uint32 // classes that have lots, by region
	sellers    []int32                       // lots by provider
	selling    RegionBits                    // regions in which a class has lots
	suspended  map[uint32]bool               // offers that are in the book and not for sale

	demand     side // resting bids
	bidTerms   interned[bidTerms]
	bidClasses bidClasses
	regions    interned[RegionSet]
	providers  lists[ProviderSet]
	taken      lists[[]Span]
	groups     map[corehour.BidID][]uint32 // resting siblings

	// Buffers that live from call to call.
	fills   []Fill
	sold    []uint32 // the offer of each fill
	dropped []corehour.BidID
	runs    []run
	search  offerSearch
	turns   bidSearch
	whole   wholeSearch
	changed []uint32 // offers whose lots are not what their capacity says
	work    Bid      // the resting bid that is being served
}

// New makes an empty book that reads a grid.
func New(grid *Grid) *Book {
	b := &Book{
		grid: grid, classOf: make(map[offerKind]uint32), suspended: make(map[uint32]bool), groups: make(map[corehour.BidID][]uint32),
		offerTerms: newInterned[offerTerms](), bidTerms: newInterned[bidTerms](), regions: newInterned[RegionSet](),
	}
	b.demand.highest = ^uint32(0)
	b.bidClasses.named = make(map[bidKind]uint32)
	return b
}

// PlaceBid matches an incoming bid, which becomes what is left of it; what stays
// open rests if its time in force lets it (gtc, gtt) and it may still become a
// lease, and then has a reference. The book keeps the bid's provider lists, which
// must not change.
func (b *Book) PlaceBid(now corehour.Minute, bid *Bid) (BidRef, Outcome) {
	b.begin(now)
	checkBid(bid)
	if bid.PostOnly {
		before := *bid
		if b.fillFromAll(bid); len(b.fills) > 0 {
			b.undo()
			*bid = before
			return 0, Outcome{Refused: true}
		}
	} else {
		b.fillFromAll(bid)
	}
	b.completed(bid)
	b.tidyDemand()
	var ref BidRef
	if bid.seeks() && bid.rests() {
		ref = b.rest(bid)
	}
	return ref, b.outcome()
}

// PlaceOffer adds capacity and matches it with resting bids.
func (b *Book) PlaceOffer(now corehour.Minute, o *Offer) (OfferRef, Outcome) {
	b.begin(now)
	slot := b.admit(o)
	if !b.anyPays(int64(o.Price)) {
		b.index(slot)
		return OfferRef(b.supply.reference(slot)), b.outcome()
	}
	b.touch(slot) // it has a place once it is known what is left of it
	if o.PostOnly {
		if b.settle(); b.wouldTrade(slot) {
			b.forget(slot)
			return 0, Outcome{Refused: true}
		}
	}
	b.allot(slot, o.From, o.To)
	b.settle()
	return OfferRef(b.supply.reference(slot)), b.outcome()
}

// CancelBid takes a resting bid out of the book; ok is false where no such bid
// rests.
func (b *Book) CancelBid(ref BidRef) (open corehour.Units, ok bool) {
	slot, ok := b.demand.at(uint64(ref))
	if !ok {
		return 0, false
	}
	open = corehour.Units(b.demand.orders.at(slot).open)
	b.removeBid(slot)
	return open, true
}

// CancelOffer ends the sale of an offer and forgets its capacity; its leases are
// the caller's matter. It returns false where there is no such offer.
func (b *Book) CancelOffer(ref OfferRef) bool {
	slot, ok := b.supply.at(uint64(ref))
	if ok {
		b.forget(slot)
	}
	return ok
}

// Release gives units of an offer back for [from, to), part of a lease that
// ended early, and matches them with resting bids. Nothing happens if the offer
// is not in the book or the time has passed.
func (b *Book) Release(now corehour.Minute, ref OfferRef, units corehour.Units, from, to corehour.Minute) Outcome {
	b.begin(now)
	slot, ok := b.supply.at(uint64(ref))
	from = max(from, now)
	if !ok || from >= to {
		return b.outcome()
	}
	b.change(slot, from, to, units)
	if !b.suspended[slot] {
		b.allot(slot, from, to)
	}
	b.settle()
	return b.outcome()
}

// Open is what a resting bid still seeks: units, and the minutes of each lease
// or, of a splittable bid, of all that is left. ok is false where no such bid
// rests.
func (b *Book) Open(ref BidRef) (units corehour.Units, left corehour.Minutes, ok bool) {
	slot, ok := b.demand.at(uint64(ref))
	if !ok {
		return 0, 0, false
	}
	r := b.demand.orders.at(slot)
	return corehour.Units(r.open), corehour.Minutes(b.bidTermsOf(r).duration), true
}

// HasOffer reports whether the offer is in the book.
func (b *Book) HasOffer(ref OfferRef) bool {
	_, ok := b.supply.at(uint64(ref))
	return ok
}

// Free returns the fewest units of an offer free over [from, to); ok is false
// where the offer is not in the book. Outside of the delivery window nothing is
// free. The book forgets what has passed: minutes before the last command's now
// do not count, and over none that is left the answer is zero.
func (b *Book) Free(ref OfferRef, from, to corehour.Minute) (free corehour.Units, ok bool) {
	slot, ok := b.supply.at(uint64(ref))
	if !ok {
		return 0, false
	}
	o := b.supply.orders.at(slot)
	t := b.offerTermsOf(o)
	from = max(from, b.now)
	if from >= to || from < corehour.Minute(t.from) || to > corehour.Minute(t.to) {
		return 0, true
	}
	return b.fewest(o, from, to), true
}

// RestoreBid puts a resting bid of a snapshot back, without matching. Units,
// Duration, MaxLeases and Taken are what was left of them. The order of restoring
// does not matter, but that offers come before their leases.
func (b *Book) RestoreBid(bid Bid) BidRef {
	checkBid(&bid)
	return b.rest(&bid)
}

// RestoreOffer puts an offer of a snapshot back, without matching, with all its
// units free.
func (b *Book) RestoreOffer(o Offer) OfferRef {
	slot := b.admit(&o)
	b.index(slot)
	return OfferRef(b.supply.reference(slot))
}

// RestoreLease takes the units of a snapshot's lease out of what its offer has
// free; the caller leaves out what of it has passed. A lease of an offer that is
// not in the book changes nothing, and what of it is before the offer's window,
// as that now is, does not count.
func (b *Book) RestoreLease(ref OfferRef, units corehour.Units, start, end corehour.Minute) {
	slot, ok := b.supply.at(uint64(ref))
	if !ok {
		return
	}
	if start = max(start, corehour.Minute(b.offerTermsOf(b.supply.orders.at(slot)).from)); start < end {
		b.change(slot, start, end, -units)
		b.settle()
	}
}

// begin starts a command: time never goes back, and what the last one did is
// gone.
func (b *Book) begin(now corehour.Minute) {
	if now < b.now {
		panic(fmt.Sprintf("orderbook: time never goes back: %d after %d", now, b.now))
	}
	b.now = now
	b.fills, b.sold, b.dropped = b.fills[:0], b.sold[:0], b.dropped[:0]
}

func (b *Book) outcome() Outcome { return Outcome{Fills: b.fills, Dropped: b.dropped} }

func checkBid(bid *Bid) {
	if bid.Units < 1 || bid.Units > corehour.MaxUnits || bid.MinFill < 1 || bid.Duration < 1 ||
		bid.MaxLeases < 1 || bid.MaxLeases > corehour.MaxLeasesPerBid ||
		bid.Limit < 1 || bid.Limit > corehour.MaxPrice || !bid.Limit.OnTick() || bid.MinPiece < 0 || bid.MinPiece > bid.Duration {
		panic("orderbook: a bid is within its limits: " + bid.ID.String())
	}
}

func checkOffer(o *Offer) {
	if o.Units < 1 || o.Units > corehour.MaxUnits || o.MinFill < 1 || o.MinFill > o.Units || o.From < 0 || o.From >= o.To ||
		o.To > corehour.MaxMinute || o.MinDuration < 1 || o.Price < 1 || o.Price > corehour.MaxPrice || !o.Price.OnTick() {
		panic("orderbook: an offer is within its limits: " + o.ID.String())
	}
}
