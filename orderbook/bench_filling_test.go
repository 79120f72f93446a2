package orderbook_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// loadFilling makes the orders of a market that fills up: offers in pairs of firm
// and interruptible over 26 regions, bids of some hours with windows of one to
// three days, some of them all-or-none.
type loadFilling struct {
	random  *rand.Rand
	arrival uint64
	units   int // the largest bid
	days    int
}

func (m *loadFilling) offer() orderbook.Offer {
	m.arrival++
	return orderbook.Offer{
		ID: corehour.OfferID(m.arrival), Arrival: m.arrival, Units: loadMostUnits,
		To:     corehour.Minute(m.days+5) * loadDay,
		Price:  corehour.Price(20+m.random.IntN(40)) * corehour.Tick,
		Carbon: orderbook.Carbon{Rate: corehour.CarbonRate(m.random.IntN(400_000))},
		Region: orderbook.RegionIndex(m.arrival / 2 % 26), Interruptible: m.arrival%2 == 0,
		SLA: corehour.SLABasic, MinFill: 1, MinDuration: 1,
	}
}

func (m *loadFilling) bid(now corehour.Minute) orderbook.Bid {
	m.arrival++
	bid := orderbook.Bid{
		ID: corehour.BidID(m.arrival), Arrival: m.arrival, Org: 1, Units: corehour.Units(m.random.IntN(m.units) + 1),
		Duration: corehour.Minutes(30 + m.random.IntN(720)), EarliestStart: now,
		LatestEnd: now + loadDay*corehour.Minute(1+m.random.IntN(3)),
		Limit:     corehour.Price(20+m.random.IntN(45)) * corehour.Tick,
		Regions:   orderbook.RegionSet{AllowAll: true}, Providers: orderbook.ProviderSet{AllowAll: true},
		MaxCarbon: orderbook.NoCarbonCap, MinSLA: corehour.SLABasic, Interruptible: m.random.IntN(2) == 0,
		MinFill: 1, MaxLeases: corehour.MaxLeasesPerBid, TimeInForce: corehour.GoodTillCancelled,
	}
	if m.random.IntN(3) == 0 {
		bid.CarbonPrice = corehour.CarbonPrice(m.random.IntN(100)) * 1_000_000
	}
	bid.AllOrNone = m.random.IntN(10) == 0
	return bid
}

// BenchmarkBook_FillingMarket places every bid as it arrives, takes out those
// whose window has passed, and ends a third of the leases early, which gives
// their units to those that wait.
func BenchmarkBook_FillingMarket(b *testing.B) {
	for _, size := range []struct {
		name                      string
		offers, bids, units, days int
	}{
		{"52-offers-20k-bids", 52, 20_000, 32, 30},
		{"52-offers-60k-bids", 52, 60_000, 32, 30},
		{"52-offers-60k-small-bids", 52, 60_000, 3, 10},
		{"2000-offers-20k-bids", 2_000, 20_000, 32, 30},
	} {
		b.Run(size.name, func(b *testing.B) {
			rounds := loadRounds{}
			for b.Loop() {
				m := &loadFilling{random: rand.New(rand.NewPCG(1, 2)), units: size.units, days: size.days}
				m.run(b, rounds, size.offers, size.bids)
			}
			rounds.report(b)
		})
	}
}

func (m *loadFilling) run(b *testing.B, rounds loadRounds, offers, bids int) {
	type waits struct {
		ref   orderbook.BidRef
		until corehour.Minute
	}
	book := orderbook.New(orderbook.NewGrid())
	refs := map[corehour.OfferID]orderbook.OfferRef{}
	for range offers {
		o := m.offer()
		refs[o.ID], _ = book.PlaceOffer(0, o)
	}
	// What ends early, by the minute in which it does.
	endings := make([][]orderbook.Fill, corehour.Minute(m.days+5)*loadDay)
	ended := corehour.Minute(0)
	var waiting []waits
	var latencies loadLatencies
	fills, releases := 0, 0
	took := func(made []orderbook.Fill) {
		fills += len(made)
		for _, f := range made {
			if m.random.IntN(3) == 0 {
				at := (f.Start + f.End) / 2
				endings[at] = append(endings[at], f)
			}
		}
	}
	began := loadCPU(b)
	for i := range bids {
		now := corehour.Minute(i) * corehour.Minute(m.days) * loadDay / corehour.Minute(bids)
		for ; ended <= now; ended++ {
			for _, f := range endings[ended] {
				releases++
				took(book.Release(now, refs[f.Offer], f.Units, ended, f.End).Fills)
			}
		}
		for len(waiting) > 0 && waiting[0].until < now {
			book.CancelBid(waiting[0].ref)
			waiting = waiting[1:]
		}
		bid := m.bid(now)
		start := time.Now()
		ref, out := book.PlaceBid(now, bid)
		latencies.record(time.Since(start).Nanoseconds())
		took(out.Fills)
		if ref != 0 {
			waiting = append(waiting, waits{ref, bid.LatestEnd})
		}
	}
	rounds.add("ns/op", float64((loadCPU(b)-began).Nanoseconds())/float64(bids))
	rounds.add("fills/op", float64(fills)/float64(bids))
	rounds.add("releases/op", float64(releases)/float64(bids))
	rounds.latencies(&latencies)
}

// BenchmarkBook_ReleaseToWaitingBids gives units back while thousands of bids rest
// that can't use them: too small a gap, too short a time, wrong conditions.
func BenchmarkBook_ReleaseToWaitingBids(b *testing.B) {
	const minutes, taken = 1_000, 8
	m := &loadFilling{random: rand.New(rand.NewPCG(1, 2)), units: 32, days: 1}
	book := orderbook.New(orderbook.NewGrid())
	offer, _ := book.PlaceOffer(0, m.offer())
	book.RestoreLease(offer, loadMostUnits, 0, minutes)
	for range 5_000 {
		bid := m.bid(0)
		bid.LatestEnd /= 72 // at most an hour
		bid.Duration, bid.Units, bid.MinFill, bid.AllOrNone = 30, 32, 20, false
		if ref, _ := book.PlaceBid(0, bid); ref == 0 {
			b.Fatal("a bid without capacity does not rest")
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if out := book.Release(0, offer, taken, 0, minutes); len(out.Fills) > 0 {
			b.Fatal("a lease was made")
		}
		book.RestoreLease(offer, taken, 0, minutes)
	}
}
