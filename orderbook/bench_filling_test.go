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
	day     corehour.Minute // shorter where the naive model has to follow
}

// end is after the last bid's window.
func (m *loadFilling) end() corehour.Minute { return corehour.Minute(m.days+5) * m.day }

func (m *loadFilling) offer() orderbook.Offer {
	m.arrival++
	return orderbook.Offer{
		ID: corehour.OfferID(m.arrival), Arrival: m.arrival, Units: loadMostUnits,
		To:     m.end(),
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
		Duration: corehour.Minutes(int(m.day)/48 + m.random.IntN(int(m.day)/2)), EarliestStart: now,
		LatestEnd: now + m.day*corehour.Minute(1+m.random.IntN(3)),
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

// loadTrader is who carries out the commands of a filling market.
type loadTrader interface {
	placeOffer(o orderbook.Offer)
	placeBid(now corehour.Minute, bid orderbook.Bid) []orderbook.Fill
	cancelBid(id corehour.BidID)
	release(now corehour.Minute, f orderbook.Fill, from corehour.Minute) []orderbook.Fill
}

// run places every bid as it arrives, takes out those whose window has passed,
// and ends a third of the leases early, which gives their units to those that wait.
func (m *loadFilling) run(trader loadTrader, offers, bids int) {
	for range offers {
		trader.placeOffer(m.offer())
	}
	type waits struct {
		id    corehour.BidID
		until corehour.Minute
	}
	var waiting []waits
	// What ends early, by the minute in which it does.
	endings, ended := make([][]orderbook.Fill, m.end()), corehour.Minute(0)
	took := func(made []orderbook.Fill) {
		for _, f := range made {
			if m.random.IntN(3) == 0 {
				at := (f.Start + f.End) / 2
				endings[at] = append(endings[at], f)
			}
		}
	}
	for i := range bids {
		now := corehour.Minute(i) * corehour.Minute(m.days) * m.day / corehour.Minute(bids)
		for ; ended <= now; ended++ {
			for _, f := range endings[ended] {
				took(trader.release(now, f, ended))
			}
		}
		for len(waiting) > 0 && waiting[0].until < now {
			trader.cancelBid(waiting[0].id)
			waiting = waiting[1:]
		}
		bid := m.bid(now)
		took(trader.placeBid(now, bid))
		waiting = append(waiting, waits{bid.ID, bid.LatestEnd})
	}
}

// loadBook is the real book as a trader. The clock runs for bids.
type loadBook struct {
	book            *orderbook.Book
	offers          map[corehour.OfferID]orderbook.OfferRef
	bids            map[corehour.BidID]orderbook.BidRef
	latencies       loadLatencies
	fills, releases int
}

func newLoadBook() *loadBook {
	return &loadBook{
		book:   orderbook.New(orderbook.NewGrid()),
		offers: map[corehour.OfferID]orderbook.OfferRef{}, bids: map[corehour.BidID]orderbook.BidRef{},
	}
}

func (t *loadBook) placeOffer(o orderbook.Offer) { t.offers[o.ID], _ = t.book.PlaceOffer(0, &o) }

func (t *loadBook) placeBid(now corehour.Minute, bid orderbook.Bid) []orderbook.Fill {
	began := time.Now()
	ref, out := t.book.PlaceBid(now, &bid)
	t.latencies.record(time.Since(began).Nanoseconds())
	t.bids[bid.ID] = ref
	t.fills += len(out.Fills)
	return out.Fills
}

func (t *loadBook) cancelBid(id corehour.BidID) {
	t.book.CancelBid(t.bids[id])
	delete(t.bids, id)
}

func (t *loadBook) release(now corehour.Minute, f orderbook.Fill, from corehour.Minute) []orderbook.Fill {
	out := t.book.Release(now, t.offers[f.Offer], f.Units, from, f.End)
	t.releases++
	t.fills += len(out.Fills)
	return out.Fills
}

// BenchmarkBook_FillingMarket is a market of releases, waiting bids and some that
// are all-or-none.
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
				m := &loadFilling{random: rand.New(rand.NewPCG(1, 2)), units: size.units, days: size.days, day: loadDay}
				trader := newLoadBook()
				began := loadCPU(b)
				m.run(trader, size.offers, size.bids)
				rounds.add("ns/op", float64((loadCPU(b)-began).Nanoseconds())/float64(size.bids))
				rounds.add("fills/op", float64(trader.fills)/float64(size.bids))
				rounds.add("releases/op", float64(trader.releases)/float64(size.bids))
				rounds.latencies(&trader.latencies)
			}
			rounds.report(b)
		})
	}
}

// BenchmarkBook_ReleaseToWaitingBids gives units back while thousands of bids rest
// that can't use them: too small a gap, too short a time, wrong conditions.
func BenchmarkBook_ReleaseToWaitingBids(b *testing.B) {
	const minutes, taken = 1_000, 8
	m := &loadFilling{random: rand.New(rand.NewPCG(1, 2)), units: 32, days: 1, day: loadDay}
	book := orderbook.New(orderbook.NewGrid())
	o := m.offer()
	offer, _ := book.PlaceOffer(0, &o)
	book.RestoreLease(offer, loadMostUnits, 0, minutes)
	for range 5_000 {
		bid := m.bid(0)
		bid.LatestEnd /= 72 // at most an hour
		bid.Duration, bid.Units, bid.MinFill, bid.AllOrNone = 30, 32, 20, false
		if ref, _ := book.PlaceBid(0, &bid); ref == 0 {
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
