package orderbook_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// BenchmarkQuestions asks a market of many offers, which nothing changes: what a
// bid would get, why one does not fill (its limit is half of what it would have
// to be), and ten levels of a region.
func BenchmarkQuestions(b *testing.B) {
	const asked = 500
	market := newLoadMarket(b)
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			book := market.seeded(5).book(n, nil)
			bids := market.seeded(4).bids(asked, loadLeastPrice)
			for i := range bids {
				bids[i].Arrival = uint64(n + i + 1)
			}
			runtime.GC()
			b.Run("quote", func(b *testing.B) {
				benchmarkQuestion(b, asked, func(i int) { book.Quote(market.now, bids[i]) })
			})
			b.Run("explain", func(b *testing.B) {
				benchmarkQuestion(b, asked, func(i int) {
					bid := bids[i]
					if fills := book.Quote(market.now, bid); len(fills) > 0 {
						bid.Limit = max(fills[0].Price/2, corehour.Tick)
						bid.Limit -= bid.Limit % corehour.Tick
					}
					book.Explain(market.now, bid)
				})
			})
			b.Run("depth", func(b *testing.B) {
				benchmarkQuestion(b, asked, func(i int) {
					from := bids[i].EarliestStart
					book.OfferDepth(market.now, orderbook.DepthQuery{
						Region: orderbook.RegionIndex(i % 26), CarbonPrice: bids[i].CarbonPrice, From: from, To: from + loadHour, Levels: 10,
					})
				})
			})
		})
	}
}

func benchmarkQuestion(b *testing.B, n int, ask func(i int)) {
	rounds := loadRounds{}
	for b.Loop() {
		var latencies loadLatencies
		var sum time.Duration
		for i := range n {
			began := time.Now()
			ask(i)
			took := time.Since(began)
			sum += took
			latencies.record(took.Nanoseconds())
		}
		rounds.add("ns/op", float64(sum.Nanoseconds())/float64(n))
		rounds.latencies(&latencies)
	}
	rounds.report(b)
}
