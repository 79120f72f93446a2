package orderbook_test

import (
	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// market is what a session trades on: the book, or the model in its place.
type market interface {
	PlaceBid(now corehour.Minute, bid *orderbook.Bid) (orderbook.BidRef, orderbook.Outcome)
	PlaceOffer(now corehour.Minute, o *orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome)
	CancelBid(ref orderbook.BidRef) (corehour.Units, bool)
	CancelOffer(ref orderbook.OfferRef) bool
	ReduceBid(now corehour.Minute, ref orderbook.BidRef, units corehour.Units) (orderbook.Outcome, bool)
	ReduceOffer(now corehour.Minute, ref orderbook.OfferRef, units corehour.Units) bool
	AmendOffer(now corehour.Minute, ref orderbook.OfferRef, o orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome, bool)
	Release(now corehour.Minute, ref orderbook.OfferRef, units corehour.Units, from, to corehour.Minute) orderbook.Outcome
	Reconsider(now corehour.Minute, zone orderbook.ZoneIndex, from, to corehour.Minute) orderbook.Outcome
	ChangeRegions(ref orderbook.BidRef, set orderbook.RegionSet)
	Open(ref orderbook.BidRef) (corehour.Units, corehour.Minutes, bool)
	HasOffer(ref orderbook.OfferRef) bool
	Free(ref orderbook.OfferRef, from, to corehour.Minute) (corehour.Units, bool)
	Quote(now corehour.Minute, bid orderbook.Bid) []orderbook.Fill
	OfferDepth(now corehour.Minute, q orderbook.DepthQuery) []orderbook.Level
	BidDepth(now corehour.Minute, q orderbook.DepthQuery) []orderbook.Level
	RestoreBid(bid orderbook.Bid) orderbook.BidRef
	RestoreOffer(o orderbook.Offer) orderbook.OfferRef
	RestoreLease(ref orderbook.OfferRef, units corehour.Units, start, end corehour.Minute)
}

var _ market = (*orderbook.Book)(nil)

// modelBook is a market that keeps a model. It lets the cases of each rule be
// tried on the model too, and lets a session be tried on a book that is wrong in
// one known way (see broken_test.go).
type modelBook struct {
	model     *model
	bidRefs   map[orderbook.BidRef]corehour.BidID
	offerRefs map[orderbook.OfferRef]corehour.OfferID
	last      uint64
}

func newModelBook(hours *hourly) *modelBook {
	return &modelBook{
		model: &model{grid: hours}, bidRefs: map[orderbook.BidRef]corehour.BidID{},
		offerRefs: map[orderbook.OfferRef]corehour.OfferID{},
	}
}

func (b *modelBook) bidRef(id corehour.BidID) orderbook.BidRef {
	if b.model.bid(id) == nil {
		return 0
	}
	b.last++
	b.bidRefs[orderbook.BidRef(b.last)] = id
	return orderbook.BidRef(b.last)
}

func (b *modelBook) offerRef(id corehour.OfferID) orderbook.OfferRef {
	b.last++
	b.offerRefs[orderbook.OfferRef(b.last)] = id
	return orderbook.OfferRef(b.last)
}

// gone forgets the references to what has left the book.
func (b *modelBook) gone(out orderbook.Outcome) orderbook.Outcome {
	for ref, id := range b.bidRefs {
		if b.model.bid(id) == nil {
			delete(b.bidRefs, ref)
		}
	}
	for ref, id := range b.offerRefs {
		if b.model.offer(id) == nil {
			delete(b.offerRefs, ref)
		}
	}
	return out
}

func (b *modelBook) PlaceBid(now corehour.Minute, bid *orderbook.Bid) (orderbook.BidRef, orderbook.Outcome) {
	b.model.now = now
	out := b.gone(b.model.placeBid(*bid))
	return b.bidRef(bid.ID), out
}

func (b *modelBook) PlaceOffer(now corehour.Minute, o *orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome) {
	b.model.now = now
	out := b.gone(b.model.placeOffer(*o))
	if out.Refused {
		return 0, out
	}
	return b.offerRef(o.ID), out
}

func (b *modelBook) CancelBid(ref orderbook.BidRef) (corehour.Units, bool) {
	bid := b.model.bid(b.bidRefs[ref])
	if bid == nil {
		return 0, false
	}
	b.model.cancelBid(bid.ID)
	b.gone(orderbook.Outcome{})
	return bid.Units, true
}

func (b *modelBook) CancelOffer(ref orderbook.OfferRef) bool {
	o := b.model.offer(b.offerRefs[ref])
	if o == nil {
		return false
	}
	b.model.cancelOffer(o.ID)
	b.gone(orderbook.Outcome{})
	return true
}

func (b *modelBook) ReduceBid(now corehour.Minute, ref orderbook.BidRef, units corehour.Units) (orderbook.Outcome, bool) {
	b.model.now = now
	bid := b.model.bid(b.bidRefs[ref])
	if bid == nil {
		return orderbook.Outcome{}, false
	}
	return b.gone(b.model.reduceBid(bid.ID, units)), true
}

func (b *modelBook) ReduceOffer(now corehour.Minute, ref orderbook.OfferRef, units corehour.Units) bool {
	b.model.now = now
	return b.model.reduceOffer(b.offerRefs[ref], units)
}

func (b *modelBook) AmendOffer(now corehour.Minute, ref orderbook.OfferRef, o orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome, bool) {
	b.model.now = now
	if b.offerRefs[ref] != o.ID {
		return 0, orderbook.Outcome{}, false
	}
	out, ok := b.model.amendOffer(o)
	return ref, b.gone(out), ok
}

func (b *modelBook) Release(now corehour.Minute, ref orderbook.OfferRef, units corehour.Units, from, to corehour.Minute) orderbook.Outcome {
	b.model.now = now
	return b.gone(b.model.release(b.offerRefs[ref], units, from, to))
}

func (b *modelBook) Reconsider(now corehour.Minute, _ orderbook.ZoneIndex, from, to corehour.Minute) orderbook.Outcome {
	b.model.now = now
	return b.gone(b.model.reconsider(from, to))
}

func (b *modelBook) ChangeRegions(ref orderbook.BidRef, set orderbook.RegionSet) {
	b.model.bid(b.bidRefs[ref]).Regions = set
}

func (b *modelBook) Open(ref orderbook.BidRef) (corehour.Units, corehour.Minutes, bool) {
	bid := b.model.bid(b.bidRefs[ref])
	if bid == nil {
		return 0, 0, false
	}
	return bid.Units, bid.Duration, true
}

func (b *modelBook) HasOffer(ref orderbook.OfferRef) bool {
	return b.model.offer(b.offerRefs[ref]) != nil
}

func (b *modelBook) Free(ref orderbook.OfferRef, from, to corehour.Minute) (corehour.Units, bool) {
	o := b.model.offer(b.offerRefs[ref])
	if from = max(from, b.model.now); o == nil || from >= to {
		return 0, o != nil
	}
	return b.model.free(o, from, to.Sub(from)), true
}

func (b *modelBook) Quote(now corehour.Minute, bid orderbook.Bid) []orderbook.Fill {
	b.model.now = now
	return b.model.quote(bid)
}

func (b *modelBook) OfferDepth(now corehour.Minute, q orderbook.DepthQuery) []orderbook.Level {
	b.model.now = now
	return b.model.offerDepth(q)
}

func (b *modelBook) BidDepth(now corehour.Minute, q orderbook.DepthQuery) []orderbook.Level {
	b.model.now = now
	return b.model.bidDepth(q)
}

func (b *modelBook) RestoreBid(bid orderbook.Bid) orderbook.BidRef {
	b.model.bids = append(b.model.bids, &bid)
	return b.bidRef(bid.ID)
}

func (b *modelBook) RestoreOffer(o orderbook.Offer) orderbook.OfferRef {
	free := make([]corehour.Units, o.To-o.From)
	for i := range free {
		free[i] = o.Units
	}
	b.model.offers = append(b.model.offers, &modelOffer{o, free})
	return b.offerRef(o.ID)
}

func (b *modelBook) RestoreLease(ref orderbook.OfferRef, units corehour.Units, start, end corehour.Minute) {
	if o := b.model.offer(b.offerRefs[ref]); o != nil {
		for minute := start; minute < end; minute++ {
			o.free[minute-o.From] -= units
		}
	}
}
