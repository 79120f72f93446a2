package exchange

import (
	"fmt"
	"strings"

	"github.com/corehour/corehour"
)

// describeRisk writes what events about limits, halts and sessions say; ok is
// false for others.
func describeRisk(data any) (text string, ok bool) {
	switch d := data.(type) {
	case corehour.CreditSet:
		return d.Limit.String(), true
	case corehour.LimitsSet:
		return describeLimits(d.Limits), true
	case corehour.Halt:
		return describeHalt(&d), true
	case corehour.TradingResumed:
		return describeHalt(&d.Halt), true
	case corehour.SessionOpened:
		return fmt.Sprintf("timeout %d s, cancel on disconnect %t", d.Timeout, d.CancelOnDisconnect), true
	case corehour.SessionClosed:
		return fmt.Sprintf("%s with %d orders, cancelled %t", d.Reason, d.Orders, d.Cancelled), true
	}
	return "", false
}

func describeHalt(h *corehour.Halt) string {
	by := string(h.By)
	if h.Operator {
		by += " (operator)"
	}
	return strings.TrimSpace("by " + by + " " + h.Reason)
}

func describeLimits(l *corehour.Limits) string {
	if l == nil {
		return "none of its own"
	}
	return fmt.Sprintf("units %d notional %s open %d per second %d collar %d bps per day %s",
		l.OrderUnits, l.OrderNotional, l.OpenOrders, l.OrdersPerSecond, l.PriceCollar, l.SpendPerDay)
}

// checkRisk holds sums and lists that are kept against what they are of.
func checkRisk(t fataler, s *State) {
	t.Helper()
	bidding, inSession := make(map[corehour.AccountID]corehour.Money), 0
	for _, b := range s.bids {
		bidding[b.Consumer] += b.hold
		if (b.session == nil) != (b.Session == "") || b.session != nil && s.sessions[b.session.number] != b.session {
			t.Fatalf("%s is of session %q, which is not open", b.ID, b.Session)
		}
		if b.session != nil {
			inSession++
		}
	}
	for _, o := range s.offers {
		if (o.session == nil) != (o.Session == "") || o.session != nil && s.sessions[o.session.number] != o.session {
			t.Fatalf("%s is of session %q, which is not open", o.ID, o.Session)
		}
		if o.session != nil {
			inSession++
		}
		if o.unseen && s.haltOf(s.productNamed[o.Product]) == nil {
			t.Fatalf("%s has capacity that no bid has seen though it trades", o.ID)
		}
	}
	granted, sessions := corehour.Money(0), 0
	for _, a := range s.accounts {
		if a.bidding != bidding[a.id] {
			t.Fatalf("the bids of %s hold %s, their sum is %s", a.id, a.bidding, bidding[a.id])
		}
		granted += a.granted
		sessions += len(a.sessions)
	}
	for _, x := range s.sessions {
		inSession -= x.orders()
		if x.endsAt > 0 && x.endsAt <= s.now {
			t.Fatalf("session %s of %s should be over since %s", x.name, x.owner.id, x.endsAt)
		}
	}
	if granted != s.granted || sessions != len(s.sessions) || inSession != 0 {
		t.Fatalf("granted %s of %s, %d sessions of %d, %d orders too many in sessions", s.granted, granted, sessions, len(s.sessions), inSession)
	}
}
