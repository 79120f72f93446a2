package exchange

import (
	"math"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// FuzzCommand gives the state machine whatever decodes as a command. It must come
// back from the log as the same bytes, and leave the state with its invariants.
func FuzzCommand(f *testing.F) {
	market := fuzzMarket(f)
	for _, c := range someCommands() {
		f.Add(uint8(c.kind()), marshal(c))
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		cmd, err := decodeCommand(Kind(kind), body)
		if err != nil {
			return
		}
		encoded := marshal(cmd)
		again, err := decodeCommand(Kind(kind), encoded)
		if err != nil || string(marshal(again)) != string(encoded) {
			t.Fatalf("%+v does not come back from %x: %+v %v", cmd, encoded, again, err)
		}
		if cmd.kind() != Kind(kind) {
			t.Fatalf("kind %d decodes as %T", kind, cmd)
		}
		s, err := decodeState(market)
		if err != nil {
			t.Fatal(err)
		}
		seen := s.Hash()
		if reply := s.apply(s.now, cmd, encoded); reply.Rejected() && len(s.events) > 0 {
			t.Fatalf("%+v was rejected (%+v) and had effects: %v", cmd, reply, s.events)
		} else if _, keyed := s.keyOf(cmd); reply.Rejected() && !keyed && s.Hash() != seen {
			t.Fatalf("%+v was rejected (%+v) and changed the state", cmd, reply)
		}
		checkInvariants(t, s)
		s.advance(s.now + 400*corehour.Instant(corehour.MinutesPerDay)*corehour.MicrosPerMinute)
		checkInvariants(t, s)
	})
}

// FuzzBatch gives the decoder of the log's messages whatever comes: it is refused,
// or applied and is the same message when it is encoded again.
func FuzzBatch(f *testing.F) {
	b := log.Batch{Version: log.Version, Writer: "fuzz"}
	for _, c := range someCommands() {
		b.Entries = append(b.Entries, log.Entry{Kind: uint8(c.kind()), At: 1, Body: marshal(c)})
	}
	f.Add(marshal(&b))
	f.Add(marshal(&log.Batch{Version: log.Version, Entries: b.Entries[:2]}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		b, err := log.Decode(payload)
		if err != nil {
			return
		}
		s := NewState()
		if _, err := s.applyEntries(b.Entries); err != nil {
			return
		}
		checkInvariants(t, s)
		encoded := marshal(&b)
		again, err := log.Decode(encoded)
		if err != nil || string(marshal(&again)) != string(encoded) {
			t.Fatalf("a batch does not come back from %x: %v", encoded, err)
		}
	})
}

// fuzzMarket is the image of a state with a bit of everything in it.
func fuzzMarket(f *testing.F) []byte {
	f.Helper()
	s := NewState()
	for _, c := range append(smallMarket(), someCommands()...) {
		if reply := s.apply(corehour.MicrosPerMinute, c, marshal(c)); reply.Rejected() {
			f.Fatalf("%+v: %+v", c, reply)
		}
	}
	if len(s.bids) < 4 || len(s.offers) < 2 || len(s.leases) < 2 {
		f.Fatalf("%d bids, %d offers, %d leases", len(s.bids), len(s.offers), len(s.leases))
	}
	return s.encode()
}

// someCommands are valid on a small market in this order, and of every kind.
func someCommands() []Command {
	units, price, end := corehour.Units(7), 30*corehour.Tick, corehour.Minute(400)
	share, carbonCap := corehour.BasisPoints(9000), corehour.CarbonRate(100_000)
	later := corehour.Allowed[string]{Allow: []string{"europe", "north-america"}}
	return []Command{
		Tick{}, DefineProduct{Product: corehour.Product{ID: "tpu"}}, SetFee{Fee: 100},
		DefineRegion{Region: corehour.Region{ID: "r3", Country: "SE", Continent: "europe", Zone: "SE"}},
		OpenAccount{Account: "e", Org: "org-e", Name: "E"}, Deposit{Account: "e", Amount: 1000, Reference: "r"},
		PayOut{Account: "e", Amount: 10, Reference: "p"}, DefineZone{Zone: corehour.Zone{ID: "SE", Mean: 20_000}},
		SetIntensity{Zone: "FI", From: 60, Values: []corehour.Intensity{1000, 50_000, 200_000}},
		PlaceOffer{Product: "cpu", Provider: "a", Region: "r1", Units: 10, To: 500, Price: 20 * corehour.Tick, Energy: 4000, ClientID: "rack"},
		PlaceOffer{Product: "cpu", Provider: "b", Region: "r2", Units: 8, From: 30, To: 90, Price: 10 * corehour.Tick, Carbon: 100, MinFill: 2, TakeOrPay: 5000},
		PlaceBid{Product: "cpu", Consumer: "c", Units: 3, Duration: 60, LatestEnd: 300, Limit: price, CarbonPrice: corehour.NanoPerUnit, ClientID: "job"},
		PlaceBid{Product: "cpu", Consumer: "c", Units: 9, Duration: 300, LatestEnd: 600, Limit: price, MinPiece: 30, MaxLeases: 9, Continents: later},
		PlaceBid{Product: "cpu", Consumer: "d", Units: 40, MinFill: 40, Duration: 60, LatestEnd: 300, Limit: price, MaxTakeOrPay: &share, MaxCarbon: &carbonCap},
		PlaceBid{Product: "gpu", Consumer: "d", Units: 4, Duration: 60, LatestEnd: 300, Limit: price, PostOnly: true, TimeInForce: corehour.GoodTillTime, ExpiresAt: 200 * corehour.MicrosPerMinute},
		PlaceBidGroup{Consumer: "c", ClientID: "group", Bids: []PlaceBid{
			{Product: "gpu", Units: 4, Duration: 60, LatestEnd: 300, Limit: price}, {Product: "cpu", Units: 40, Duration: 60, LatestEnd: 300, Limit: corehour.Tick},
		}},
		AmendBid{Consumer: "c", Bid: 5, Units: &units, Limit: &price, LatestEnd: &end}, AmendOffer{Provider: "a", Offer: 1, Price: &price},
		AcceptLease{Provider: "b", Lease: 1}, CancelAll{Account: "e"}, PlaceBid{Product: "gpu", Consumer: "a", Units: 1, Duration: 9, LatestEnd: 30, Limit: price, ClientID: "x"},
		CancelBid{Consumer: "a", ClientID: "x"}, PlaceOffer{Product: "tpu", Provider: "a", Region: "r3", Units: 1, To: 99, Price: price, SLA: corehour.SLAPremium},
		CancelOffer{Provider: "a", Offer: 3},
		SetLeaseRules{Rules: corehour.StandardLeaseRules()}, PostBond{Account: "b", Amount: 1_000_000, Reference: "bond"},
		ReleaseBond{Account: "b", Amount: 1000, Reference: "back"}, LeaseHeartbeat{Provider: "b", Leases: []corehour.LeaseID{1, 2, 99}},
		PlaceOffer{Product: "gpu", Provider: "b", Region: "r1", Units: 4, To: 99, Price: corehour.Tick, Interruptible: true},
		PlaceBid{Product: "gpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 99, Limit: price, Interruptible: true, CoverInterrupted: true},
		PlaceBid{Product: "gpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 99, Limit: price, Interruptible: true},
		InterruptLease{Provider: "b", Lease: 11, At: 30}, FailLease{Provider: "b", Lease: 12}, DisputeLease{Consumer: "a", Lease: 12, Reason: "slow"},
		ResolveDispute{Lease: 12},
		SetCredit{Account: "c", Limit: 5 * corehour.NanoPerUnit}, SetLimits{Limits: &corehour.Limits{OpenOrders: 100}},
		SetLimits{Account: "c", Limits: &corehour.Limits{OrderUnits: 50, OrdersPerSecond: 3, SpendPerDay: corehour.NanoPerUnit}},
		SetLimits{Account: "d", Limits: &corehour.Limits{PriceCollar: 9000}},
		OpenSession{Account: "c", Session: "s", Timeout: 60, CancelOnDisconnect: true}, OpenSession{Account: "a", Session: "t"},
		PlaceBid{Product: "gpu", Consumer: "c", Units: 1, Duration: 9, LatestEnd: 90, Limit: price, Session: "s"},
		PlaceOffer{Product: "tpu", Provider: "a", Region: "r3", Units: 1, To: 99, Price: price, Session: "t"},
		Heartbeat{Account: "c", Session: "s"}, CloseSession{Account: "a", Session: "t"},
		Halt{Scope: corehour.HaltProvider, Name: "b", By: "b", Reason: "repair"}, Halt{Scope: corehour.HaltAccount, Name: "d", By: "ops", Operator: true},
		Halt{Scope: corehour.HaltExchange, By: "ops", Operator: true}, Resume{Scope: corehour.HaltExchange, By: "ops", Operator: true},
		Halt{Scope: corehour.HaltProduct, Name: "gpu", By: "ops", Operator: true},
	}
}

func TestState_TimesBeyondAllNumbersAreRejected(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, marshal(c))
	}
	ends := []corehour.Minute{math.MinInt64, math.MinInt64 + 1, -1, 1, math.MaxInt64, math.MaxInt64 - 60}
	for _, from := range append(ends, 0) {
		for _, to := range ends {
			for _, c := range []Command{
				PlaceOffer{Product: "cpu", Provider: "a", Region: "r1", Units: 1, From: from, To: to, Price: corehour.Tick, MinDuration: 5},
				PlaceBid{Product: "cpu", Consumer: "a", Units: 1, Duration: 5, EarliestStart: from, LatestEnd: to, Limit: corehour.Tick},
				SetIntensity{Zone: "FI", From: to - to%60, Values: []corehour.Intensity{1}},
			} {
				intensityIsFine := c.kind() == KindSetIntensity && to/60 == 0
				if reply := s.apply(0, c, marshal(c)); reply.Rejected() == intensityIsFine {
					t.Errorf("%+v is answered %+v", c, reply)
				}
			}
			v := s.asOf(0)
			if _, refusal := v.depth(DepthQuery{Product: "cpu", Region: "r1", From: from, To: to}); !refusal.Rejected() && to != 1 {
				t.Errorf("depth of %d to %d is answered", from, to)
			}
			if _, refusal := v.heatMap(HeatQuery{Product: "cpu", From: to - to%60}); !refusal.Rejected() && to/60 != 0 {
				t.Errorf("a heat map from %d is answered", to)
			}
		}
	}
}
