package exchange

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/corehour/corehour"
)

// rush is a market in which nearly every order could trade, so that limits, halts
// and sessions are all there is to stop it.
type rush struct {
	*rand.Rand
	t              *testing.T
	live, restored *State
	witness        *witness
	at             corehour.Instant
	seen           map[string]int
}

// TestState_LimitsHaltsAndSessionsHoldInARush: whatever they stop is seen to be
// stopped, from the events alone, and no bid is left that could have a lease.
func TestState_LimitsHaltsAndSessionsHoldInARush(t *testing.T) {
	seen := make(map[string]int)
	for seed := range uint64(90) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := &rush{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, live: NewState(), restored: NewState(), seen: seen}
			r.witness = newWitness(t)
			for _, c := range smallMarket() {
				r.apply(c)
			}
			r.apply(PayOut{Account: "d", Amount: 50*corehour.NanoPerUnit - 2_000_000, Reference: "poor"})
			for range 300 {
				r.pass()
				r.apply(r.command())
			}
		})
	}
	for _, code := range []corehour.Code{
		CodeOrderUnitsLimit, CodeOrderNotionalLimit, CodeOpenOrdersLimit, CodeOrderRateLimit, CodePriceCollar, CodeDailySpendLimit,
		CodeTradingHalted, CodeAccountHalted, CodeProviderHalted, CodeNotYours, CodeUnknownSession, CodeInsufficientFunds,
	} {
		if seen[string(code)] < 5 {
			t.Errorf("%s came %d times", code, seen[string(code)])
		}
	}
	for _, what := range []string{
		"resume fills exchange", "resume fills product", "resume fills provider", string(corehour.CloseHalted),
		string(corehour.CloseSessionEnded), "credit is used", string(corehour.SessionTimedOut), string(corehour.SessionClosedByOwner),
	} {
		if seen[what] < 2 {
			t.Errorf("%s was seen %d times", what, seen[what])
		}
	}
}

func (r *rush) apply(c Command) {
	r.t.Helper()
	body := marshal(c)
	reply := r.live.apply(r.at, c, body)
	again := r.restored.apply(r.at, c, body)
	if fmt.Sprint(reply) != fmt.Sprint(again) || describeEvents(r.live) != describeEvents(r.restored) {
		r.t.Fatalf("%+v: live answers %+v, the restored state %+v", c, reply, again)
	}
	checkInvariants(r.t, r.live)
	r.witness.see(r.live.events)
	r.witness.compare(r.live)
	r.note(c, &reply)
	r.checkNothingRests()
	if r.IntN(50) == 0 {
		restored, err := decodeState(r.live.encode())
		if err != nil || restored.Hash() != r.live.Hash() {
			r.t.Fatalf("the state does not come back from its image: %v", err)
		}
		r.restored = restored
	}
}

func (r *rush) note(c Command, reply *Reply) {
	r.seen[string(reply.Code)]++
	if resumed, ok := c.(Resume); ok && len(reply.Fills) > 0 {
		r.seen["resume fills "+string(resumed.Scope)]++
	}
	for _, e := range r.live.events {
		switch d := e.data.(type) {
		case corehour.BidClosed:
			r.seen[string(d.Reason)]++
		case corehour.SessionClosed:
			r.seen[string(d.Reason)]++
		case corehour.BidPlaced:
			if r.live.accountNamed[d.Consumer].available < 0 {
				r.seen["credit is used"]++
			}
		}
	}
}

// checkNothingRests looks for a bid of a product that trades and could have a lease.
func (r *rush) checkNothingRests() {
	r.t.Helper()
	for id, b := range r.live.bids {
		entry, _ := r.live.bookBid(b) // its names were known when it was placed
		if p := r.live.productNamed[b.Product]; r.live.haltOf(p) == nil {
			if fills := p.book.Quote(r.live.startable(), entry); len(fills) > 0 {
				r.t.Fatalf("%s rests though it could have %+v", id, fills)
			}
		}
	}
}

func (r *rush) pass() {
	switch r.IntN(8) {
	case 0:
		r.at += corehour.Instant(r.Int64N(int64(2 * corehour.MicrosPerMinute)))
	case 1, 2, 3:
		r.at += corehour.Instant(r.Int64N(700_000))
	case 4:
		if r.IntN(20) == 0 {
			r.at += corehour.Instant(r.Int64N(int64(corehour.MinutesPerDay))) * corehour.MicrosPerMinute
		}
	}
}

func (r *rush) command() Command {
	who := []corehour.AccountID{"a", "b", "c", "d"}[r.IntN(4)]
	if len(r.live.halts()) > 0 && r.IntN(3) == 0 {
		return r.work() // what comes free now has to wait
	}
	switch n := r.IntN(100); {
	case n < 9:
		return r.offer(who)
	case n < 46:
		return r.bid(who)
	case n < 49:
		one, other := r.bid(who), r.bid(who)
		one.Session, other.Session = "", ""
		return PlaceBidGroup{Consumer: who, Session: r.session(who), Bids: []PlaceBid{one, other}}
	case n < 55:
		return r.amendment()
	case n < 77:
		return r.work()
	case n < 79:
		return SetIntensity{Zone: "FI", From: hourOf(r.live.startable()), Values: []corehour.Intensity{corehour.Intensity(r.IntN(200_000))}}
	}
	return r.risk(who)
}

func (r *rush) product() corehour.ProductID { return []corehour.ProductID{"cpu", "gpu"}[r.IntN(2)] }

// session is one that the account has open, or none, or now and then one that is not.
func (r *rush) session(who corehour.AccountID) corehour.SessionID {
	open := r.live.accountNamed[who].sessions
	switch n := r.IntN(24); {
	case n == 0:
		return "u"
	case n < 10 && len(open) > 0:
		return open[n%len(open)].name
	}
	return ""
}

func (r *rush) offer(who corehour.AccountID) Command {
	start := r.live.startable()
	return PlaceOffer{
		Product: r.product(), Provider: who, Region: "r1", Units: corehour.Units(1 + r.IntN(4)), To: start.Add(corehour.Minutes(60 + r.IntN(400))),
		Price: corehour.Price(1000+r.IntN(300)) * corehour.Tick, Energy: corehour.Energy(1000 * r.IntN(3)), Session: r.session(who),
	}
}

func (r *rush) bid(who corehour.AccountID) PlaceBid {
	duration := corehour.Minutes(30 + r.IntN(90))
	b := PlaceBid{
		Product: r.product(), Consumer: who, Units: corehour.Units(1 + r.IntN(10)), Duration: duration, LatestEnd: r.live.startable().Add(duration + corehour.Minutes(r.IntN(200))),
		Limit: corehour.Price(1000+r.IntN(500)) * corehour.Tick, Session: r.session(who), TimeInForce: corehour.TimeInForce(1 + 2*(r.IntN(5)/4)),
	}
	if r.IntN(3) == 0 {
		carbonCap := corehour.CarbonRate(r.IntN(200_000))
		b.MaxCarbon = &carbonCap
	}
	return b
}

func (r *rush) amendment() Command {
	if len(r.live.bids) > 0 && r.IntN(3) > 0 {
		b := r.live.bids[sortedKeys(r.live.bids)[r.IntN(len(r.live.bids))]]
		c, units := AmendBid{Consumer: b.Consumer, Bid: b.ID}, b.Units+corehour.Units(r.IntN(5))-2
		limit := corehour.Price(1000+r.IntN(500)) * corehour.Tick
		if r.IntN(2) == 0 {
			c.Limit = &limit
		} else {
			c.Units = &units
		}
		return c
	}
	if len(r.live.offers) == 0 {
		return Tick{}
	}
	o := r.live.offers[sortedKeys(r.live.offers)[r.IntN(len(r.live.offers))]]
	c, units := AmendOffer{Provider: o.Provider, Offer: o.ID}, max(1, o.Units+corehour.Units(r.IntN(5))-2)
	price := corehour.Price(1000+r.IntN(300)) * corehour.Tick
	if r.IntN(2) == 0 {
		c.Price = &price
	} else {
		c.Units = &units
	}
	return c
}

// work takes a lease one step on; many end early.
func (r *rush) work() Command {
	if len(r.live.leases) == 0 {
		return Tick{}
	}
	ids := sortedKeys(r.live.leases)
	l := r.live.leases[ids[r.IntN(len(ids))]]
	for _, id := range ids {
		if len(r.live.halts()) > 0 && r.live.leases[id].status == corehour.StatusActive {
			l = r.live.leases[id]
		}
	}
	switch l.status {
	case corehour.StatusMatched:
		return AcceptLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusProvisioning:
		return StartLease{Provider: l.Provider, Lease: l.ID}
	case corehour.StatusActive:
		if r.IntN(4) == 0 && l.charged < l.Hold {
			return PostCharge{Lease: l.ID, Number: int64(len(l.charges)) + 1, Kind: corehour.ChargeUsage, Hour: l.Start, Amount: l.Hold - l.charged}
		}
		return EndLease{Account: l.Consumer, Lease: l.ID}
	}
	return SettleLease{Lease: l.ID, Charges: int64(len(l.charges))}
}

func (r *rush) risk(who corehour.AccountID) Command {
	switch r.IntN(10) {
	case 0:
		if r.IntN(2) == 0 {
			who = "d"
		}
		return SetCredit{Account: who, Limit: corehour.Money(r.Int64N(20_000_000))}
	case 1:
		return r.limits(who)
	case 2, 3:
		return r.halt(who)
	case 4, 5:
		return Heartbeat{Account: who, Session: "s"}
	case 6:
		return CloseSession{Account: who, Session: "s"}
	}
	return OpenSession{Account: who, Session: []corehour.SessionID{"s", "t"}[r.IntN(2)], Timeout: corehour.Seconds(r.IntN(3) * 40), CancelOnDisconnect: r.IntN(2) == 0}
}

func (r *rush) limits(who corehour.AccountID) Command {
	if r.IntN(4) == 0 {
		who = ""
	}
	if r.IntN(3) > 0 {
		return SetLimits{Account: who}
	}
	var l corehour.Limits
	for range 2 {
		switch r.IntN(6) {
		case 0:
			l.OrderUnits = corehour.Units(1 + r.IntN(10))
		case 1:
			l.OrderNotional = corehour.Money(1 + r.IntN(20_000_000))
		case 2:
			l.OpenOrders = int64(1 + r.IntN(4))
		case 3:
			l.OrdersPerSecond = 1
		case 4:
			l.PriceCollar = corehour.BasisPoints(r.IntN(3000))
		case 5:
			l.SpendPerDay = corehour.Money(1 + r.IntN(60_000_000))
		}
	}
	return SetLimits{Account: who, Limits: &l}
}

func (r *rush) halt(who corehour.AccountID) Command {
	if halts := r.live.halts(); len(halts) > 0 && r.IntN(4) > 0 {
		h := halts[r.IntN(len(halts))]
		return Resume{Scope: h.Scope, Name: h.Name, By: who, Operator: r.IntN(3) > 0}
	}
	c := Halt{By: who, Name: string(who), Operator: r.IntN(3) > 0, CancelOrders: r.IntN(10) == 0}
	switch r.IntN(8) {
	case 0:
		c.Scope, c.Name = corehour.HaltExchange, ""
	case 1, 2, 3:
		c.Scope, c.Name = corehour.HaltProduct, string(r.product())
	case 4:
		c.Scope = corehour.HaltAccount
	default:
		c.Scope = corehour.HaltProvider
	}
	return c
}
