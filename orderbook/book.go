package orderbook

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
)

// Book is the book of one product. It is not safe for concurrent use: the state
// machine that owns it is one goroutine.
type Book struct {
	grid *Grid
	now  corehour.Minute

	// offers are sorted by price, then arrival, so that a bid stops reading at
	// its limit.
	offers  []*offer
	offerBy map[corehour.OfferID]*offer

	// resting bids are in no particular order; wants[i] is what new capacity is
	// first compared with on behalf of resting[i].
	resting []*restingBid
	wants   []want
	bidBy   map[corehour.BidID]*restingBid

	// Buffers that live from call to call.
	fills      []Fill
	candidates []candidate
	turns      []turn
	whole      wholeSearch
}

// offer is an offer in the book and what it still has to sell.
type offer struct {
	Offer
	free capacity
}

// restingBid is a bid that waits, and its index in the list of those.
type restingBid struct {
	Bid
	slot int
}

// want is the part of a resting bid that turns most new capacity away. It is
// kept apart so that a pass over thousands of bids reads little memory.
type want struct {
	limit               corehour.Price
	earliest, latestEnd corehour.Minute
	duration            corehour.Minutes
	atLeast             corehour.Units
}

// New makes an empty book.
func New(grid *Grid) *Book {
	return &Book{
		grid:    grid,
		offerBy: make(map[corehour.OfferID]*offer),
		bidBy:   make(map[corehour.BidID]*restingBid),
	}
}

// PlaceBid matches an incoming bid; what stays open rests if its time in force
// lets it (gtc, gtt) and it may still become a lease. The book keeps the bid's
// provider lists, which must not change. The returned fills, in the order in
// which they were made, are valid until the next call.
func (b *Book) PlaceBid(now corehour.Minute, bid Bid) (BidRef, Outcome) {
	b.begin(now)
	b.admitBid(&bid)
	if bid.allOrNone() {
		b.fillWhole(&bid, nil, 0, 0)
	} else {
		b.fillFromAll(&bid)
	}
	if bid.seeks() && bid.rests() {
		b.rest(&bid)
		return BidRef(bid.ID), Outcome{Fills: b.fills}
	}
	return 0, Outcome{Fills: b.fills}
}

// PlaceOffer adds capacity and matches it with resting bids. The returned fills
// are valid until the next call.
func (b *Book) PlaceOffer(now corehour.Minute, o Offer) (OfferRef, Outcome) {
	b.begin(now)
	placed := b.list(&o)
	b.allot(placed, placed.From, placed.To)
	return OfferRef(o.ID), Outcome{Fills: b.fills}
}

// CancelBid takes a resting bid out of the book and returns what it still
// sought; ok is false where no such bid rests.
func (b *Book) CancelBid(ref BidRef) (open corehour.Units, ok bool) {
	id := corehour.BidID(ref)
	bid, ok := b.bidBy[id]
	if !ok {
		return 0, false
	}
	b.remove(bid)
	return bid.Units, true
}

// CancelOffer ends the sale of an offer and forgets its capacity; its leases are
// the caller's matter. It returns false where there is no such offer.
func (b *Book) CancelOffer(ref OfferRef) bool {
	id := corehour.OfferID(ref)
	o, ok := b.offerBy[id]
	if !ok {
		return false
	}
	delete(b.offerBy, id)
	i, _ := slices.BinarySearchFunc(b.offers, o, byPrice)
	b.offers = slices.Delete(b.offers, i, i+1)
	return true
}

// Release gives units of an offer back for [from, to), part of a lease that
// ended early, and matches them with resting bids. Nothing happens if the offer
// is not in the book or the time has passed. The returned fills are valid until
// the next call.
func (b *Book) Release(now corehour.Minute, ref OfferRef, units corehour.Units, from, to corehour.Minute) Outcome {
	id := corehour.OfferID(ref)
	b.begin(now)
	o, ok := b.offerBy[id]
	from = max(from, now)
	if !ok || from >= to {
		return Outcome{Fills: b.fills}
	}
	o.free.trim(now)
	o.free.release(from, to, units)
	b.allot(o, from, to)
	return Outcome{Fills: b.fills}
}

// Open is what a resting bid still seeks; ok is false where no such bid rests.
func (b *Book) Open(ref BidRef) (open corehour.Units, left corehour.Minutes, ok bool) {
	id := corehour.BidID(ref)
	bid, ok := b.bidBy[id]
	if !ok {
		return 0, 0, false
	}
	return bid.Units, bid.Duration, true
}

// HasOffer reports whether the offer is in the book.
func (b *Book) HasOffer(ref OfferRef) bool {
	id := corehour.OfferID(ref)
	_, ok := b.offerBy[id]
	return ok
}

// Free returns the fewest units of an offer free over [from, to); ok is false
// where the offer is not in the book. Outside of the delivery window nothing is
// free. The book forgets what has passed: minutes before the last command's now
// do not count, and over none that is left the answer is zero.
func (b *Book) Free(ref OfferRef, from, to corehour.Minute) (free corehour.Units, ok bool) {
	id := corehour.OfferID(ref)
	o, ok := b.offerBy[id]
	if !ok {
		return 0, false
	}
	from = max(from, b.now)
	if from >= to || from < o.From || to > o.To {
		return 0, true
	}
	return o.free.fewest(from, to), true
}

// RestoreBid puts a resting bid of a snapshot back, without matching. Units and
// MaxLeases are what was left of them. The order of restoring does not matter,
// but that offers come before their leases.
func (b *Book) RestoreBid(bid Bid) BidRef {
	b.admitBid(&bid)
	b.rest(&bid)
	return BidRef(bid.ID)
}

// RestoreOffer puts an offer of a snapshot back, without matching, with all its
// units free.
func (b *Book) RestoreOffer(o Offer) OfferRef {
	b.list(&o)
	return OfferRef(o.ID)
}

// RestoreLease takes the units of a snapshot's lease out of what its offer has
// free. A lease of an offer that is not in the book changes nothing.
func (b *Book) RestoreLease(ref OfferRef, units corehour.Units, start, end corehour.Minute) {
	if o, ok := b.offerBy[corehour.OfferID(ref)]; ok {
		o.free.reserve(start, end, units)
	}
}

// begin starts a command: time never goes back, and the last command's fills
// are gone.
func (b *Book) begin(now corehour.Minute) {
	if now < b.now {
		panic(fmt.Sprintf("orderbook: time never goes back: %d after %d", now, b.now))
	}
	b.now = now
	b.fills = b.fills[:0]
}

func (b *Book) admitBid(bid *Bid) {
	if _, ok := b.bidBy[bid.ID]; ok {
		panic("orderbook: a bid is placed once: " + bid.ID.String())
	}
	if bid.Units < 1 || bid.Units > corehour.MaxUnits || bid.MinFill < 1 || bid.Duration < 1 ||
		bid.MaxLeases < 1 || bid.Limit < 1 || bid.Limit > corehour.MaxPrice || !bid.Limit.OnTick() {
		panic("orderbook: a bid is within its limits: " + bid.ID.String())
	}
}

func (b *Book) rest(bid *Bid) {
	r := &restingBid{Bid: *bid, slot: len(b.resting)}
	b.resting = append(b.resting, r)
	b.wants = append(b.wants, want{
		limit: bid.Limit, earliest: bid.EarliestStart, latestEnd: bid.LatestEnd,
		duration: bid.Duration, atLeast: bid.atLeast(),
	})
	b.bidBy[bid.ID] = r
}

// remove takes a bid out of the resting ones; the last one takes its place.
func (b *Book) remove(r *restingBid) {
	last := len(b.resting) - 1
	moved := b.resting[last]
	b.resting[r.slot], b.wants[r.slot] = moved, b.wants[last]
	moved.slot = r.slot
	b.resting[last] = nil
	b.resting, b.wants = b.resting[:last], b.wants[:last]
	delete(b.bidBy, r.ID)
}

// list puts an offer among those that bids look through.
func (b *Book) list(o *Offer) *offer {
	if _, ok := b.offerBy[o.ID]; ok {
		panic("orderbook: an offer is placed once: " + o.ID.String())
	}
	if o.Units < 1 || o.Units > corehour.MaxUnits || o.MinFill < 1 || o.MinFill > o.Units || o.From >= o.To ||
		o.MinDuration < 1 || o.Price < 1 || o.Price > corehour.MaxPrice || !o.Price.OnTick() {
		panic("orderbook: an offer is within its limits: " + o.ID.String())
	}
	listed := &offer{Offer: *o, free: newCapacity(o.Units, o.From, o.To)}
	i, _ := slices.BinarySearchFunc(b.offers, listed, byPrice)
	b.offers = slices.Insert(b.offers, i, listed)
	b.offerBy[o.ID] = listed
	return listed
}

func byPrice(x, y *offer) int {
	return cmp.Or(cmp.Compare(x.Price, y.Price), cmp.Compare(x.Arrival, y.Arrival))
}
