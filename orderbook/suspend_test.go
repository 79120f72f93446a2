package orderbook

import (
	"slices"
	"testing"

	"github.com/corehour/corehour"
)

// twoBooks are two books with the same three offers, at 50, 40 and 45 ticks.
func twoBooks() (tested, plain *Book, of [2][]OfferRef) {
	for i, b := range [...]**Book{&tested, &plain} {
		*b = New(NewGrid())
		for id, price := range []corehour.Price{50, 40, 45} {
			o := plainOffer(uint64(id+1), 4)
			o.Price = price * corehour.Tick
			ref, _ := (*b).PlaceOffer(0, &o)
			of[i] = append(of[i], ref)
		}
	}
	return tested, plain, of
}

func mustCheck(t *testing.T, b *Book) {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
}

// Whatever comes, a suspended offer is for bids as if it were cancelled, whether it
// is free alike at every minute or not.
func TestBook_SuspendedOfferIsFoundByNoBid(t *testing.T) {
	for _, sold := range []bool{false, true} {
		suspended, cancelled, of := twoBooks()
		for i, b := range [...]*Book{suspended, cancelled} {
			if sold {
				first := plainBid(9, 1)
				b.PlaceBid(0, &first)
			}
			if i == 0 {
				b.Suspend(of[0][1])
				b.Suspend(of[0][1])
			} else {
				b.CancelOffer(of[1][1])
			}
			mustCheck(t, b)
		}
		for id := uint64(10); id < 14; id++ {
			one, other := plainBid(id, 3), plainBid(id, 3)
			_, have := suspended.PlaceBid(0, &one)
			_, want := cancelled.PlaceBid(0, &other)
			if !slices.Equal(have.Fills, want.Fills) {
				t.Errorf("sold %t: %v, without the offer %v", sold, have.Fills, want.Fills)
			}
		}
		mustCheck(t, suspended)
	}
}

// A lease that ends early gives its units back to a suspended offer, and nobody
// gets them before the offer is for sale again.
func TestBook_SuspendedOfferKeepsCountAndSellsWhenItIsBack(t *testing.T) {
	b, _, of := twoBooks()
	all := plainBid(9, 12)
	all.LatestEnd = 60
	if _, out := b.PlaceBid(0, &all); len(out.Fills) != 3 {
		t.Fatalf("%v", out.Fills)
	}
	low, high := plainBid(10, 2), plainBid(11, 3)
	low.Limit, low.LatestEnd, high.LatestEnd = 45*corehour.Tick, 60, 60
	b.PlaceBid(0, &low)
	b.PlaceBid(0, &high)
	b.Suspend(of[0][1])
	if out := b.Release(0, of[0][1], 4, 0, 60); len(out.Fills) != 0 {
		t.Fatalf("a suspended offer sold %v", out.Fills)
	}
	mustCheck(t, b)
	if out := b.Offer(0, of[0][1]); len(out.Fills) != 0 {
		t.Fatalf("a suspended offer sold %v", out.Fills)
	}
	b.Readmit(of[0][1])
	mustCheck(t, b)
	out := b.Offer(0, of[0][1])
	if len(out.Fills) != 2 || out.Fills[0].Bid != 11 || out.Fills[0].Units != 3 || out.Fills[1].Bid != 10 || out.Fills[1].Units != 1 {
		t.Fatalf("%v", out.Fills)
	}
	mustCheck(t, b)
}

// What is given back without matching is offered later to who pays most.
func TestBook_GivenBackUnitsWaitForTheOffer(t *testing.T) {
	b, _, of := twoBooks()
	all := plainBid(9, 12)
	all.LatestEnd = 60
	b.PlaceBid(0, &all)
	waits := plainBid(10, 2)
	waits.LatestEnd = 60
	resting, _ := b.PlaceBid(0, &waits)
	b.GiveBack(0, of[0][2], 4, 0, 60)
	mustCheck(t, b)
	if open, _, ok := b.Open(resting); !ok || open != 2 {
		t.Fatalf("%d open, %t", open, ok)
	}
	if out := b.Offer(0, of[0][2]); len(out.Fills) != 1 || out.Fills[0].Bid != 10 || out.Fills[0].Units != 2 {
		t.Fatalf("%v", out.Fills)
	}
	mustCheck(t, b)
}

func TestBook_SuspendedOfferLeavesLikeAnother(t *testing.T) {
	b, _, of := twoBooks()
	b.Suspend(of[0][1])
	if !b.CancelOffer(of[0][1]) || b.Suspend(of[0][1]) || b.Readmit(of[0][1]) {
		t.Fatal("a suspended offer is not cancelled, or is still there")
	}
	o := plainOffer(4, 4) // takes the place that is free
	o.Price = 30 * corehour.Tick
	b.PlaceOffer(0, &o)
	mustCheck(t, b)
	bid := plainBid(9, 1)
	if _, out := b.PlaceBid(0, &bid); len(out.Fills) != 1 || out.Fills[0].Offer != 4 {
		t.Fatalf("%v", out.Fills)
	}
	b.Suspend(of[0][0])
	wantPanic(t, "a suspended offer is not amended", func() { b.AmendOffer(0, of[0][0], plainOffer(1, 5)) })
}
