package orderbook

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/corehour/corehour"
)

// market makes the orders of a market that fills up: offers in pairs of firm and
// interruptible over 26 regions, bids of some hours with windows of one to three
// days.
type market struct {
	random  *rand.Rand
	arrival uint64
	units   int // the largest bid
	days    int
}

func (m *market) offer() Offer {
	m.arrival++
	o := plainOffer(m.arrival, 64)
	o.To = corehour.Minute(m.days+5) * corehour.Minute(corehour.MinutesPerDay)
	o.Price = corehour.Price(20+m.random.IntN(40)) * corehour.Tick
	o.Carbon = corehour.CarbonRate(m.random.IntN(400_000))
	o.Region = RegionIndex(m.arrival / 2 % 26)
	o.Interruptible = m.arrival%2 == 0
	return o
}

func (m *market) bid(now corehour.Minute) Bid {
	m.arrival++
	bid := plainBid(m.arrival, corehour.Units(1+m.random.IntN(m.units)))
	bid.Duration = corehour.Minutes(30 + m.random.IntN(720))
	bid.EarliestStart = now
	bid.LatestEnd = now.Add(corehour.MinutesPerDay * corehour.Minutes(1+m.random.IntN(3)))
	bid.Limit = corehour.Price(20+m.random.IntN(45)) * corehour.Tick
	bid.Interruptible = m.random.IntN(2) == 0
	if m.random.IntN(3) == 0 {
		bid.CarbonPrice = corehour.CarbonPrice(m.random.IntN(100)) * 1_000_000
	}
	if m.random.IntN(10) == 0 {
		bid.AllOrNone = true
	}
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
			for b.Loop() {
				m := &market{random: rand.New(rand.NewPCG(1, 2)), units: size.units, days: size.days}
				m.run(b, size.offers, size.bids)
			}
		})
	}
}

func (m *market) run(b *testing.B, offers, bids int) {
	book := New()
	for range offers {
		book.PlaceOffer(0, m.offer())
	}
	// What ends early, by the minute in which it does.
	endings := make([][]Fill, (m.days+5)*int(corehour.MinutesPerDay))
	ended := corehour.Minute(0)
	var waiting []Bid
	fills, releases, most := 0, 0, 0
	began := time.Now()
	var slowest time.Duration
	took := func(made []Fill) {
		fills += len(made)
		for _, f := range made {
			if m.random.IntN(3) == 0 {
				at := (f.Start + f.End) / 2
				endings[at] = append(endings[at], f)
			}
		}
	}
	for i := range bids {
		now := corehour.Minute(i * m.days * int(corehour.MinutesPerDay) / bids)
		for ; ended <= now; ended++ {
			for _, f := range endings[ended] {
				releases++
				took(book.Release(now, f.Offer, f.Units, ended, f.End))
			}
		}
		for len(waiting) > 0 && waiting[0].LatestEnd < now {
			book.CancelBid(waiting[0].ID)
			waiting = waiting[1:]
		}
		bid := m.bid(now)
		start := time.Now()
		made := book.PlaceBid(now, bid)
		slowest = max(slowest, time.Since(start))
		took(made)
		waiting = append(waiting, bid)
		most = max(most, len(book.resting))
	}
	steps := 0
	for _, o := range book.offers {
		steps = max(steps, len(o.free.steps))
	}
	b.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(bids), "ns/bid")
	b.ReportMetric(float64(fills), "fills")
	b.ReportMetric(float64(releases), "releases")
	b.ReportMetric(float64(most), "most-resting")
	b.ReportMetric(float64(steps), "most-steps")
	b.ReportMetric(float64(slowest.Microseconds()), "slowest-us")
}

// BenchmarkBook_ReleaseToWaitingBids gives units back while thousands of bids
// rest that can't use them: too small a gap, too short a time, wrong conditions.
func BenchmarkBook_ReleaseToWaitingBids(b *testing.B) {
	m := &market{random: rand.New(rand.NewPCG(1, 2)), units: 32, days: 1}
	book := New()
	book.PlaceOffer(0, m.offer())
	full := plainBid(1<<40, 64)
	full.Duration, full.LatestEnd = 1_000, 1_000
	full.Limit = corehour.MaxPrice
	full.Interruptible = true
	book.PlaceBid(0, full)
	for len(book.resting) < 5_000 {
		bid := m.bid(0)
		bid.LatestEnd = bid.LatestEnd / 72 // at most an hour
		bid.Duration, bid.Units, bid.MinFill = 30, 32, 20
		book.PlaceBid(0, bid)
	}
	b.ReportAllocs()
	for b.Loop() {
		if made := book.Release(0, 1, 8, 0, 1_000); len(made) > 0 {
			b.Fatal("a lease was made")
		}
		book.RestoreLease(1, 8, 0, 1_000)
	}
}
