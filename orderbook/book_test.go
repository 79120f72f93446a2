package orderbook

import (
	"slices"
	"strings"
	"testing"

	"github.com/corehour/corehour"
)

func plainOffer(id uint64, units corehour.Units) Offer {
	return Offer{
		ID: corehour.OfferID(id), Arrival: id, Units: units, From: 0, To: 1_000, Price: 50 * corehour.Tick,
		SLA: corehour.SLABasic, MinFill: 1, MinDuration: 1,
	}
}

func plainBid(id uint64, units corehour.Units) Bid {
	return Bid{
		ID: corehour.BidID(id), Arrival: id, Org: 1, Units: units, Duration: 60, EarliestStart: 0, LatestEnd: 1_000,
		Limit: 50 * corehour.Tick, Regions: RegionSet{AllowAll: true}, Providers: ProviderSet{AllowAll: true},
		MaxCarbon: NoCarbonCap, MinSLA: corehour.SLABasic, MinFill: 1, MaxLeases: corehour.MaxLeasesPerBid,
		TimeInForce: corehour.GoodTillCancelled,
	}
}

// TestBook_ProgrammerErrorPanicsWithTheRule: the caller validates orders; what
// gets through anyway must not be traded.
func TestBook_ProgrammerErrorPanicsWithTheRule(t *testing.T) {
	bid := func(change func(*Bid)) func(*Book) {
		return func(b *Book) {
			bad := plainBid(7, 4)
			change(&bad)
			b.PlaceBid(100, &bad)
		}
	}
	offer := func(change func(*Offer)) func(*Book) {
		return func(b *Book) {
			bad := plainOffer(7, 4)
			change(&bad)
			b.PlaceOffer(100, &bad)
		}
	}
	for name, test := range map[string]struct {
		want string
		do   func(b *Book)
	}{
		"time goes back":      {"time never goes back", func(b *Book) { o := plainOffer(7, 1); b.PlaceOffer(99, &o) }},
		"no units":            {"within its limits", bid(func(b *Bid) { b.Units = 0 })},
		"too many units":      {"within its limits", bid(func(b *Bid) { b.Units = corehour.MaxUnits + 1 })},
		"no duration":         {"within its limits", bid(func(b *Bid) { b.Duration = 0 })},
		"no leases":           {"within its limits", bid(func(b *Bid) { b.MaxLeases = 0 })},
		"no minimum":          {"within its limits", bid(func(b *Bid) { b.MinFill = 0 })},
		"no limit":            {"within its limits", bid(func(b *Bid) { b.Limit = 0 })},
		"limit off the tick":  {"within its limits", bid(func(b *Bid) { b.Limit++ })},
		"limit too high":      {"within its limits", bid(func(b *Bid) { b.Limit = corehour.MaxPrice + corehour.Tick })},
		"offers nothing":      {"within its limits", offer(func(o *Offer) { o.Units = 0 })},
		"no window":           {"within its limits", offer(func(o *Offer) { o.To = o.From })},
		"price off the tick":  {"within its limits", offer(func(o *Offer) { o.Price++ })},
		"price too high":      {"within its limits", offer(func(o *Offer) { o.Price = corehour.MaxPrice + corehour.Tick })},
		"no least fill":       {"within its limits", offer(func(o *Offer) { o.MinFill = 0 })},
		"least fill too high": {"within its limits", offer(func(o *Offer) { o.MinFill = 5 })},
		"no least duration":   {"within its limits", offer(func(o *Offer) { o.MinDuration = 0 })},
		"released twice": {"never more than offered", func(b *Book) {
			own := plainOffer(3, 4)
			own.Org = 1 // the waiting bid's, which therefore can't take it
			o := b.RestoreOffer(own)
			b.RestoreLease(o, 4, 120, 130)
			b.Release(100, o, 4, 120, 130)
			b.Release(100, o, 4, 120, 130)
		}},
		"restored twice": {"never oversold", func(b *Book) {
			o := b.RestoreOffer(plainOffer(3, 4))
			b.RestoreLease(o, 4, 120, 130)
			b.RestoreLease(o, 1, 129, 131)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(NewGrid())
			o, bid := plainOffer(1, 4), plainBid(2, 40_000)
			b.PlaceOffer(100, &o)
			ref, _ := b.PlaceBid(100, &bid)
			if open, left, ok := b.Open(ref); !ok || open != 40_000-4*(900/60) || left != 60 {
				t.Fatalf("the bid has %d open for %d minutes, %t", open, left, ok)
			}
			wantPanic(t, test.want, func() { test.do(b) })
		})
	}
}

func TestBook_FreeOutsideOfTheWindowIsZero(t *testing.T) {
	b := New(NewGrid())
	o := plainOffer(1, 4)
	o.From = 100
	ref, _ := b.PlaceOffer(200, &o)
	for _, test := range []struct {
		from, to corehour.Minute
		want     corehour.Units
	}{
		{200, 1_000, 4},
		{0, 300, 4}, // what has passed does not count
		{50, 150, 0},
		{300, 300, 0},
		{300, 1_001, 0},
		{1_000, 1_001, 0},
	} {
		if free, ok := b.Free(ref, test.from, test.to); !ok || free != test.want {
			t.Errorf("Free(%d, %d) = %d, %t, want %d", test.from, test.to, free, ok, test.want)
		}
	}
	b = New(NewGrid())
	ref, _ = b.PlaceOffer(0, &o)
	if free, _ := b.Free(ref, 99, 200); free != 0 {
		t.Errorf("%d units are free before the window begins", free)
	}
}

// TestBook_SteadyMatchingDoesNotAllocate: a command's fills are gone with the next one, and
// a steady market does not allocate for them.
func TestBook_SteadyMatchingDoesNotAllocate(t *testing.T) {
	b := New(NewGrid())
	refs := map[corehour.OfferID]OfferRef{}
	for id := range uint64(50) {
		o := plainOffer(id+1, 64)
		refs[corehour.OfferID(id+1)], _ = b.PlaceOffer(0, &o)
	}
	bid := plainBid(100, 8)
	bid.TimeInForce = corehour.ImmediateOrCancel
	incoming := bid
	if n := testing.AllocsPerRun(200, func() {
		incoming = bid
		_, out := b.PlaceBid(0, &incoming)
		if len(out.Fills) != 1 {
			t.Fatalf("%d fills", len(out.Fills))
		}
		f := out.Fills[0]
		b.Release(0, refs[f.Offer], f.Units, f.Start, f.End)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBook_PricesBeyondRanksTradeInTheirOrder: above 4,294 currency units ranks no
// longer tell prices apart, and price and arrival still decide.
func TestBook_PricesBeyondRanksTradeInTheirOrder(t *testing.T) {
	const far = 5_000_000_000 * corehour.Tick
	b := New(NewGrid())
	for id, limit := range []corehour.Price{far, far + corehour.Tick, far, far + 2*corehour.Tick, 60 * corehour.Tick} {
		bid := plainBid(uint64(id+1), 2)
		bid.Limit, bid.Duration = limit, 1_000
		b.RestoreBid(bid)
	}
	o := plainOffer(10, 7)
	_, out := b.PlaceOffer(0, &o)
	var got []corehour.BidID
	for _, f := range out.Fills {
		got = append(got, f.Bid)
	}
	if want := []corehour.BidID{4, 2, 1, 3}; !slices.Equal(got, want) || out.Fills[3].Units != 1 {
		t.Errorf("bids %v are filled, want %v, the last in part: %+v", got, want, out.Fills)
	}
	for id, price := range []corehour.Price{far + corehour.Tick, far} {
		o := plainOffer(uint64(20+id), 2) // one unit of the second goes to what bid 3 still seeks
		o.Price = price
		b.PlaceOffer(0, &o)
	}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
	bid := plainBid(30, 1)
	bid.Limit, bid.Duration, bid.TimeInForce = far+corehour.Tick, 1_000, corehour.ImmediateOrCancel
	if _, out := b.PlaceBid(0, &bid); len(out.Fills) != 1 || out.Fills[0].Offer != 21 || out.Fills[0].Price != far {
		t.Errorf("%+v, want offer 21 at its price", out.Fills)
	}
}

func wantPanic(t *testing.T, want string, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if have, _ := recover().(string); !strings.Contains(have, want) {
			t.Errorf("panic %q, want %q", have, want)
		}
	}()
	do()
}
