package exchange

import (
	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// drawRisk draws a command about credit, limits, halts or sessions.
func drawRisk(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	who := account.Draw(t, "whose risk")
	switch rapid.IntRange(0, 9).Draw(t, "risk") {
	case 0:
		if rapid.Bool().Draw(t, "of the poor") {
			who = "d"
		}
		return SetCredit{Account: who, Limit: corehour.Money(rapid.Int64Range(-1, 1_000_000).Draw(t, "credit"))}
	case 1, 2:
		if rapid.IntRange(0, 2).Draw(t, "of all") == 0 {
			who = ""
		}
		return SetLimits{Account: who, Limits: maybe(t, "no limits", func() corehour.Limits { return drawLimits(t) })}
	case 3, 4:
		return drawHalt(t, s, who)
	case 5, 6:
		return drawResume(t, s, who)
	case 7:
		return OpenSession{
			Account: who, Session: anySession.Draw(t, "session"), CancelOnDisconnect: rapid.Bool().Draw(t, "on disconnect"),
			Timeout: corehour.Seconds(rapid.SampledFrom([]int64{0, 1, 60, 300, 900, -1}).Draw(t, "timeout")),
		}
	case 8:
		return Heartbeat{Account: who, Session: anySession.Draw(t, "session")}
	}
	return CloseSession{Account: who, Session: anySession.Draw(t, "session")}
}

var anySession = rapid.SampledFrom([]corehour.SessionID{"s", "t"})

// drawSession names a session that an account has open, or now and then another.
func drawSession(t *rapid.T, s *State, who corehour.AccountID) corehour.SessionID {
	a := s.accountNamed[who]
	switch n := rapid.IntRange(0, 19).Draw(t, "in a session"); {
	case n == 19:
		return anySession.Draw(t, "session")
	case n < 12 && a != nil && len(a.sessions) > 0:
		return a.sessions[n%len(a.sessions)].name
	}
	return ""
}

func drawLimits(t *rapid.T) corehour.Limits {
	var l corehour.Limits
	if rapid.Bool().Draw(t, "limit units") {
		l.OrderUnits = corehour.Units(rapid.Int64Range(-1, 14).Draw(t, "most units"))
	}
	if rapid.Bool().Draw(t, "limit notional") {
		l.OrderNotional = corehour.Money(rapid.Int64Range(0, 800_000).Draw(t, "most notional"))
	}
	if rapid.Bool().Draw(t, "limit open orders") {
		l.OpenOrders = rapid.Int64Range(0, 5).Draw(t, "most open orders")
	}
	if rapid.Bool().Draw(t, "limit rate") {
		l.OrdersPerSecond = rapid.Int64Range(0, 2).Draw(t, "most per second")
	}
	if rapid.Bool().Draw(t, "limit price") {
		l.PriceCollar = corehour.BasisPoints(rapid.Int32Range(0, 12_000).Draw(t, "collar"))
	}
	if rapid.Bool().Draw(t, "limit spend") {
		l.SpendPerDay = corehour.Money(rapid.Int64Range(0, 2_000_000).Draw(t, "most spend"))
	}
	return l
}

func drawScope(t *rapid.T, who corehour.AccountID) (corehour.HaltScope, string) {
	switch rapid.IntRange(0, 6).Draw(t, "scope") {
	case 5:
		return corehour.HaltExchange, ""
	case 3, 4:
		return corehour.HaltProduct, string(anyProduct.Draw(t, "halted product"))
	case 6:
		return corehour.HaltAccount, string(who)
	}
	return corehour.HaltProvider, string(who)
}

func drawHalt(t *rapid.T, s *State, who corehour.AccountID) Command {
	if rapid.IntRange(0, 9).Draw(t, "resume rather") < 5*len(s.halts()) { // or little happens
		return drawResume(t, s, who)
	}
	c := Halt{By: who, Operator: rapid.IntRange(0, 3).Draw(t, "operator") > 0, CancelOrders: rapid.IntRange(0, 3).Draw(t, "cancel") == 0}
	c.Scope, c.Name = drawScope(t, who)
	return c
}

func drawResume(t *rapid.T, s *State, who corehour.AccountID) Command {
	c := Resume{By: who, Operator: rapid.IntRange(0, 5).Draw(t, "operator") > 0}
	if halts := s.halts(); len(halts) > 0 {
		h := halts[rapid.IntRange(0, len(halts)-1).Draw(t, "halt")]
		c.Scope, c.Name = h.Scope, h.Name
	} else {
		c.Scope, c.Name = drawScope(t, who)
	}
	return c
}
