package exchange

import (
	"testing"

	"github.com/corehour/corehour"
)

func TestState_CancelAllStopsAtItsLimitAndSaysSo(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, marshal(c))
	}
	const offers = 3
	for range MaxCancelled {
		c := PlaceBid{Product: "cpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 120, Limit: corehour.Tick}
		if reply := s.placeBid(c); reply.Rejected() {
			t.Fatalf("%+v", reply)
		}
	}
	for range offers {
		s.placeOffer(PlaceOffer{Product: "gpu", Provider: "a", Region: "r1", Units: 1, To: 90, Price: corehour.Tick})
	}
	s.placeBid(PlaceBid{Product: "cpu", Consumer: "b", Units: 1, Duration: 60, LatestEnd: 120, Limit: corehour.Tick})
	for _, want := range []Reply{{Cancelled: MaxCancelled, More: true}, {Cancelled: offers}, {}} {
		c := CancelAll{Account: "a"}
		if reply := s.apply(0, c, marshal(c)); reply.Cancelled != want.Cancelled || reply.More != want.More {
			t.Fatalf("%+v, want %+v", reply, want)
		}
	}
	checkInvariants(t, s)
	if len(s.bids) != 1 || len(s.offers) != 0 {
		t.Fatalf("%d bids and %d offers are left", len(s.bids), len(s.offers))
	}
}

// The heap of deadlines keeps what an amendment has made stale, and must not let
// it happen.
func TestState_DeadlinesOfOldTermsPassWithoutEffect(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, marshal(c))
	}
	bid := s.placeBid(PlaceBid{Product: "cpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 120, Limit: corehour.Tick}).Bid
	offer := s.placeOffer(PlaceOffer{Product: "gpu", Provider: "a", Region: "r1", Units: 1, To: 90, Price: corehour.Tick}).Offer
	scheduled := len(s.deadlines)
	later, price := corehour.Minute(300), 2*corehour.Tick
	for range 3 { // the same deadline is not scheduled again
		s.amendBid(AmendBid{Consumer: "a", Bid: bid, Limit: &price})
		s.amendOffer(AmendOffer{Provider: "a", Offer: offer, Price: &price})
		price += corehour.Tick
	}
	if len(s.deadlines) != scheduled {
		t.Errorf("%d deadlines became %d", scheduled, len(s.deadlines))
	}
	s.amendBid(AmendBid{Consumer: "a", Bid: bid, LatestEnd: &later})
	s.amendOffer(AmendOffer{Provider: "a", Offer: offer, To: &later})
	s.apply(239*corehour.MicrosPerMinute, Tick{}, nil)
	if s.bids[bid] == nil || s.offers[offer] == nil {
		t.Fatal("an order left when its old window passed")
	}
	s.apply(300*corehour.MicrosPerMinute, Tick{}, nil)
	if s.bids[bid] != nil || s.offers[offer] != nil {
		t.Fatal("an order stayed when its new window had passed")
	}
}

// The transcripts rebuild the state after each command, so this one does not.
func TestState_RegionThatOpensLaterReachesWaitingBids(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, marshal(c))
	}
	wants := PlaceBid{Product: "cpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 120, Limit: 2 * corehour.Tick}
	wants.Countries.Allow = []string{"SE"}
	avoids := PlaceBid{Product: "cpu", Consumer: "b", Units: 1, Duration: 60, LatestEnd: 120, Limit: 3 * corehour.Tick}
	avoids.Continents.Deny = []string{"europe"}
	first, second := s.placeBid(wants).Bid, s.placeBid(avoids).Bid
	s.defineRegion(DefineRegion{Region: corehour.Region{ID: "r3", Country: "SE", Continent: "europe", Zone: "SE"}})
	reply := s.placeOffer(PlaceOffer{Product: "cpu", Provider: "c", Region: "r3", Units: 9, To: 90, Price: corehour.Tick})
	if len(reply.Fills) != 1 || reply.Fills[0].Bid != first || s.bids[second] == nil {
		t.Fatalf("%+v", reply)
	}
}

// An amendment governs what is sold from the next whole minute on: a lease that
// still runs in the minute that has begun does not stand in its way, and that
// minute is not oversold by it.
func TestState_AmendedOfferMaySellLessThanRunsInTheMinuteThatHasBegun(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, marshal(c))
	}
	offer := s.placeOffer(PlaceOffer{Product: "cpu", Provider: "a", Region: "r1", Units: 9, To: 90, Price: corehour.Tick}).Offer
	if reply := s.placeBid(PlaceBid{Product: "cpu", Consumer: "b", Units: 8, Duration: 10, LatestEnd: 10, Limit: corehour.Tick}); len(reply.Fills) != 1 {
		t.Fatalf("%+v", reply)
	}
	less := AmendOffer{Provider: "a", Offer: offer, Units: new(corehour.Units)}
	*less.Units = 2
	if reply := s.apply(9*corehour.MicrosPerMinute, less, marshal(less)); reply.Code != CodeSold {
		t.Fatalf("the lease runs for another minute: %+v", reply)
	}
	if reply := s.apply(9*corehour.MicrosPerMinute+1, less, marshal(less)); reply.Rejected() {
		t.Fatalf("%+v", reply)
	}
	checkInvariants(t, s)
}
