package orderbook_test

import (
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// loadWaiting is the market of W6: many resting bids with 50 carbon prices, and a
// tenth as many offers above what they pay.
type loadWaiting struct {
	*loadMarket
	book *orderbook.Book
	bids []orderbook.Bid
	refs []orderbook.BidRef
	// placed counts how often each bid was placed; its identifiers are congruent.
	placed []uint32
}

// Limits of W6 are below the market's prices.
const (
	loadLeastLimit = loadLeastPrice - loadPrices
	// loadReach is how many ticks below the highest limits an offer of W6 that trades is.
	loadReach = 20
)

func newLoadWaiting(tb testing.TB, m *loadMarket, n int) *loadWaiting {
	tb.Helper()
	w := &loadWaiting{loadMarket: m, bids: m.bids(n, loadLeastLimit), placed: make([]uint32, n)}
	w.arrival = 0
	w.book = m.book(n/10, nil)
	w.refs = make([]orderbook.BidRef, n)
	for i := range w.bids {
		w.place(tb, i)
	}
	return w
}

// place lets a bid rest, for the first time or again.
func (w *loadWaiting) place(tb testing.TB, i int) {
	tb.Helper()
	w.arrival++
	bid := &w.bids[i]
	bid.ID = corehour.BidID(uint64(w.placed[i])*uint64(len(w.bids)) + uint64(i) + 1)
	bid.Arrival = w.arrival
	w.placed[i]++
	ref, out := w.book.PlaceBid(w.now, bid)
	if len(out.Fills) > 0 || ref == 0 {
		tb.Fatalf("a bid below the market has %d fills", len(out.Fills))
	}
	w.refs[i] = ref
}

// arriving is an offer that trades, if it fits, or one that is above every limit.
func (w *loadWaiting) arriving(trades bool) orderbook.Offer {
	o := w.offer()
	if trades {
		o.Price = corehour.Price(loadLeastPrice-w.upTo(loadReach)) * corehour.Tick
	}
	return o
}

// restore takes the offer out again and replaces the bids that it filled.
func (w *loadWaiting) restore(tb testing.TB, ref orderbook.OfferRef, filled []int) {
	tb.Helper()
	if !w.book.CancelOffer(ref) {
		tb.Fatal("an offer that arrived is not in the book")
	}
	for _, i := range filled {
		w.book.CancelBid(w.refs[i])
		w.place(tb, i)
	}
}

// slots are the bids of some fills, each once.
func (w *loadWaiting) slots(into []int, fills []orderbook.Fill) []int {
	into = into[:0]
	for i, f := range fills {
		seen := false
		for _, earlier := range fills[:i] {
			seen = seen || earlier.Bid == f.Bid
		}
		if !seen {
			into = append(into, int((uint64(f.Bid)-1)%uint64(len(w.bids))))
		}
	}
	return into
}
