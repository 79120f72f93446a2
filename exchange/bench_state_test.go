package exchange

import (
	"testing"

	"github.com/corehour/corehour"
)

// BenchmarkState_PlainBid is a bid that comes and goes, by an account of which nobody
// has limited anything, and by one whose limits it keeps: what a bid pays for rules
// that are off, and for those that are on. Each iteration is one command, applied
// without its log.
func BenchmarkState_PlainBid(b *testing.B) {
	for name, limits := range map[string]*corehour.Limits{
		"unlimited": nil,
		"limited": {
			OrderUnits: 10, OrderNotional: corehour.NanoPerUnit, OpenOrders: 10,
			PriceCollar: 1, SpendPerDay: corehour.NanoPerUnit,
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := NewState()
			for _, c := range smallMarket() {
				s.apply(0, c, nil)
			}
			s.apply(0, SetLimits{Account: "c", Limits: limits}, nil)
			bid := Command(PlaceBid{
				Product: "cpu", Consumer: "c", Units: 1, Duration: 60, LatestEnd: 60, Limit: corehour.Tick, TimeInForce: corehour.ImmediateOrCancel,
			})
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if reply := s.apply(0, bid, nil); reply.Closed != corehour.CloseUnfilled {
					b.Fatalf("%+v", reply)
				}
			}
		})
	}
}
