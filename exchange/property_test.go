package exchange

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// TestState_InvariantsHoldAndReplayGivesTheSameState draws commands, good and bad
// ones, at rising times. After each the funds, the capacity and the orders must
// add up, in the state and in its events. The same commands applied again from
// their encoding, and applied to a
// state that went through a snapshot at a random place, must give the same state.
func TestState_InvariantsHoldAndReplayGivesTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newProperty(t)
		for _, c := range smallMarket() {
			p.apply(c)
		}
		p.apply(PayOut{Account: "d", Amount: 50*corehour.NanoPerUnit - 300_000, Reference: "poor"})
		for range rapid.IntRange(60, 160).Draw(t, "commands") {
			if rapid.IntRange(0, 2).Draw(t, "soon") == 0 {
				p.at += corehour.Instant(rapid.Int64Range(0, 700_000).Draw(t, "micros"))
			} else {
				p.at += corehour.Instant(rapid.Int64Range(0, 12).Draw(t, "minutes")) * corehour.MicrosPerMinute / 2
			}
			c := drawCommand(t, p.live)
			for range 1 + rapid.IntRange(0, 8).Draw(t, "again")/7 { // a runaway script
				p.apply(c)
			}
			if rapid.IntRange(0, 15).Draw(t, "ask") == 0 {
				checkQuestions(t, p.live, rapid.SampledFrom([]corehour.AccountID{"a", "b"}))
			}
			p.maybeRestore()
		}
		p.finish()
	})
}

// property is a run of random commands: the live state, one that goes through
// snapshots, and what the events make of it.
type property struct {
	t              *rapid.T
	live, restored *State
	seen           *witness
	entries        []log.Entry
	at             corehour.Instant
}

func newProperty(t *rapid.T) *property {
	return &property{t: t, live: NewState(), restored: NewState(), seen: newWitness(t)}
}

func (p *property) apply(c Command) {
	e := log.Entry{Kind: uint8(c.kind()), At: p.at, Body: marshal(c)}
	decoded, err := decodeCommand(Kind(e.Kind), e.Body)
	if err != nil {
		p.t.Fatalf("%+v does not come back from the log: %v", c, err)
	}
	p.entries = append(p.entries, e)
	first := p.live.apply(e.At, decoded, e.Body)
	events := describeEvents(p.live)
	second := p.restored.apply(e.At, decoded, e.Body)
	if fmt.Sprint(first) != fmt.Sprint(second) || events != describeEvents(p.restored) {
		p.t.Fatalf("%+v: live answers %+v, the restored state %+v", c, first, second)
	}
	checkInvariants(p.t, p.live)
	p.seen.see(p.live.events)
	p.seen.compare(p.live)
}

// maybeRestore takes one of the states through a snapshot now and then.
func (p *property) maybeRestore() {
	if rapid.IntRange(0, 15).Draw(p.t, "snapshot") == 0 {
		var err error
		if p.restored, err = decodeState(p.restored.encode()); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *property) finish() {
	replayed := NewState()
	if _, err := replayed.applyEntries(p.entries); err != nil {
		p.t.Fatal(err)
	}
	if p.live.Hash() != p.restored.Hash() || p.live.Hash() != replayed.Hash() {
		p.t.Fatalf("live %s, through snapshots %s, from the log %s", p.live.Hash(), p.restored.Hash(), replayed.Hash())
	}
}

func smallMarket() []Command {
	commands := []Command{
		DefineProduct{Product: corehour.Product{ID: "cpu"}}, DefineProduct{Product: corehour.Product{ID: "gpu"}},
		DefineRegion{Region: corehour.Region{ID: "r1", Country: "FI", Continent: "europe", Zone: "FI"}},
		DefineRegion{Region: corehour.Region{ID: "r2", Country: "US", Continent: "north-america", Zone: "US"}},
		DefineZone{Zone: corehour.Zone{ID: "FI", Mean: 90_000}},
	}
	for _, a := range []corehour.AccountID{"a", "b", "c", "d"} {
		commands = append(commands, OpenAccount{Account: a, Org: corehour.OrgID("org-" + a[:1])},
			Deposit{Account: a, Amount: 50 * corehour.NanoPerUnit, Reference: "w"})
	}
	return commands
}

// drawCommand draws a command that mostly makes sense in a state.
func drawCommand(t *rapid.T, s *State) Command {
	account := rapid.SampledFrom([]corehour.AccountID{"a", "b", "c", "d"})
	lease := corehour.LeaseID(rapid.Uint64Range(1, uint64(s.lastLease)+1).Draw(t, "lease"))
	l := s.leases[lease]
	switch rapid.SampledFrom([]string{"offer", "offer", "bid", "bid", "bid", "group", "amend bid", "amend bid", "amend offer", "grid", "grid",
		"risk", "risk", "risk", "risk", "work", "work", "work", "work", "work", "accept", "start", "end", "charge", "settle", "cancel", "money",
		"fee", "tick", "rules", "beat", "beat", "beat", "fail", "interrupt", "bond", "bond", "dispute"}).Draw(t, "kind") {
	case "offer":
		return drawOffer(t, s, account)
	case "bid":
		return drawBid(t, s, account)
	case "risk":
		return drawRisk(t, s, account)
	case "work":
		return drawWork(t, s)
	case "accept":
		return AcceptLease{Provider: owner(l, account.Draw(t, "provider")), Lease: lease}
	case "start":
		return StartLease{Provider: owner(l, account.Draw(t, "provider")), Lease: lease}
	case "end":
		return EndLease{Account: owner(l, account.Draw(t, "account")), Lease: lease}
	case "charge":
		return drawCharge(t, l, lease)
	case "settle":
		c := SettleLease{Lease: lease}
		if l != nil {
			c.Charges = int64(len(l.charges))
		}
		return c
	case "cancel":
		return drawCancel(t, s, account)
	case "group":
		return drawGroup(t, s, account)
	case "amend bid":
		return drawAmendBid(t, s, account)
	case "amend offer":
		return drawAmendOffer(t, s, account)
	case "grid":
		return drawGrid(t, s)
	case "money":
		amount := corehour.Money(rapid.Int64Range(-1, 20*corehour.NanoPerUnit).Draw(t, "amount"))
		reference := fmt.Sprint("ref-", rapid.IntRange(0, 20).Draw(t, "reference"))
		if rapid.Bool().Draw(t, "out") {
			return PayOut{Account: account.Draw(t, "account"), Amount: amount, Reference: reference}
		}
		return Deposit{Account: account.Draw(t, "account"), Amount: amount, Reference: reference}
	case "rules", "beat", "fail", "interrupt", "bond", "dispute":
		return drawOversight(t, s, account)
	case "fee":
		return SetFee{Fee: corehour.BasisPoints(rapid.Int32Range(0, 3000).Draw(t, "fee"))}
	}
	return Tick{}
}

// drawWork takes a lease that the state holds one step on.
func drawWork(t *rapid.T, s *State) Command {
	if len(s.leases) == 0 {
		return Tick{}
	}
	l := s.leases[rapid.SampledFrom(sortedKeys(s.leases)).Draw(t, "lease to work on")]
	switch l.status {
	case corehour.StatusMatched:
		return AcceptLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusProvisioning:
		return StartLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusActive:
		if rapid.IntRange(0, 2).Draw(t, "end") == 0 {
			return EndLease{Account: rapid.SampledFrom([]corehour.AccountID{l.Provider, l.Consumer}).Draw(t, "by"), Lease: l.ID}
		}
		return drawCharge(t, l, l.ID)
	}
	if l.status == corehour.StatusDisputed && rapid.Bool().Draw(t, "resolve") {
		return ResolveDispute{Lease: l.ID, Credit: corehour.Money(rapid.Int64Range(0, int64(l.charged)).Draw(t, "credit"))}
	}
	if rapid.Bool().Draw(t, "settle") {
		return SettleLease{Lease: l.ID, Charges: int64(len(l.charges))}
	}
	return drawCharge(t, l, l.ID)
}

func owner(l *lease, other corehour.AccountID) corehour.AccountID {
	if l != nil {
		return l.Provider
	}
	return other
}

func drawCharge(t *rapid.T, l *lease, id corehour.LeaseID) Command {
	c := PostCharge{Lease: id, Number: 1, Kind: corehour.ChargeUsage, Amount: corehour.Money(rapid.Int64Range(1, 100_000).Draw(t, "amount"))}
	if l != nil {
		c.Hour, c.Number = l.Start, int64(len(l.charges)+rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(t, "number"))
		if rapid.IntRange(0, 4).Draw(t, "all") == 0 {
			c.Amount = l.Hold - l.charged
		}
	}
	return c
}

// checkQuestions asks for a quote and then places the bid: the quote must be what
// the bid gets, and asking must change nothing.
func checkQuestions(t *rapid.T, s *State, account *rapid.Generator[corehour.AccountID]) {
	c := drawBid(t, s, account)
	c.ClientID, c.PostOnly, c.Session = "", false, "" // a session may time out by then
	before := s.Hash()
	v := s.asOf(s.now + corehour.Instant(rapid.Int64Range(0, 3).Draw(t, "later"))*corehour.MicrosPerMinute)
	v.depth(DepthQuery{Product: c.Product, Region: "r1", CarbonPrice: c.CarbonPrice})
	v.topOfBook(TopQuery{Product: c.Product, CarbonPrice: c.CarbonPrice})
	q, refusal := v.quote(c)
	e, _ := v.explainNew(c)
	for _, id := range sortedKeys(s.bids) {
		b := s.bids[id]
		v.explainOpen(b.Consumer, id)
		open, _ := s.asOf(s.now).explainOpen(b.Consumer, id)
		if entry, _ := s.bookBid(b); len(open.Fills) > 0 && !(entry.MinFill >= entry.Units && entry.Units > 1) {
			t.Fatalf("%s rests though it could have %+v", id, open.Fills)
		}
	}
	if s.Hash() != before {
		t.Fatalf("asking about %+v changed the state", c)
	}
	checkInvariants(t, s)
	if fmt.Sprint(q) != fmt.Sprint(e.Quote) {
		t.Fatalf("quote %+v, explanation %+v", q, e.Quote)
	}
	copied, err := decodeState(s.encode())
	if err != nil {
		t.Fatal(err)
	}
	consumer := copied.accountNamed[c.Consumer]
	consumer.available, consumer.halted, consumer.limits, copied.limits = corehour.MaxMoney, nil, nil, nil
	reply := copied.apply(v.now, c, marshal(c))
	if reply.Rejected() != refusal.Rejected() || reply.Code != refusal.Code {
		t.Fatalf("asked %+v: quote %+v, answer %+v", c, refusal, reply)
	}
	if reply.Rejected() || v.now != s.now { // later, deadlines pass first
		return
	}
	if len(reply.Fills) != len(q.Fills) || q.Filled != (reply.Closed == corehour.CloseFilled) || !q.Filled && reply.Closed == "" && q.Open != reply.Open {
		t.Fatalf("asked %+v: quote %+v, answer %+v", c, q, reply)
	}
	for i, f := range reply.Fills {
		if f.Lease = 0; f != q.Fills[i] {
			t.Fatalf("asked %+v: quote %+v, answer %+v", c, q, reply)
		}
	}
}

func describeEvents(s *State) string {
	text := ""
	for _, e := range s.events {
		data, err := json.Marshal(e.data)
		if err != nil {
			panic(err)
		}
		text += fmt.Sprintln(e.at, e.typ, e.subject, string(data))
	}
	return text
}
