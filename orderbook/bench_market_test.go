package orderbook_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/corehour/corehour/orderbook"
)

// loadAttempts is how many orders a round of W5 and of W6 measures.
const loadAttempts = 20_000

// BenchmarkW4 places bids into a market of many offers. Each round has a market
// of its own, in which the bids trade.
func BenchmarkW4(b *testing.B) {
	market := newLoadMarket(b)
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			bids := market.seeded(4).bids(max(loadAttempts, n/5), loadLeastPrice)
			rounds := loadRounds{}
			var want loadTally
			for b.Loop() {
				b.StopTimer()
				placing := loadCPU(b)
				book := market.seeded(5).book(n, nil)
				rounds.add("ns/offer", float64((loadCPU(b)-placing).Nanoseconds())/float64(n))
				runtime.GC()
				b.StartTimer()
				began := loadCPU(b)
				done := runW4(book, market, bids, uint64(n), rounds)
				took := float64((loadCPU(b) - began).Nanoseconds()) / float64(len(bids))
				rounds.add("ns/op", took)
				rounds.add("bids/s", float64(time.Second)/took)
				if want == (loadTally{}) {
					want = done
				}
				if done != want || done.fills == 0 {
					b.Fatalf("the same market did %+v after %+v", done, want)
				}
			}
			rounds.add("fills/op", float64(want.fills)/float64(len(bids)))
			rounds.report(b)
		})
	}
}

func runW4(book *orderbook.Book, market *loadMarket, bids []orderbook.Bid, arrival uint64, rounds loadRounds) (done loadTally) {
	var latencies loadLatencies
	mallocs := loadMallocs()
	bid := new(orderbook.Bid)
	began := time.Now()
	last := time.Since(began)
	for i := range bids {
		*bid = bids[i]
		bid.Arrival = arrival + uint64(i) + 1
		_, out := book.PlaceBid(market.now, bid)
		now := time.Since(began)
		latencies.record(int64(now - last))
		last = now
		done.count(out.Fills)
	}
	rounds.add("allocs/op", float64(loadMallocs()-mallocs)/float64(len(bids)))
	rounds.latencies(&latencies)
	return done
}

// BenchmarkW5 places bids that can match nothing and cancels them; the clock
// stands during the cancel. First the issue's four ways in equal parts, then
// each way alone.
func BenchmarkW5(b *testing.B) {
	market := newLoadMarket(b)
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			worst := newLoadWorst(market.seeded(6), n)
			b.Run("mixed", func(b *testing.B) { benchmarkHopeless(b, worst, loadHopelessIssue) })
			for _, how := range append(append([]loadHopeless{}, loadHopelessIssue...), loadHopelessOwn...) {
				b.Run(string(how), func(b *testing.B) { benchmarkHopeless(b, worst, []loadHopeless{how}) })
			}
		})
	}
}

func benchmarkHopeless(b *testing.B, worst *loadWorst, ways []loadHopeless) {
	bids := make([]orderbook.Bid, loadAttempts)
	for i := range bids {
		bids[i] = worst.bid(ways[i%len(ways)])
	}
	rounds, bid := loadRounds{}, new(orderbook.Bid)
	runtime.GC()
	for b.Loop() {
		var latencies loadLatencies
		var took time.Duration
		mallocs := loadMallocs()
		for i := range bids {
			*bid = bids[i]
			began := time.Now()
			ref, out := worst.book.PlaceBid(worst.now, bid)
			one := time.Since(began)
			took += one
			latencies.record(one.Nanoseconds())
			if len(out.Fills) > 0 {
				b.Fatalf("%v: a bid that can match nothing has %d fills", ways[i%len(ways)], len(out.Fills))
			}
			if _, ok := worst.book.CancelBid(ref); !ok {
				b.Fatal("a bid that matched nothing does not rest")
			}
		}
		rounds.add("allocs/op", float64(loadMallocs()-mallocs)/float64(len(bids)))
		rounds.add("ns/op", float64(took.Nanoseconds())/float64(len(bids)))
		rounds.latencies(&latencies)
	}
	rounds.report(b)
}

// BenchmarkW6 places offers among resting bids, above what they pay and just
// below it by turns. The clock stands while what an offer changed is undone.
func BenchmarkW6(b *testing.B) {
	market := newLoadMarket(b)
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			waiting := newLoadWaiting(b, market.seeded(7), n)
			b.Run("mixed", func(b *testing.B) {
				benchmarkArrivals(b, waiting, func(i int) bool { return i%2 == 0 })
			})
			b.Run("above", func(b *testing.B) {
				benchmarkArrivals(b, waiting, func(int) bool { return false })
			})
			b.Run("trading", func(b *testing.B) {
				benchmarkArrivals(b, waiting, func(int) bool { return true })
			})
		})
	}
}

func benchmarkArrivals(b *testing.B, waiting *loadWaiting, trades func(i int) bool) {
	offers := make([]orderbook.Offer, loadAttempts)
	for i := range offers {
		offers[i] = waiting.arriving(trades(i))
	}
	rounds := loadRounds{}
	var filled []int
	runtime.GC()
	for b.Loop() {
		var latencies loadLatencies
		var took time.Duration
		fills, mallocs := 0, loadMallocs()
		for i := range offers {
			waiting.arrival++
			offers[i].Arrival = waiting.arrival
			began := time.Now()
			ref, out := waiting.book.PlaceOffer(waiting.now, &offers[i])
			one := time.Since(began)
			took += one
			latencies.record(one.Nanoseconds())
			fills += len(out.Fills)
			filled = waiting.slots(filled, out.Fills)
			waiting.restore(b, ref, filled)
		}
		rounds.add("ns/op", float64(took.Nanoseconds())/float64(len(offers)))
		// What is done to undo an offer counts here too.
		rounds.add("allocs/op", float64(loadMallocs()-mallocs)/float64(len(offers)))
		rounds.add("fills/op", float64(fills)/float64(len(offers)))
		rounds.latencies(&latencies)
	}
	rounds.report(b)
}
