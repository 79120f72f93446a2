package orderbook_test

import (
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// TestRules_WhoMeetsAndWhen has a case for each rule of what an incoming bid
// takes, worked out by hand.
func TestRules_WhoMeetsAndWhen(t *testing.T) {
	runRules(t, []ruleCase{
		{"each condition turns a bid away", func(x *script) {
			x.place(x.offer("o1", 9, 0, 600, 5, func(o *orderbook.Offer) {
				o.Provider, o.Region, o.Interruptible, o.MinDuration, o.TakeOrPay = 7, 65, true, 60, 2_500
			}, emits(2_000)))
			fits := func(b *orderbook.Bid) {
				b.Interruptible, b.TimeInForce = true, corehour.ImmediateOrCancel
			}
			for i, turnsAway := range []changeBid{
				func(b *orderbook.Bid) { b.Org = 0 },
				func(b *orderbook.Bid) { b.Regions = orderbook.RegionSet{} },
				func(b *orderbook.Bid) { b.Regions.Deny.Set(65) },
				func(b *orderbook.Bid) { b.Providers = orderbook.ProviderSet{Allow: []orderbook.ProviderIndex{6, 8}} },
				func(b *orderbook.Bid) { b.Providers.Deny = []orderbook.ProviderIndex{7} },
				func(b *orderbook.Bid) { b.MinSLA = corehour.SLAStandard },
				func(b *orderbook.Bid) { b.Interruptible = false },
				func(b *orderbook.Bid) { b.Duration = 59 },
				func(b *orderbook.Bid) { b.MaxTakeOrPay = 2_499 },
				func(b *orderbook.Bid) { b.Limit = 4 * corehour.Tick },
				func(b *orderbook.Bid) { b.MaxCarbon = 1_999 },
				func(b *orderbook.Bid) { b.CarbonPrice = 500_000_001; b.Limit = 6 * corehour.Tick },
				func(b *orderbook.Bid) { b.EarliestStart = 541 },
				func(b *orderbook.Bid) { b.LatestEnd = 59 },
			} {
				x.seek(x.bid("b"+string(rune('1'+i%9)), 1, 60, 0, 600, 5, fits, turnsAway))
			}
			x.seek(x.bid("b99", 1, 60, 0, 600, 6, fits, func(b *orderbook.Bid) {
				b.Regions, b.Providers = orderbook.RegionSet{}, orderbook.ProviderSet{Allow: []orderbook.ProviderIndex{7}}
				b.Regions.Allow.Set(65)
				b.MaxTakeOrPay, b.MaxCarbon, b.CarbonPrice, b.EarliestStart = 2_500, 2_000, 500_000_000, 540
			}), "b99: 1 of o1 540-600 at 5, 2000 mg")
		}},
		{"a lease starts no earlier than now", func(x *script) {
			x.place(x.offer("o1", 1, 0, 100, 5))
			x.now = 40
			x.seek(x.bid("b1", 1, 60, 0, 100, 5), "b1: 1 of o1 40-100 at 5")
			x.seek(x.bid("b2", 1, 61, 0, 100, 5))
		}},
		{"minimum fills of both sides", func(x *script) {
			x.place(x.offer("o1", 10, 0, 60, 5, atLeastOf(4)))
			x.seek(x.bid("b1", 3, 60, 0, 60, 5)) // below the offer's
			x.seek(x.bid("b2", 11, 60, 0, 60, 5, minFill(11), tif(corehour.ImmediateOrCancel)))
			x.seek(x.bid("b3", 5, 60, 0, 60, 5, minFill(5)), "b3: 5 of o1 0-60 at 5")
			x.seek(x.bid("b4", 9, 60, 0, 60, 5, minFill(5)), "b4: 5 of o1 0-60 at 5")
			x.rests("b4", 4, 60)
		}},
		{"the cleanest hours count most", func(x *script) {
			// Of 90 minutes the averages are 200 from 30, 166.7 from 60, 233.3 from 90
			// and 266.7 g/kWh from 120.
			zone := x.zone(400, 100, 300, 200)
			x.place(x.offer("o1", 1, 30, 210, 5, in(zone)))
			x.seek(x.bid("b1", 1, 90, 0, 300, 6, carbonTicks(1)))
			x.seek(x.bid("b2", 1, 90, 0, 300, 7, carbonTicks(1)), "b2: 1 of o1 60-150 at 5, 1667 mg")
		}},
		{"a cap is looked at hour by hour", func(x *script) {
			zone := x.zone(400, 300, 100, 200)
			x.place(x.offer("o1", 1, 0, 240, 5, in(zone)))
			x.seek(x.bid("b1", 1, 60, 0, 240, 5, carbonCap(999)))
			x.seek(x.bid("b2", 1, 60, 0, 240, 5, carbonCap(1_000)), "b2: 1 of o1 120-180 at 5, 1000 mg")
			x.seek(x.bid("b3", 1, 60, 0, 240, 5, carbonCap(2_000)), "b3: 1 of o1 180-240 at 5, 2000 mg")
			x.seek(x.bid("b4", 1, 60, 0, 240, 5), "b4: 1 of o1 0-60 at 5, 4000 mg")
		}},
		{"a start between whole hours and ends of capacity does not count", func(x *script) {
			// The rate of 30 minutes falls from 3000 mg from 30 to 2990 mg from 60. Rounded
			// up to whole nano-units it costs as much from 45 on as from 60.
			zone := x.zone(300, 299, 300, 300)
			x.place(x.offer("o1", 1, 10, 200, 5, in(zone)))
			x.seek(x.bid("b1", 1, 30, 0, 200, 8, func(b *orderbook.Bid) { b.CarbonPrice = 70_100_000 }), "b1: 1 of o1 60-90 at 5, 2990 mg")
		}},
		{"effective price, then start, then arrival", func(x *script) {
			x.place(x.offer("o1", 1, 0, 60, 6))
			x.place(x.offer("o2", 1, 30, 90, 4, emits(1_000)))
			x.place(x.offer("o3", 1, 0, 60, 4, emits(1_000)))
			x.place(x.offer("o4", 1, 0, 60, 4, emits(1_000)))
			x.place(x.offer("o5", 1, 0, 60, 3, emits(4_000)))
			x.seek(x.bid("b1", 5, 60, 0, 90, 6, carbonTicks(1)),
				"b1: 1 of o3 0-60 at 4, 1000 mg", "b1: 1 of o4 0-60 at 4, 1000 mg",
				"b1: 1 of o2 30-90 at 4, 1000 mg", "b1: 1 of o1 0-60 at 6")
			x.rests("b1", 1, 60)
		}},
		{"a bid takes one offer at several times", func(x *script) {
			x.place(x.offer("o1", 2, 0, 150, 5))
			x.seek(x.bid("b1", 7, 60, 0, 150, 5), "b1: 2 of o1 0-60 at 5", "b1: 2 of o1 60-120 at 5")
		}},
		{"a lower need makes cheaper offers possible", func(x *script) {
			x.place(x.offer("o1", 4, 0, 60, 1))
			x.place(x.offer("o2", 7, 0, 60, 2))
			x.seek(x.bid("b1", 10, 60, 0, 60, 2, minFill(6)), "b1: 7 of o2 0-60 at 2", "b1: 3 of o1 0-60 at 1")
		}},
		{"pieces are as even as their number asks", func(x *script) {
			// 100 minutes in at most 3 pieces: 34, 33, 33.
			x.place(x.offer("o1", 5, 0, 40, 1))
			x.place(x.offer("o2", 5, 0, 300, 2))
			x.seek(x.bid("b1", 2, 100, 0, 300, 2, pieces(10), leases(3)),
				"b1: 2 of o1 0-34 at 1", "b1: 2 of o2 34-67 at 2", "b1: 2 of o2 67-100 at 2")
		}},
		{"the last piece is no crumb", func(x *script) {
			x.place(x.offer("o1", 5, 0, 300, 1))
			x.seek(x.bid("b1", 2, 110, 0, 300, 2, pieces(50)), "b1: 2 of o1 0-50 at 1", "b1: 2 of o1 50-110 at 1")
			x.seek(x.bid("b2", 2, 99, 0, 300, 2, pieces(50)), "b2: 2 of o1 0-99 at 1")
		}},
		{"pieces wait for clean hours and never overlap", func(x *script) {
			zone := x.zone(400, 100, 300, 200)
			x.place(x.offer("o1", 9, 0, 240, 1, in(zone)))
			x.seek(x.bid("b1", 2, 180, 0, 240, 4, pieces(60), carbonTicks(1)),
				"b1: 2 of o1 60-120 at 1, 1000 mg", "b1: 2 of o1 180-240 at 1, 2000 mg", "b1: 2 of o1 120-180 at 1, 3000 mg")
			x.gone("b1")
		}},
		{"a piece has all units of one offer", func(x *script) {
			x.place(x.offer("o1", 1, 0, 300, 1))
			x.place(x.offer("o2", 2, 100, 160, 2))
			x.seek(x.bid("b1", 2, 120, 0, 300, 2, pieces(60)), "b1: 2 of o2 100-160 at 2")
			x.rests("b1", 2, 60)
		}},
		{"all pieces or none", func(x *script) {
			x.place(x.offer("o1", 2, 0, 119, 1))
			x.seek(x.bid("b1", 2, 120, 0, 300, 2, pieces(60), allOrNone))
			x.seek(x.bid("b2", 2, 120, 0, 300, 2, pieces(60), tif(corehour.FillOrKill)))
			x.free("o1", 0, 119, 2)
			x.seek(x.bid("b3", 2, 120, 0, 300, 2, pieces(60), tif(corehour.ImmediateOrCancel)), "b3: 2 of o1 0-60 at 1")
			x.gone("b3")
			x.seek(x.bid("b4", 1, 59, 0, 300, 2, pieces(20), tif(corehour.FillOrKill)), "b4: 1 of o1 60-80 at 1", "b4: 1 of o1 80-119 at 1")
		}},
		{"all or none starts in one minute", func(x *script) {
			x.place(x.offer("o1", 4, 0, 100, 1))
			x.place(x.offer("o2", 4, 50, 150, 2))
			x.seek(x.bid("b1", 8, 30, 0, 200, 2, allOrNone), "b1: 4 of o1 50-80 at 1", "b1: 4 of o2 50-80 at 2")
		}},
		{"all or none passes over what is too large, and takes nothing back", func(x *script) {
			x.place(x.offer("o1", 4, 0, 60, 1))
			x.place(x.offer("o2", 9, 0, 60, 2, atLeastOf(2)))
			x.seek(x.bid("b1", 5, 60, 0, 60, 9, tif(corehour.FillOrKill)))
			x.place(x.offer("o3", 1, 0, 60, 3))
			x.seek(x.bid("b2", 5, 60, 0, 60, 9, tif(corehour.FillOrKill)), "b2: 4 of o1 0-60 at 1", "b2: 1 of o3 0-60 at 3")
		}},
		{"all or none takes the start of least total cost", func(x *script) {
			// From 0 it is 4 x 1 + 4 x 9 = 40, from 60 it is 8 x 4 = 32.
			x.place(x.offer("o1", 4, 0, 60, 1))
			x.place(x.offer("o2", 4, 0, 60, 9))
			x.place(x.offer("o3", 8, 60, 120, 4))
			x.seek(x.bid("b1", 8, 60, 0, 120, 9, allOrNone), "b1: 8 of o3 60-120 at 4")
		}},
		{"all or none starts where a used offer changes", func(x *script) {
			// Up to 30 o1 comes first and is all that one lease may take. At 31 only o1
			// changes, which is not used then, so the next start that counts is 60.
			x.place(x.offer("o1", 4, 0, 60, 1))
			x.place(x.offer("o2", 8, 0, 100, 2))
			x.seek(x.bid("b1", 8, 30, 0, 100, 2, allOrNone, leases(1), tif(corehour.FillOrKill)), "b1: 8 of o2 60-90 at 2")
			// b2 can start after that lease.
			x.seek(x.bid("b2", 8, 5, 61, 99, 2, allOrNone, leases(1)), "b2: 8 of o2 90-95 at 2")
		}},
		{"the older order sets the price", func(x *script) {
			x.place(x.offer("o1", 1, 0, 60, 3))
			x.seek(x.bid("b1", 2, 60, 0, 60, 9, carbonTicks(1)), "b1: 1 of o1 0-60 at 3")
			// 9 less what 1.5 g cost it is 7.5: rounded down to the tick.
			x.place(x.offer("o2", 1, 0, 60, 3, emits(1_500)), "b1: 1 of o2 0-60 at 7, 1500 mg")
		}},
		{"time in force and number of leases", func(x *script) {
			x.place(x.offer("o1", 1, 0, 60, 3))
			x.place(x.offer("o2", 1, 0, 60, 3))
			x.seek(x.bid("b1", 3, 60, 0, 60, 3, leases(1)), "b1: 1 of o1 0-60 at 3")
			x.gone("b1")
			x.seek(x.bid("b2", 3, 60, 0, 60, 3, tif(corehour.FillOrKill)))
			x.gone("b2")
			x.seek(x.bid("b3", 3, 60, 0, 60, 3, tif(corehour.GoodTillTime)), "b3: 1 of o2 0-60 at 3")
			x.rests("b3", 2, 60)
			x.seek(x.bid("b4", 3, 60, 0, 60, 3, tif(corehour.ImmediateOrCancel)))
			x.gone("b4")
		}},
	})
}
