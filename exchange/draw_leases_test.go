package exchange

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// TestState_LeasesUnderRulesKeepTheInvariants is about what becomes of leases: in
// a market where nearly every bid finds an offer, and time passes in seconds, the
// witness must see every rule kept.
func TestState_LeasesUnderRulesKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newProperty(t)
		for _, c := range append(smallMarket(), OpenAccount{Account: "a2", Org: "org-a"}) {
			p.apply(c)
		}
		p.apply(drawRules(t))
		for range rapid.IntRange(60, 160).Draw(t, "commands") {
			p.at += corehour.Instant(rapid.SampledFrom([]int64{0, 0, 0, 1, 20, 60, 60, 240}).Draw(t, "seconds")) * corehour.MicrosPerSecond
			p.apply(drawOfLeases(t, p.live))
			p.maybeRestore()
		}
		p.at += corehour.Instant(rapid.Int64Range(0, 5).Draw(t, "hours")) * 60 * corehour.MicrosPerMinute
		p.apply(Tick{})
		p.finish()
	})
}

func drawOfLeases(t *rapid.T, s *State) Command {
	start := s.startable()
	switch rapid.IntRange(0, 27).Draw(t, "of leases") {
	case 0, 1:
		o := PlaceOffer{
			Product: "cpu", Provider: rapid.SampledFrom([]corehour.AccountID{"a", "b", "a2", "d"}).Draw(t, "provider"), Region: "r1",
			Units: corehour.Units(rapid.Int64Range(2, 9).Draw(t, "units")), To: start.Add(corehour.Minutes(rapid.Int64Range(90, 300).Draw(t, "window"))),
			Price: corehour.Price(rapid.Int64Range(5, 60).Draw(t, "price")) * corehour.Tick, SLA: corehour.SLA(rapid.Uint8Range(1, 3).Draw(t, "sla")),
			Interruptible: rapid.IntRange(0, 2).Draw(t, "interruptible") == 0,
		}
		if rapid.Bool().Draw(t, "energy") {
			o.Energy = corehour.Energy(rapid.Int64Range(1, 9_000).Draw(t, "wh"))
		}
		return o
	case 2, 3:
		return PlaceBid{
			Product: "cpu", Consumer: rapid.SampledFrom([]corehour.AccountID{"c", "c", "d"}).Draw(t, "consumer"),
			Units: corehour.Units(rapid.Int64Range(1, 6).Draw(t, "units")), Duration: corehour.Minutes(rapid.Int64Range(5, 90).Draw(t, "duration")),
			LatestEnd: start.Add(corehour.Minutes(rapid.Int64Range(90, 120).Draw(t, "latest"))),
			Limit:     corehour.Price(rapid.Int64Range(30, 80).Draw(t, "limit")) * corehour.Tick, Interruptible: rapid.Bool().Draw(t, "accepts"),
			CarbonPrice: corehour.CarbonPrice(rapid.SampledFrom([]int64{0, 0, 5}).Draw(t, "carbon price") * corehour.NanoPerUnit),
			MaxLeases:   rapid.IntRange(0, 2).Draw(t, "max leases"), MinPiece: corehour.Minutes(rapid.SampledFrom([]int64{0, 0, 0, 4}).Draw(t, "piece")),
			CoverInterrupted: rapid.Bool().Draw(t, "cover interrupted"),
		}
	case 4, 5, 6, 7, 8, 9, 10, 17, 18, 19, 20, 21, 22, 23, 24:
		return drawWork(t, s)
	case 11, 12, 13:
		return drawBeat(t, s, rapid.SampledFrom([]corehour.AccountID{"a", "b", "a2", "d"}).Draw(t, "who"))
	case 14:
		return PostBond{
			Account:   rapid.SampledFrom([]corehour.AccountID{"a", "b", "d"}).Draw(t, "who"),
			Amount:    corehour.Money(rapid.Int64Range(1, 300_000).Draw(t, "bond")),
			Reference: fmt.Sprint("bond-", s.now),
		}
	case 15:
		if rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
			return drawCancel(t, s, rapid.SampledFrom([]corehour.AccountID{"c", "d"}))
		}
		return Tick{}
	}
	return drawOversight(t, s, rapid.SampledFrom([]corehour.AccountID{"a", "b", "c", "d"}))
}

// Commands about rules and what follows from them that rapid draws.

func drawRules(t *rapid.T) Command {
	seconds := func(name string, most int64) corehour.Seconds {
		return corehour.Seconds(max(0, rapid.Int64Range(-most/3, most).Draw(t, name)))
	}
	share := func(name string) corehour.BasisPoints {
		return corehour.BasisPoints(rapid.Int32Range(0, 10_000).Draw(t, name))
	}
	r := corehour.LeaseRules{
		AcceptWithin: seconds("accept within", 900), StartWithin: seconds("start within", 900),
		HeartbeatEvery: seconds("every", 120), RecoverBeats: rapid.IntRange(0, 3).Draw(t, "recover"),
		MassShare: share("mass"), MassLeast: rapid.IntRange(0, 3).Draw(t, "least"), OutageAfter: seconds("outage", 600),
		InterruptionNotice: seconds("notice", 600), Cover: rapid.IntRange(0, 4).Draw(t, "cover") > 0,
		CoverExtra: corehour.BasisPoints(rapid.Int32Range(0, 100_000).Draw(t, "extra")), BondShare: share("bond"),
		CreditBasic: share("basic"), CreditStandard: share("standard"), CreditPremium: share("premium"),
	}
	if r.SuspectAfter = seconds("suspect after", 600); r.SuspectAfter > 0 {
		r.SuspectAfter = max(r.SuspectAfter, r.HeartbeatEvery)
		if r.FailAfter = seconds("fail after", 900); r.FailAfter > 0 {
			r.FailAfter = max(r.FailAfter, r.SuspectAfter)
		}
	}
	return SetLeaseRules{Rules: r}
}

func drawOversight(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) Command {
	who := account.Draw(t, "who")
	var running, over []corehour.LeaseID
	for _, id := range sortedKeys(s.leases) {
		if s.leases[id].status.Over() {
			over = append(over, id)
		} else {
			running = append(running, id)
		}
	}
	pick := func(ids []corehour.LeaseID) *lease {
		if len(ids) == 0 {
			return &lease{Lease: corehour.Lease{ID: s.lastLease + 1, Provider: who, Consumer: who}}
		}
		return s.leases[rapid.SampledFrom(ids).Draw(t, "lease of")]
	}
	switch rapid.IntRange(0, 9).Draw(t, "oversight") {
	case 0:
		return drawRules(t)
	case 1, 2, 3:
		return drawBeat(t, s, who)
	case 4:
		l := pick(running)
		return FailLease{Provider: l.Provider, Lease: l.ID}
	case 5, 6:
		l := pick(running)
		return InterruptLease{Provider: l.Provider, Lease: l.ID, At: s.startable().Add(corehour.Minutes(rapid.Int64Range(0, 30).Draw(t, "at")))}
	case 7:
		l := pick(over)
		return DisputeLease{Consumer: l.Consumer, Lease: l.ID, Reason: rapid.SampledFrom([]string{"slow", ""}).Draw(t, "reason")}
	}
	amount := corehour.Money(rapid.Int64Range(0, 3*corehour.NanoPerUnit).Draw(t, "amount"))
	reference := fmt.Sprint("bond-", rapid.IntRange(0, 20).Draw(t, "reference"))
	if rapid.Bool().Draw(t, "back") {
		return ReleaseBond{Account: who, Amount: amount, Reference: reference}
	}
	return PostBond{Account: who, Amount: amount, Reference: reference}
}

// drawBeat lets a provider say of most of its leases that they run.
func drawBeat(t *rapid.T, s *State, who corehour.AccountID) Command {
	c := LeaseHeartbeat{Provider: who}
	for _, id := range sortedKeys(s.leases) {
		if l := s.leases[id]; l.Provider == who && l.status == corehour.StatusActive || rapid.IntRange(0, 9).Draw(t, "other") == 0 {
			c.Leases = append(c.Leases, id)
		}
	}
	return c
}
