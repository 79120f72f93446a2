package orderbook_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// BenchmarkW4Steady is W4 in a market that stays as it is: what a bid took is
// given back and what of it rests is cancelled while the clock stands. W4 itself
// shows a market that is sold out from its cheap end on.
func BenchmarkW4Steady(b *testing.B) {
	market := newLoadMarket(b)
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			refs := make(map[corehour.OfferID]orderbook.OfferRef, n)
			book := market.seeded(5).book(n, func(ref orderbook.OfferRef, o *orderbook.Offer) { refs[o.ID] = ref })
			bids := market.seeded(4).bids(loadAttempts, loadLeastPrice)
			runtime.GC()
			rounds, arrival, fills, bid := loadRounds{}, uint64(n), 0, new(orderbook.Bid)
			for b.Loop() {
				var latencies loadLatencies
				var sum time.Duration
				fills = 0
				for i := range bids {
					arrival++
					*bid = bids[i]
					bid.Arrival = arrival
					began := time.Now()
					ref, out := book.PlaceBid(market.now, bid)
					took := time.Since(began)
					latencies.record(took.Nanoseconds())
					sum += took
					fills += len(out.Fills)
					book.CancelBid(ref)
					for _, f := range append([]orderbook.Fill{}, out.Fills...) {
						book.Release(market.now, refs[f.Offer], f.Units, f.Start, f.End)
					}
				}
				mean := float64(sum.Nanoseconds()) / float64(len(bids))
				rounds.add("ns/bid", mean)
				rounds.add("bids/s", float64(time.Second)/mean)
				rounds.latencies(&latencies)
			}
			rounds.add("fills/op", float64(fills)/float64(len(bids)))
			rounds.report(b)
		})
	}
}
