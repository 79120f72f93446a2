package exchange

import (
	"testing"

	"github.com/corehour/corehour"
)

// However wide the numbers, what is compared never overflows.
func TestState_LimitsHoldAtTheEndsOfTheirRange(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, nil)
	}
	for range 8 { // as much as may be deposited and granted
		for _, a := range []corehour.AccountID{"a", "b", "c", "d"} {
			s.apply(0, SetCredit{Account: a, Limit: corehour.MaxMoney}, nil)
			s.apply(0, Deposit{Account: a, Amount: corehour.MaxMoney, Reference: "r"}, nil)
		}
	}
	if s.room() < 0 || s.deposited+s.granted > maxDeposited {
		t.Fatalf("deposited %s, granted %s", s.deposited, s.granted)
	}
	l := corehour.Limits{SpendPerDay: corehour.MaxMoney, OrderNotional: corehour.MaxMoney, PriceCollar: corehour.MaxPriceCollar}
	s.apply(0, SetLimits{Account: "c", Limits: &l}, nil)
	s.productNamed["cpu"].lastPrice = corehour.MaxPrice
	dear := PlaceBid{Product: "cpu", Consumer: "c", Units: 1000, Duration: 60, LatestEnd: 90, Limit: corehour.MaxPrice}
	if reply := s.apply(0, dear, nil); reply.Rejected() {
		t.Errorf("a billion is refused: %+v", reply)
	}
	dear.Units = 1
	if reply := s.apply(0, dear, nil); reply.Code != CodeDailySpendLimit {
		t.Errorf("more than a billion: %+v", reply)
	}
	for name, bad := range map[string]corehour.Limits{
		"units": {OrderUnits: corehour.MaxUnits + 1}, "notional": {OrderNotional: corehour.MaxMoney + 1}, "open": {OpenOrders: -1},
		"rate": {OrdersPerSecond: corehour.MaxOrdersPerSecond + 1}, "collar": {PriceCollar: -1}, "spend": {SpendPerDay: -1},
	} {
		if reply := s.apply(0, SetLimits{Limits: &bad}, nil); reply.Code != CodeOutOfRange {
			t.Errorf("%s: %+v", name, reply)
		}
	}
	checkInvariants(t, s)
}

// A bucket that was larger is full of what it was, and gives as much as it has room
// for within a second.
func TestOrderRate_LowerRateIsReachedWithinASecond(t *testing.T) {
	var r orderRate
	for range 1000 {
		r.take(0, 1000)
	}
	if missing := r.missingAt(0, 1000); missing != 1000*wholeOrder {
		t.Fatalf("%d are missing", missing)
	}
	for at, want := range map[corehour.Instant]int64{0: wholeOrder, 999_999: 1, 1_000_000: 0, 1 << 62: 0} {
		if missing := r.missingAt(at, 1); missing != want {
			t.Errorf("at %d %d are missing, want %d", at, missing, want)
		}
	}
}

// The end of a session with all the orders that it may have, and one more refused.
func TestState_SessionTakesBackAllItsOrdersAtOnce(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, nil)
	}
	s.apply(0, OpenSession{Account: "a", Session: "s", Timeout: 1}, nil)
	bid := PlaceBid{Product: "cpu", Consumer: "a", Units: 1, Duration: 60, LatestEnd: 120, Limit: corehour.Tick, Session: "s"}
	for range MaxSessionOrders {
		if reply := s.apply(0, bid, nil); reply.Rejected() {
			t.Fatalf("%+v", reply)
		}
	}
	if reply := s.apply(0, bid, nil); reply.Code != CodeTooMany || reply.Field != "session" {
		t.Fatalf("%+v", reply)
	}
	s.apply(corehour.MicrosPerSecond, Tick{}, nil)
	if len(s.bids) != 0 || len(s.sessions) != 0 || len(s.events) != MaxSessionOrders+1 {
		t.Fatalf("%d bids, %d sessions, %d events", len(s.bids), len(s.sessions), len(s.events))
	}
	for i := range MaxSessionsOfAccount {
		c := OpenSession{Account: "a", Session: corehour.SessionID([]byte{'s', byte('a' + i%26), byte('a' + i/26)})}
		if reply := s.apply(corehour.MicrosPerSecond, c, nil); reply.Rejected() {
			t.Fatalf("%+v", reply)
		}
	}
	if reply := s.apply(corehour.MicrosPerSecond, OpenSession{Account: "a", Session: "one-more"}, nil); reply.Code != CodeTooMany {
		t.Fatalf("%+v", reply)
	}
	checkInvariants(t, s)
}

// A halt of very many orders goes in steps, and nothing of the provider is for sale
// from the first one on.
func TestState_HaltStopsAtItsLimitAndSaysSo(t *testing.T) {
	s := NewState()
	for _, c := range smallMarket() {
		s.apply(0, c, nil)
	}
	for range MaxCancelled + 3 {
		s.apply(0, PlaceOffer{Product: "cpu", Provider: "a", Region: "r1", Units: 1, To: 90, Price: corehour.Tick}, nil)
	}
	halt := Halt{Scope: corehour.HaltProvider, Name: "a", By: "a", CancelOrders: true}
	if reply := s.apply(0, halt, nil); reply.Cancelled != MaxCancelled || !reply.More {
		t.Fatalf("%+v", reply)
	}
	bid := PlaceBid{Product: "cpu", Consumer: "b", Units: 1, Duration: 60, LatestEnd: 90, Limit: corehour.Tick, TimeInForce: corehour.ImmediateOrCancel}
	if reply := s.apply(0, bid, nil); len(reply.Fills) > 0 {
		t.Fatalf("a halted provider sold %+v", reply.Fills)
	}
	if reply := s.apply(0, halt, nil); reply.Cancelled != 3 || reply.More {
		t.Fatalf("%+v", reply)
	}
	if reply := s.apply(0, Halt{Scope: "galaxy", By: "ops", Operator: true}, nil); reply.Code != CodeOutOfRange {
		t.Fatalf("%+v", reply)
	}
	checkInvariants(t, s)
}
