package orderbook_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// script runs commands of which a person has worked out what they do. The cases
// are tried on the model as on the book: the judge is judged by hand.
type script struct {
	t      *testing.T
	book   market
	grid   *orderbook.Grid
	hours  *hourly
	now    corehour.Minute
	last   uint64
	bids   map[string]orderbook.BidRef
	offers map[string]orderbook.OfferRef
	listed map[string]orderbook.Offer
}

func newScript(t *testing.T, newMarket newMarket) *script {
	x := &script{
		t: t, grid: orderbook.NewGrid(), hours: newHourly(),
		bids: map[string]orderbook.BidRef{}, offers: map[string]orderbook.OfferRef{}, listed: map[string]orderbook.Offer{},
	}
	x.book = newMarket(x.grid, x.hours)
	return x
}

// zone adds a zone with a curve from minute 0 on, in grams per kWh; after it the
// mean is a kilogram.
func (x *script) zone(grams ...corehour.Intensity) orderbook.ZoneIndex {
	zone := x.grid.AddZone(1_000_000)
	x.hours.addZone(zone, 1_000_000)
	x.curve(zone, grams...)
	return zone
}

func (x *script) curve(zone orderbook.ZoneIndex, grams ...corehour.Intensity) {
	values := make([]corehour.Intensity, len(grams))
	for i, g := range grams {
		values[i] = 1_000 * g
	}
	x.grid.Set(x.now, zone, 0, values)
	x.hours.set(x.now, zone, 0, values)
}

// id is the number in a name such as o1 or b12.
func (x *script) id(name string) (id uint64) {
	x.t.Helper()
	if _, err := fmt.Sscanf(name[1:], "%d", &id); err != nil {
		x.t.Fatalf("%s: %v", name, err)
	}
	return id
}

type (
	changeOffer = func(*orderbook.Offer)
	changeBid   = func(*orderbook.Bid)
)

// offer is of an organisation and provider 0, plain but for the changes; price in
// ticks.
func (x *script) offer(name string, units corehour.Units, from, to corehour.Minute, price corehour.Price, changes ...changeOffer) orderbook.Offer {
	x.t.Helper()
	x.last++
	o := orderbook.Offer{
		ID: corehour.OfferID(x.id(name)), Arrival: x.last, Units: units, From: from, To: to, Price: price * corehour.Tick,
		SLA: corehour.SLABasic, MinFill: 1, MinDuration: 1,
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// bid is of organisation 1, plain but for the changes; limit in ticks.
func (x *script) bid(name string, units corehour.Units, d corehour.Minutes, from, to corehour.Minute, limit corehour.Price, changes ...changeBid) orderbook.Bid {
	x.t.Helper()
	x.last++
	b := orderbook.Bid{
		ID: corehour.BidID(x.id(name)), Arrival: x.last, Org: 1, Units: units, Duration: d, EarliestStart: from, LatestEnd: to,
		Limit: limit * corehour.Tick, Regions: orderbook.RegionSet{AllowAll: true}, Providers: orderbook.ProviderSet{AllowAll: true},
		MaxCarbon: orderbook.NoCarbonCap, MinSLA: corehour.SLABasic, MaxTakeOrPay: corehour.WholeShare, MinFill: 1,
		MaxLeases: corehour.MaxLeasesPerBid, TimeInForce: corehour.GoodTillCancelled,
	}
	for _, change := range changes {
		change(&b)
	}
	return b
}

// want compares an outcome, a line for each fill, then who was dropped.
func (x *script) want(out orderbook.Outcome, want ...string) {
	x.t.Helper()
	var have []string
	for _, f := range out.Fills {
		line := fmt.Sprintf("b%d: %d of o%d %d-%d at %d", f.Bid, f.Units, f.Offer, f.Start, f.End, f.Price/corehour.Tick)
		if f.Carbon > 0 {
			line += fmt.Sprintf(", %d mg", f.Carbon)
		}
		have = append(have, line)
	}
	for _, id := range out.Dropped {
		have = append(have, fmt.Sprintf("b%d dropped", id))
	}
	if out.Refused {
		have = append(have, "refused")
	}
	if !slices.Equal(have, want) {
		x.t.Fatalf("have\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}

func (x *script) place(o orderbook.Offer, want ...string) {
	x.t.Helper()
	ref, out := x.book.PlaceOffer(x.now, &o)
	x.want(out, want...)
	name := fmt.Sprintf("o%d", o.ID)
	x.offers[name], x.listed[name] = ref, o
}

func (x *script) seek(b orderbook.Bid, want ...string) {
	x.t.Helper()
	ref, out := x.book.PlaceBid(x.now, &b)
	x.want(out, want...)
	x.bids[fmt.Sprintf("b%d", b.ID)] = ref
}

func (x *script) release(name string, units corehour.Units, from, to corehour.Minute, want ...string) {
	x.t.Helper()
	x.want(x.book.Release(x.now, x.offers[name], units, from, to), want...)
}

func (x *script) rests(name string, units corehour.Units, left corehour.Minutes) {
	x.t.Helper()
	if open, minutes, ok := x.book.Open(x.bids[name]); !ok || open != units || minutes != left {
		x.t.Fatalf("%s: %d units for %d minutes open, %t, want %d for %d", name, open, minutes, ok, units, left)
	}
}

func (x *script) gone(name string) {
	x.t.Helper()
	if open, _, ok := x.book.Open(x.bids[name]); ok {
		x.t.Fatalf("%s rests, %d open", name, open)
	}
}

func (x *script) free(name string, from, to corehour.Minute, want corehour.Units) {
	x.t.Helper()
	if free, ok := x.book.Free(x.offers[name], from, to); !ok || free != want {
		x.t.Fatalf("%s: %d free over [%d, %d), %t, want %d", name, free, from, to, ok, want)
	}
}

// ruleCase is named for the rule that it shows.
type ruleCase struct {
	name string
	run  func(x *script)
}

func runRules(t *testing.T, cases []ruleCase) {
	for _, who := range []struct {
		name string
		new  newMarket
	}{{"model", newModelMarket}, {"book", newBook}} {
		t.Run(who.name, func(t *testing.T) {
			for _, c := range cases {
				t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.run(newScript(t, who.new)) })
			}
		})
	}
}

// The changes to plain orders that the cases make.
func minFill(n corehour.Units) changeBid { return func(b *orderbook.Bid) { b.MinFill = n } }
func leases(n int) changeBid             { return func(b *orderbook.Bid) { b.MaxLeases = n } }
func pieces(n corehour.Minutes) changeBid {
	return func(b *orderbook.Bid) { b.MinPiece = n }
}
func allOrNone(b *orderbook.Bid)                { b.AllOrNone = true }
func tif(f corehour.TimeInForce) changeBid      { return func(b *orderbook.Bid) { b.TimeInForce = f } }
func group(n corehour.BidID) changeBid          { return func(b *orderbook.Bid) { b.Group = n } }
func postOnly(b *orderbook.Bid)                 { b.PostOnly = true }
func carbonCap(n corehour.CarbonRate) changeBid { return func(b *orderbook.Bid) { b.MaxCarbon = n } }

// carbonTicks makes a gram per unit-hour cost so many ticks.
func carbonTicks(n corehour.CarbonPrice) changeBid {
	return func(b *orderbook.Bid) { b.CarbonPrice = n * 1_000_000_000 }
}

func atLeastOf(n corehour.Units) changeOffer { return func(o *orderbook.Offer) { o.MinFill = n } }
func emits(n corehour.CarbonRate) changeOffer {
	return func(o *orderbook.Offer) { o.Carbon.Rate = n }
}
func offerPostOnly(o *orderbook.Offer) { o.PostOnly = true }

// in lets a unit of the offer draw 10 Wh of a zone: a tenth of its g/kWh in
// 100 mg steps.
func in(zone orderbook.ZoneIndex) changeOffer {
	return func(o *orderbook.Offer) { o.Carbon = orderbook.Carbon{Zone: zone, Energy: 10_000} }
}
