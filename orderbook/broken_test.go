package orderbook_test

import (
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// broken is a market that sees other orders than those that came.
type broken struct {
	*modelBook
	bid   func(*orderbook.Bid)
	offer func(*orderbook.Offer)
}

func (b broken) seenBid(bid orderbook.Bid) orderbook.Bid {
	if b.bid != nil {
		b.bid(&bid)
	}
	return bid
}

func (b broken) seenOffer(o orderbook.Offer) orderbook.Offer {
	if b.offer != nil {
		b.offer(&o)
	}
	return o
}

func (b broken) PlaceBid(now corehour.Minute, bid *orderbook.Bid) (orderbook.BidRef, orderbook.Outcome) {
	seen := b.seenBid(*bid)
	return b.modelBook.PlaceBid(now, &seen)
}

func (b broken) PlaceOffer(now corehour.Minute, o *orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome) {
	seen := b.seenOffer(*o)
	return b.modelBook.PlaceOffer(now, &seen)
}

func (b broken) AmendOffer(now corehour.Minute, ref orderbook.OfferRef, o orderbook.Offer) (orderbook.OfferRef, orderbook.Outcome, bool) {
	return b.modelBook.AmendOffer(now, ref, b.seenOffer(o))
}

// noRelease is a market in which what ends early is not sold again.
type noRelease struct{ *modelBook }

func (b noRelease) Release(now corehour.Minute, _ orderbook.OfferRef, _ corehour.Units, _, _ corehour.Minute) orderbook.Outcome {
	b.model.now = now
	return orderbook.Outcome{}
}

// noReconsider is one in which resting bids don't learn of cleaner hours.
type noReconsider struct{ *modelBook }

func (b noReconsider) Reconsider(now corehour.Minute, _ orderbook.ZoneIndex, _, _ corehour.Minute) orderbook.Outcome {
	b.model.now = now
	return orderbook.Outcome{}
}

// TestSession_NoticesABrokenRule breaks one rule at a time. A rule whose loss the
// random sessions can't notice is not tested by them.
func TestSession_NoticesABrokenRule(t *testing.T) {
	if s, failed := newSequence(1, 300).run(newModelMarket); failed != "" {
		t.Fatalf("the model disagrees with itself:\n%s", s.shortest(failed, time.Second))
	}
	markets := map[string]newMarket{
		"release":    func(_ *orderbook.Grid, hours *hourly) market { return noRelease{newModelBook(hours)} },
		"reconsider": func(_ *orderbook.Grid, hours *hourly) market { return noReconsider{newModelBook(hours)} },
	}
	breakBids := func(what string, change func(*orderbook.Bid)) {
		markets[what] = func(_ *orderbook.Grid, hours *hourly) market {
			return broken{modelBook: newModelBook(hours), bid: change}
		}
	}
	breakOffers := func(what string, change func(*orderbook.Offer)) {
		markets[what] = func(_ *orderbook.Grid, hours *hourly) market {
			return broken{modelBook: newModelBook(hours), offer: change}
		}
	}
	for _, o := range overlooked {
		breakBids(o.condition, o.change)
	}
	const late = 1 << 30
	breakBids("group", func(b *orderbook.Bid) { b.Group = 0 })
	breakBids("post-only bid", func(b *orderbook.Bid) { b.PostOnly = false })
	breakBids("time in force", func(b *orderbook.Bid) { b.TimeInForce = corehour.GoodTillCancelled })
	breakBids("bid's arrival", func(b *orderbook.Bid) { b.Arrival = late - b.Arrival })
	breakOffers("offer's arrival", func(o *orderbook.Offer) { o.Arrival = late - o.Arrival })
	breakOffers("post-only offer", func(o *orderbook.Offer) { o.PostOnly = false })
	breakOffers("offer's minimum fill", func(o *orderbook.Offer) { o.MinFill = 1 })
	breakOffers("minimum duration", func(o *orderbook.Offer) { o.MinDuration = 1 })
	breakOffers("carbon by the hour", func(o *orderbook.Offer) {
		if o.Carbon.Zone != orderbook.NoZone {
			o.Carbon = orderbook.Carbon{Rate: 1_000}
		}
	})
	for what, market := range markets {
		t.Run(what, func(t *testing.T) {
			const most = 20
			for seed := range uint64(most) {
				if _, failed := newSequence(seed, 300).run(market); failed != "" {
					return
				}
			}
			t.Errorf("%d sessions did not notice", most)
		})
	}
}

func newModelMarket(_ *orderbook.Grid, hours *hourly) market { return newModelBook(hours) }
