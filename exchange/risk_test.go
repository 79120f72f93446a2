package exchange_test

import (
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// What is set is read at once, and after a restart.
func TestExchange_LimitsHaltsAndSessionsAreRead(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db)
		x := n.open()
		market(t, x)
		limits := corehour.Limits{OrdersPerSecond: 2, SpendPerDay: 10 * corehour.NanoPerUnit}
		low := aBid("", 3)
		low.Limit, low.Session = 10_000_000, "desk"
		bid := submit(t, x,
			exchange.SetCredit{Account: "c", Limit: corehour.NanoPerUnit}, exchange.SetLimits{Limits: &corehour.Limits{OpenOrders: 9}},
			exchange.OpenSession{Account: "c", Session: "desk", Timeout: 60}, exchange.SetLimits{Account: "c", Limits: &limits},
			aBid("", 2), low).Bid
		offer := submit(t, x, exchange.OpenSession{Account: "p", Session: "rack"}, exchange.PlaceOffer{
			Product: "cpu", Provider: "p", Region: "r1", Units: 4, To: day.Add(600), Price: 500_000_000, Session: "rack",
		}).Offer
		submit(t, x, exchange.Halt{Scope: corehour.HaltAccount, Name: "c", By: "ops", Operator: true, Reason: "unpaid"})
		for range 2 {
			checkRead(t, x, limits, bid, offer)
			n.close()
			x = n.open()
		}
		n.cfg.Clock.(*manualClock).advance(24 * time.Hour)
		if l, err := x.Limits(t.Context(), "c"); err != nil || l.Usage.MatchedToday != 0 || *l.Usage.OrdersLeft != 2 {
			t.Errorf("a day later %+v %v", l.Usage, err)
		}
		submit(t, x, exchange.Tick{})
		if s, err := x.Sessions(t.Context(), "c"); err != nil || len(s) != 0 {
			t.Errorf("a day later %+v %v", s, err)
		}
		if b, err := x.Bid(t.Context(), bid); err != nil || b.Closed != corehour.CloseSessionEnded || b.Session != "" {
			t.Errorf("a day later %+v %v", b, err)
		}
		if _, err := x.Limits(t.Context(), "nobody"); corehour.KindOf(err) != corehour.KindNotFound {
			t.Errorf("limits of nobody: %v", err)
		}
		n.close()
	})
}

func checkRead(t *testing.T, x *exchange.Exchange, limits corehour.Limits, bid corehour.BidID, offer corehour.OfferID) {
	t.Helper()
	l, err := x.Limits(t.Context(), "c")
	if err != nil || !l.Own || l.Limits != limits || l.Usage.OpenOrders != 1 || *l.Usage.OrdersLeft != 0 ||
		l.Usage.MatchedToday != 100_000_000 || l.Usage.OpenBids != 30_000_000 {
		t.Errorf("%+v %v", l, err)
	}
	if l, err := x.Limits(t.Context(), "p"); err != nil || l.Own || l.Limits.OpenOrders != 9 || l.Usage.OpenOrders != 2 || l.Usage.OrdersLeft != nil {
		t.Errorf("%+v %v", l, err)
	}
	if l, err := x.DefaultLimits(t.Context()); err != nil || l != (corehour.Limits{OpenOrders: 9}) {
		t.Errorf("%+v %v", l, err)
	}
	if h, err := x.Halts(t.Context()); err != nil || len(h) != 1 || h[0].Name != "c" || h[0].Reason != "unpaid" || !h[0].Operator {
		t.Errorf("%+v %v", h, err)
	}
	s, err := x.Sessions(t.Context(), "c")
	if err != nil || len(s) != 1 || s[0].Session != "desk" || s[0].OpenOrders != 1 || s[0].EndsAt != s[0].OpenedAt+60*corehour.MicrosPerSecond {
		t.Errorf("%+v %v", s, err)
	}
	if a, err := x.Account(t.Context(), "c"); err != nil || a.CreditLimit != corehour.NanoPerUnit {
		t.Errorf("%+v %v", a, err)
	}
	if b, err := x.Bid(t.Context(), bid); err != nil || b.Session != "desk" {
		t.Errorf("%+v %v", b, err)
	}
	if o, err := x.Offer(t.Context(), offer); err != nil || o.Session != "rack" {
		t.Errorf("%+v %v", o, err)
	}
}
