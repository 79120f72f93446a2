package orderbook_test

import (
	"slices"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// TestRules_NewCapacity has cases for the turns of resting bids, worked out by
// hand.
func TestRules_NewCapacity(t *testing.T) {
	runRules(t, []ruleCase{
		{"the bid that would pay most, then the earlier one", func(x *script) {
			x.seek(x.bid("b1", 1, 60, 0, 60, 5))
			x.seek(x.bid("b2", 1, 60, 0, 60, 7))
			x.seek(x.bid("b3", 1, 60, 0, 60, 7))
			x.seek(x.bid("b4", 1, 60, 0, 60, 9, carbonTicks(3)))
			x.place(x.offer("o1", 3, 0, 60, 1, emits(1_000)),
				"b2: 1 of o1 0-60 at 7, 1000 mg", "b3: 1 of o1 0-60 at 7, 1000 mg", "b4: 1 of o1 0-60 at 6, 1000 mg")
		}},
		{"bids take turns by what they would pay for the next lease", func(x *script) {
			// In the clean hour b1 pays 9 and b2 8; in the other b1 pays 5 and b2 7.
			zone := x.zone(0, 100)
			x.seek(x.bid("b1", 4, 60, 0, 120, 9, carbonTicks(4)))
			x.seek(x.bid("b2", 1, 60, 0, 120, 8, carbonTicks(1)))
			x.place(x.offer("o1", 3, 0, 120, 1, in(zone)),
				"b1: 3 of o1 0-60 at 9", "b2: 1 of o1 60-120 at 7, 1000 mg", "b1: 1 of o1 60-120 at 5, 1000 mg")
		}},
		{"a bid that needs less is tried against all offers", func(x *script) {
			x.place(x.offer("o1", 3, 0, 60, 1))
			x.seek(x.bid("b1", 8, 60, 0, 60, 9, minFill(5)))
			x.seek(x.bid("b2", 9, 60, 0, 60, 8, minFill(4)))
			x.place(x.offer("o2", 6, 0, 60, 2), "b1: 6 of o2 0-60 at 9", "b1: 2 of o1 0-60 at 1")
			x.rests("b2", 9, 60)
		}},
		{"a splittable bid takes a piece and then looks everywhere", func(x *script) {
			// 7 minutes in 3 pieces are 3, 2, 2: o1 is too short for the first.
			x.place(x.offer("o1", 1, 10, 12, 1))
			x.seek(x.bid("b1", 1, 7, 0, 60, 9, pieces(1), leases(3)))
			x.place(x.offer("o2", 1, 20, 23, 2), "b1: 1 of o2 20-23 at 9", "b1: 1 of o1 10-12 at 1")
			x.rests("b1", 1, 2)
		}},
		{"all or none fills from new and rested offers", func(x *script) {
			x.place(x.offer("o1", 4, 0, 60, 2))
			x.seek(x.bid("b1", 6, 60, 0, 60, 9, allOrNone))
			x.place(x.offer("o2", 2, 0, 60, 1), "b1: 2 of o2 0-60 at 9", "b1: 4 of o1 0-60 at 2")
		}},
		{"all or none looks only where the new capacity is", func(x *script) {
			x.place(x.offer("o1", 4, 0, 60, 1))
			x.place(x.offer("o2", 5, 0, 60, 2, atLeastOf(2)))
			x.seek(x.bid("b1", 5, 60, 0, 600, 9, allOrNone)) // o1 leaves a unit, too few for o2
			x.book.CancelOffer(x.offers["o1"])
			x.place(x.offer("o3", 1, 500, 600, 1))
			x.rests("b1", 5, 60)
			x.place(x.offer("o4", 1, 0, 60, 3), "b1: 5 of o2 0-60 at 2")
		}},
		{"all or none has one turn", func(x *script) {
			x.seek(x.bid("b1", 4, 60, 0, 60, 9, allOrNone))
			x.seek(x.bid("b2", 1, 60, 0, 60, 5))
			x.place(x.offer("o1", 3, 0, 60, 1), "b2: 1 of o1 0-60 at 5")
			x.rests("b1", 4, 60)
		}},
		{"all pieces from new and rested capacity", func(x *script) {
			x.place(x.offer("o1", 1, 0, 60, 1))
			x.seek(x.bid("b1", 1, 120, 0, 600, 9, pieces(60), allOrNone))
			x.place(x.offer("o2", 1, 300, 360, 2), "b1: 1 of o1 0-60 at 1", "b1: 1 of o2 300-360 at 9")
		}},
		{"released units are new capacity from now on", func(x *script) {
			x.place(x.offer("o1", 2, 0, 120, 3))
			x.seek(x.bid("b1", 2, 120, 0, 120, 3), "b1: 2 of o1 0-120 at 3")
			x.seek(x.bid("b2", 2, 30, 0, 120, 5))
			x.now = 70
			x.release("o1", 1, 0, 120, "b2: 1 of o1 70-100 at 3")
			x.free("o1", 100, 120, 1)
		}},
		{"a complete bid takes its siblings away before anything else", func(x *script) {
			x.seek(x.bid("b1", 2, 60, 0, 60, 9, group(1)))
			x.seek(x.bid("b2", 2, 60, 0, 60, 8, group(1)))
			x.seek(x.bid("b3", 2, 60, 0, 60, 3))
			x.place(x.offer("o1", 4, 0, 60, 1), "b1: 2 of o1 0-60 at 9", "b3: 2 of o1 0-60 at 3", "b2 dropped")
			x.gone("b2")
		}},
		{"neither a part nor the last lease is complete", func(x *script) {
			x.seek(x.bid("b1", 2, 60, 0, 60, 5, group(1)))
			x.seek(x.bid("b2", 2, 60, 0, 60, 6, group(1), leases(1)))
			x.place(x.offer("o1", 1, 0, 60, 1), "b2: 1 of o1 0-60 at 6")
			x.gone("b2")
			x.place(x.offer("o2", 1, 0, 60, 1), "b1: 1 of o2 0-60 at 5")
			x.seek(x.bid("b3", 2, 60, 0, 60, 4, group(1)))
			x.seek(x.bid("b4", 1, 60, 0, 60, 4, group(1)))
			x.place(x.offer("o3", 1, 0, 60, 1), "b1: 1 of o3 0-60 at 5", "b3 dropped", "b4 dropped")
		}},
	})
}

// TestRules_Commands has cases for what changes orders and what only asks.
func TestRules_Commands(t *testing.T) {
	runRules(t, []ruleCase{
		{"post-only is refused where it would trade", func(x *script) {
			x.place(x.offer("o1", 1, 0, 60, 3))
			x.seek(x.bid("b1", 1, 60, 0, 60, 3, postOnly), "refused")
			x.gone("b1")
			x.seek(x.bid("b2", 1, 60, 0, 60, 2, postOnly))
			x.rests("b2", 1, 60)
			x.place(x.offer("o2", 1, 0, 60, 2, offerPostOnly), "refused")
			if x.book.HasOffer(x.offers["o2"]) {
				x.t.Fatal("a refused offer is in the book")
			}
			x.place(x.offer("o3", 1, 0, 60, 3, offerPostOnly))
			x.place(x.offer("o4", 1, 0, 60, 2), "b2: 1 of o4 0-60 at 2")
		}},
		{"less quantity keeps a bid's place", func(x *script) {
			x.seek(x.bid("b1", 4, 60, 0, 60, 3))
			x.seek(x.bid("b2", 4, 60, 0, 60, 3))
			out, ok := x.book.ReduceBid(x.now, x.bids["b1"], 1)
			if x.want(out); !ok {
				x.t.Fatal("not reduced")
			}
			x.place(x.offer("o1", 2, 0, 60, 3), "b1: 1 of o1 0-60 at 3", "b2: 1 of o1 0-60 at 3")
		}},
		{"a reduced bid may fill", func(x *script) {
			x.place(x.offer("o1", 3, 0, 60, 3))
			x.seek(x.bid("b1", 8, 60, 0, 60, 3, minFill(5)))
			x.seek(x.bid("b2", 4, 60, 0, 60, 3, allOrNone))
			out, _ := x.book.ReduceBid(x.now, x.bids["b1"], 4)
			x.want(out)
			out, _ = x.book.ReduceBid(x.now, x.bids["b1"], 2)
			x.want(out, "b1: 2 of o1 0-60 at 3")
			out, _ = x.book.ReduceBid(x.now, x.bids["b2"], 1)
			x.want(out, "b2: 1 of o1 0-60 at 3")
			if _, ok := x.book.ReduceBid(x.now, x.bids["b2"], 1); ok {
				x.t.Fatal("a bid was reduced that is filled")
			}
		}},
		{"an offer is reduced to what is sold at most", func(x *script) {
			x.place(x.offer("o1", 9, 0, 120, 3, atLeastOf(2)))
			x.seek(x.bid("b1", 5, 60, 0, 60, 3), "b1: 5 of o1 0-60 at 3")
			x.seek(x.bid("b2", 3, 30, 60, 90, 3), "b2: 3 of o1 60-90 at 3")
			for _, test := range []struct {
				now   corehour.Minute
				units corehour.Units
				want  bool
			}{{0, 4, false}, {0, 6, true}, {60, 2, false}, {60, 3, true}, {90, 1, false}, {90, 2, true}} {
				x.now = test.now
				if ok := x.book.ReduceOffer(x.now, x.offers["o1"], test.units); ok != test.want {
					x.t.Fatalf("reduced to %d at %d: %t", test.units, test.now, ok)
				}
			}
			x.free("o1", 90, 120, 2)
		}},
		{"an amended offer keeps what is sold and comes anew", func(x *script) {
			x.place(x.offer("o1", 4, 0, 120, 3))
			x.place(x.offer("o2", 1, 0, 120, 3))
			x.seek(x.bid("b1", 3, 60, 0, 60, 3), "b1: 3 of o1 0-60 at 3")
			x.seek(x.bid("b2", 1, 120, 0, 120, 2))
			for _, o := range []orderbook.Offer{
				x.offer("o1", 2, 0, 120, 3), x.offer("o1", 4, 1, 120, 3), x.offer("o1", 4, 0, 59, 3),
			} {
				if _, out, ok := x.book.AmendOffer(x.now, x.offers["o1"], o); ok || len(out.Fills) > 0 {
					x.t.Fatalf("amended to %s", describeOffer(o))
				}
			}
			_, out, ok := x.book.AmendOffer(x.now, x.offers["o1"], x.offer("o1", 4, 0, 120, 2, offerPostOnly))
			if x.want(out, "refused"); !ok {
				x.t.Fatal("not covered")
			}
			x.free("o1", 0, 60, 1)
			ref, out, ok := x.book.AmendOffer(x.now, x.offers["o1"], x.offer("o1", 5, 0, 180, 2))
			if x.want(out, "b2: 1 of o1 0-120 at 2"); !ok {
				x.t.Fatal("not covered")
			}
			x.offers["o1"] = ref
			x.free("o1", 0, 60, 1)
			x.free("o1", 60, 120, 4)
			x.free("o1", 120, 180, 5)
			// It lost its place before o2, at an equal price too.
			ref, out, _ = x.book.AmendOffer(x.now, ref, x.offer("o1", 5, 0, 180, 3))
			x.want(out)
			x.offers["o1"] = ref
			x.seek(x.bid("b3", 2, 60, 0, 60, 3), "b3: 1 of o2 0-60 at 3", "b3: 1 of o1 0-60 at 3")
		}},
		{"a cleaner hour is told to those that care and wait for it", func(x *script) {
			zone := x.zone(400, 400)
			x.place(x.offer("o1", 4, 0, 120, 3, in(zone)))
			x.seek(x.bid("b1", 1, 60, 60, 120, 5, carbonTicks(1)))
			x.seek(x.bid("b2", 1, 60, 0, 120, 6, carbonCap(1_000)))
			x.seek(x.bid("b3", 1, 60, 0, 60, 6, carbonCap(1_000)))
			x.seek(x.bid("b4", 1, 60, 0, 120, 9, allOrNone, carbonCap(1_000)))
			x.curve(zone, 400, 100)
			x.want(x.book.Reconsider(x.now, zone, 0, 60), "b2: 1 of o1 60-120 at 3, 1000 mg", "b4: 1 of o1 60-120 at 3, 1000 mg")
			x.want(x.book.Reconsider(x.now, zone, 60, 120), "b1: 1 of o1 60-120 at 3, 1000 mg")
			x.rests("b3", 1, 60)
		}},
		{"a quote changes nothing", func(x *script) {
			x.place(x.offer("o1", 2, 0, 60, 3))
			x.seek(x.bid("b9", 1, 60, 0, 60, 2, group(9)))
			for range 2 {
				fills := x.book.Quote(x.now, x.bid("b1", 2, 60, 0, 60, 3, group(9)))
				x.want(orderbook.Outcome{Fills: fills}, "b1: 2 of o1 0-60 at 3")
			}
			x.rests("b9", 1, 60)
			x.seek(x.bid("b1", 2, 60, 0, 60, 3, group(9)), "b1: 2 of o1 0-60 at 3", "b9 dropped")
		}},
		{"depth of offers by effective price", func(x *script) {
			x.place(x.offer("o1", 4, 0, 120, 3))
			x.place(x.offer("o2", 5, 0, 120, 2, emits(1_000)))
			x.place(x.offer("o3", 6, 0, 120, 1, emits(3_000)))
			x.place(x.offer("o4", 7, 30, 120, 1))                                                 // not over all minutes
			x.place(x.offer("o5", 7, 0, 120, 1, func(o *orderbook.Offer) { o.Region = 1 }))       // elsewhere
			x.place(x.offer("o6", 7, 0, 120, 1, func(o *orderbook.Offer) { o.MinDuration = 61 })) // for longer only
			x.place(x.offer("o7", 7, 0, 120, 1, atLeastOf(6)))                                    // has too little left
			x.seek(x.bid("b1", 6, 60, 60, 120, 1, func(b *orderbook.Bid) { b.MaxCarbon = 0 }), "b1: 6 of o4 60-120 at 1")
			x.seek(x.bid("b2", 6, 60, 0, 60, 1, func(b *orderbook.Bid) { b.MaxCarbon = 0; b.Regions.Deny.Set(1) }), "b2: 6 of o7 0-60 at 1")
			q := orderbook.DepthQuery{From: 0, To: 60, CarbonPrice: 1_000_000_000, Levels: 9}
			want := []orderbook.Level{{Price: 3 * corehour.Tick, Units: 9, Orders: 2}, {Price: 4 * corehour.Tick, Units: 6, Orders: 1}}
			if have := x.book.OfferDepth(x.now, q); !slices.Equal(have, want) {
				x.t.Fatalf("have %v, want %v", have, want)
			}
			q.Levels = 1
			if have := x.book.OfferDepth(x.now, q); !slices.Equal(have, want[:1]) {
				x.t.Fatalf("have %v, want %v", have, want[:1])
			}
		}},
		{"depth of bids by limit", func(x *script) {
			x.seek(x.bid("b1", 1, 60, 0, 60, 3))
			x.seek(x.bid("b2", 2, 60, 0, 600, 3))
			x.seek(x.bid("b3", 3, 60, 1, 61, 3))                                                   // not within the hour
			x.seek(x.bid("b4", 4, 90, 0, 600, 3, pieces(30)))                                      // a piece of it is
			x.seek(x.bid("b5", 5, 60, 0, 60, 3, func(b *orderbook.Bid) { b.Regions.Deny.Set(0) })) // not here
			x.seek(x.bid("b6", 6, 61, 0, 600, 3))                                                  // too long
			x.seek(x.bid("b7", 7, 30, 0, 600, 4))                                                  // shorter
			q := orderbook.DepthQuery{From: 0, To: 60, Levels: 9}
			want := []orderbook.Level{{Price: 4 * corehour.Tick, Units: 7, Orders: 1}, {Price: 3 * corehour.Tick, Units: 7, Orders: 3}}
			if have := x.book.BidDepth(x.now, q); !slices.Equal(have, want) {
				x.t.Fatalf("have %v, want %v", have, want)
			}
		}},
	})
}
