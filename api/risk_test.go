package api

import (
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// mustSubmit asks, wants success and exactly one command.
func (f *fixture) mustSubmit(t *testing.T, who, method, target, body string, want exchange.Command) answer {
	t.Helper()
	a := f.ask(t, who, method, target, body)
	got := f.exchange.taken()
	if a.status >= 300 || len(got) != 1 || describe(got[0]) != describe(want) {
		t.Errorf("%s %s: %d %s\nsubmitted %+v\nwant      %+v", method, target, a.status, a.body, got, want)
	}
	return a
}

// describe follows the one pointer that these commands have.
func describe(c exchange.Command) any {
	if l, ok := c.(exchange.SetLimits); ok && l.Limits != nil {
		return struct {
			corehour.AccountID
			corehour.Limits
		}{l.Account, *l.Limits}
	}
	return c
}

func TestLimits_AreSubmittedAndRead(t *testing.T) {
	f := newFixture(t)
	limits := corehour.Limits{
		OrderUnits: 1000, OrderNotional: 5000 * corehour.NanoPerUnit, OpenOrders: 200, OrdersPerSecond: 50, PriceCollar: 5000, SpendPerDay: 20_000 * corehour.NanoPerUnit,
	}
	f.mustSubmit(t, "operator", "PUT", "/v1/accounts/lab-a/limits", goodLimits, exchange.SetLimits{Account: labA, Limits: &limits})
	f.mustSubmit(t, "operator", "DELETE", "/v1/accounts/lab-a/limits", "", exchange.SetLimits{Account: labA})
	f.mustSubmit(t, "operator", "PUT", "/v1/limits", `{"open_orders":7}`, exchange.SetLimits{Limits: &corehour.Limits{OpenOrders: 7}})
	f.mustSubmit(t, "operator", "PUT", "/v1/accounts/lab-a/credit", `{"credit_limit":"2.5"}`, exchange.SetCredit{Account: labA, Limit: 2_500_000_000})
	want := `{"account":"lab-a","own":true,"limits":{"order_units":10,"orders_per_second":5,"spend_per_day":"20.00"},` +
		`"usage":{"open_orders":2,"orders_left":3,"open_bids":"1.00","matched_today":"0.00"}}`
	if a := f.ask(t, "consumer", "GET", "/v1/accounts/lab-a/limits", ""); a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s\nwant %s", a.status, a.body, want)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownAccount, Field: "account", Message: "there is no such account"}
	for _, target := range []string{"/v1/accounts/nobody/credit", "/v1/accounts/nobody/limits"} {
		body := map[bool]string{true: `{"credit_limit":"1"}`, false: `{}`}[strings.HasSuffix(target, "credit")]
		if a := f.ask(t, "operator", "PUT", target, body); a.status != 404 || a.problem.Code != corehour.CodeNotFound {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

func TestLimits_RejectionsHaveTheirStatus(t *testing.T) {
	for code, status := range map[corehour.Code]int{
		exchange.CodeOrderUnitsLimit: 422, exchange.CodeOrderNotionalLimit: 422, exchange.CodePriceCollar: 422, exchange.CodeOpenOrdersLimit: 409,
		exchange.CodeDailySpendLimit: 409, exchange.CodeOrderRateLimit: 429, exchange.CodeTradingHalted: 409, exchange.CodeAccountHalted: 409,
		exchange.CodeUnknownSession: 404,
	} {
		f := newFixture(t)
		f.exchange.reply = exchange.Reply{Code: code, Message: "in words"}
		a := f.ask(t, "consumer", "POST", "/v1/bids", goodBid)
		if a.status != status || a.problem.Code != code || a.problem.Detail != "in words" || (a.header.Get("Retry-After") != "") != (status == 429) {
			t.Errorf("%s: %d %v %s", code, a.status, a.header, a.body)
		}
	}
}

// Who asks is the token's account, and the operator is told from an account that
// halts itself.
func TestHalts_SayWhoAsked(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Cancelled: 3, More: true}
	halt := exchange.Halt{Scope: corehour.HaltAccount, Name: "lab-a", CancelOrders: true, Reason: "runaway script", By: labA}
	a := f.mustSubmit(t, "consumer", "POST", "/v1/halts", goodHalt, halt)
	if want := `{"scope":"account","name":"lab-a","cancelled":3,"more":true}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s, want %s", a.body, want)
	}
	f.mustSubmit(t, "consumer", "POST", "/v1/kill-switch", `{"reason":"runaway script"}`, halt)
	halt.By, halt.Operator = office, true
	f.mustSubmit(t, "operator", "POST", "/v1/halts", goodHalt, halt)
	f.mustSubmit(t, "operator", "POST", "/v1/halts", `{"scope":"exchange"}`, exchange.Halt{Scope: corehour.HaltExchange, By: office, Operator: true})
	f.mustSubmit(t, "provider", "POST", "/v1/halts", `{"scope":"provider","name":"dc-north"}`, exchange.Halt{Scope: corehour.HaltProvider, Name: "dc-north", By: dcNorth})
	f.exchange.reply = exchange.Reply{Fills: fillOf(60)}
	a = f.mustSubmit(t, "consumer", "POST", "/v1/halts/resume", goodResume,
		exchange.Resume{Scope: corehour.HaltAccount, Name: "lab-a", Reason: "found it", By: labA})
	if want := `{"scope":"account","name":"lab-a","leases":1}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s, want %s", a.body, want)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeNotYours, Field: "scope", Message: "in words"}
	if a := f.ask(t, "consumer", "POST", "/v1/halts/resume", goodResume); a.status != 403 || a.problem.Field != "body.scope" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestHalts_OfAccountsAreSeenByTheirOwn(t *testing.T) {
	f := newFixture(t)
	for who, want := range map[string]int{"consumer": 2, "provider": 2, "consumer2": 1, "operator": 3, "finance": 3} {
		a := f.ask(t, who, "GET", "/v1/halts", "")
		if n := strings.Count(a.body, `"scope"`); a.status != 200 || n != want {
			t.Errorf("%s sees %d halts, want %d: %s", who, n, want, a.body)
		}
	}
}

func TestSessions_AreOpenedKeptAliveAndClosed(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Until: corehour.InstantOf(testTime)}
	open := exchange.OpenSession{Account: labA, Session: "desk-1", Timeout: 30, CancelOnDisconnect: true}
	a := f.mustSubmit(t, "consumer", "POST", "/v1/sessions", goodSession, open)
	if want := `{"session":"desk-1","ends_at":"2026-03-01T12:00:00Z"}`; a.status != 201 || strings.TrimSpace(a.body) != want {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
	f.exchange.reply.Repeat = true
	if again := f.mustSubmit(t, "consumer", "POST", "/v1/sessions", goodSession, open); again.status != 200 || again.body != a.body {
		t.Errorf("%d %s", again.status, again.body)
	}
	f.mustSubmit(t, "consumer", "POST", "/v1/sessions/desk-1/heartbeat", "", exchange.Heartbeat{Account: labA, Session: "desk-1"})
	f.exchange.reply = exchange.Reply{Cancelled: 2}
	a = f.mustSubmit(t, "provider", "DELETE", "/v1/sessions/desk-1", "", exchange.CloseSession{Account: dcNorth, Session: "desk-1"})
	if want := `{"session":"desk-1","cancelled":2}`; strings.TrimSpace(a.body) != want {
		t.Errorf("%s, want %s", a.body, want)
	}
	f.exchange.reply = exchange.Reply{Code: exchange.CodeUnknownSession, Field: "session", Message: "in words"}
	for _, method := range []string{"POST", "DELETE"} {
		target := "/v1/sessions/desk-1" + map[string]string{"POST": "/heartbeat"}[method]
		if a := f.ask(t, "consumer", method, target, ""); a.status != 404 || a.problem.Code != corehour.CodeNotFound {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if a := f.ask(t, "consumer", "GET", "/v1/sessions", ""); a.status != 200 || !strings.Contains(a.body, `"ends_at":"2026-03-01T12:00:30Z","open_orders":2`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Orders name the session that takes them back.
func TestSessions_AreNamedByOrders(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply = exchange.Reply{Bid: 7, Offer: 7, Members: []exchange.Reply{{Bid: 7}, {Bid: 8}}}
	for target, body := range map[string]string{"/v1/bids": goodBid, "/v1/bid-groups": goodGroup, "/v1/offers": goodOffer} {
		who := map[bool]string{true: "provider", false: "consumer"}[target == "/v1/offers"]
		a := f.ask(t, who, "POST", target, with(body, "session", `"desk-1"`))
		commands, session := f.exchange.taken(), corehour.SessionID("")
		if len(commands) == 1 {
			switch c := commands[0].(type) {
			case exchange.PlaceBid:
				session = c.Session
			case exchange.PlaceBidGroup:
				session = c.Session
			case exchange.PlaceOffer:
				session = c.Session
			}
		}
		if a.status != 201 || session != "desk-1" {
			t.Errorf("%s: %d %s, session %q", target, a.status, a.body, session)
		}
	}
}
