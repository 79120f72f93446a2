package exchange

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

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
