package orderbook_test

import (
	"math/rand/v2"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// TestBook_IndexHoldsWhileItGrowsAndShrinks lets trees of three levels, and ladders
// of hundreds of prices, grow from nothing and go again, in any order: nodes split
// and join on all levels, and bounds that cover too little would hide orders from
// searches.
func TestBook_IndexHoldsWhileItGrowsAndShrinks(t *testing.T) {
	t.Run("orders of all kinds", func(t *testing.T) { growAndShrink(t, 2_000, 9, 500) })
	t.Run("orders alike but for the price", func(t *testing.T) { growAndShrink(t, 1, 1, 900) })
	t.Run("prices beyond what ranks tell apart", func(t *testing.T) {
		growAndShrink(t, 1, 2, int(corehour.MaxPrice/corehour.Tick))
	})
}

func growAndShrink(t *testing.T, starts, providers, prices int) {
	random := rand.New(rand.NewPCG(1, 2))
	book := orderbook.New(orderbook.NewGrid())
	const orders, checkEach = 4_000, 40
	check := func(i int) {
		t.Helper()
		if i%checkEach > 0 {
			return
		}
		if err := book.Check(); err != nil {
			t.Fatalf("after %d orders: %v", i, err)
		}
	}
	price := func() corehour.Price { return corehour.Price(1+random.IntN(prices)) * corehour.Tick }
	var bids []orderbook.BidRef
	var offers []orderbook.OfferRef
	for i := range orders {
		from := corehour.Minute(random.IntN(starts))
		length := corehour.Minute(1 + min(random.IntN(500), starts-1))
		offers = append(offers, book.RestoreOffer(orderbook.Offer{
			ID: corehour.OfferID(i + 1), Arrival: uint64(2 * i), Provider: orderbook.ProviderIndex(random.IntN(providers)),
			Units: corehour.Units(1 + random.IntN(9)), From: from, To: from + length,
			Price: price(), SLA: corehour.SLABasic, MinFill: 1,
			MinDuration: 1, Carbon: orderbook.Carbon{Rate: corehour.CarbonRate(min(random.IntN(5_000), starts))},
		}))
		d := corehour.Minute(1 + min(random.IntN(200), starts-1))
		bids = append(bids, book.RestoreBid(orderbook.Bid{
			ID: corehour.BidID(i + 1), Arrival: uint64(2*i + 1), Units: corehour.Units(1 + random.IntN(9)), Duration: corehour.Minutes(d),
			EarliestStart: from, LatestEnd: from + d + corehour.Minute(min(random.IntN(100), starts-1)),
			Limit: price(), Regions: orderbook.RegionSet{AllowAll: true},
			Providers: orderbook.ProviderSet{AllowAll: true}, MaxCarbon: orderbook.NoCarbonCap, MinSLA: corehour.SLABasic,
			MinFill: 1, MaxLeases: 1, TimeInForce: corehour.GoodTillCancelled,
		}))
		check(i)
	}
	random.Shuffle(orders, func(i, j int) { bids[i], bids[j] = bids[j], bids[i] })
	random.Shuffle(orders, func(i, j int) { offers[i], offers[j] = offers[j], offers[i] })
	for i := range orders {
		_, rested := book.CancelBid(bids[i])
		if !rested || !book.CancelOffer(offers[i]) {
			t.Fatalf("order %d was not in the book", i)
		}
		check(i)
	}
	check(0)
}
