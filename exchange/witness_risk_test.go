package exchange

import (
	"maps"
	"math/big"

	"github.com/corehour/corehour"
)

// riskWitness follows what events say about credit, limits, halts and sessions, and
// holds every order and lease against it.
type riskWitness struct {
	credit    map[corehour.AccountID]corehour.Money
	limits    map[corehour.AccountID]*corehour.Limits // "" is the exchange
	halted    map[string]bool                         // by scope and name
	sessions  map[string]bool                         // open, by account and name
	open      map[corehour.OfferID]corehour.Offer
	holds     map[corehour.BidID]corehour.Money
	spent     map[corehour.AccountID]corehour.Money // today
	spentDay  map[corehour.AccountID]int64
	orders    map[corehour.AccountID][]corehour.Instant // placed or amended under the present limits
	last      map[corehour.ProductID]corehour.Price
	amended   corehour.AccountID                    // by the present command
	lastAtAll map[corehour.ProductID]corehour.Price // before the present command
}

func newRiskWitness() riskWitness {
	return riskWitness{
		credit: make(map[corehour.AccountID]corehour.Money), limits: make(map[corehour.AccountID]*corehour.Limits),
		halted: make(map[string]bool), sessions: make(map[string]bool), open: make(map[corehour.OfferID]corehour.Offer),
		holds: make(map[corehour.BidID]corehour.Money), spent: make(map[corehour.AccountID]corehour.Money),
		spentDay: make(map[corehour.AccountID]int64), orders: make(map[corehour.AccountID][]corehour.Instant),
		last: make(map[corehour.ProductID]corehour.Price),
	}
}

func (w *witness) limitsOf(a corehour.AccountID) corehour.Limits {
	if l := w.risk.limits[a]; l != nil {
		return *l
	}
	if l := w.risk.limits[""]; l != nil {
		return *l
	}
	return corehour.Limits{}
}

// seeRisk takes in an event after the funds have followed it.
func (w *witness) seeRisk(e pendingEvent) {
	w.t.Helper()
	r := &w.risk
	switch d := e.data.(type) {
	case corehour.CreditSet:
		r.credit[d.Account] = d.Limit
	case corehour.LimitsSet:
		r.limits[d.Account] = d.Limits
		clear(r.orders) // another bucket
	case corehour.Halt:
		r.halted[subjectOf(d.Scope, d.Name)] = true
	case corehour.TradingResumed:
		if !r.halted[subjectOf(d.Scope, d.Name)] {
			w.t.Fatalf("%s resumed, it was not halted", e.subject)
		}
		delete(r.halted, subjectOf(d.Scope, d.Name))
	case corehour.SessionOpened:
		if r.sessions[e.subject] {
			w.t.Fatalf("%s was opened twice", e.subject)
		}
		r.sessions[e.subject] = true
	case corehour.SessionClosed:
		w.seeSessionClosed(e.subject, &d)
	case corehour.FundsMoved:
		if e.typ == corehour.EventFundsPaidOut && w.funds[d.Account].available < 0 {
			w.t.Fatalf("%s was paid out of credit", d.Account)
		}
	case corehour.Offer:
		r.open[d.ID] = d
		w.checkTrades(d.ID.String(), d.Product, d.Provider, d.Session)
		w.checkOffer(&d)
	case corehour.OfferAmended:
		w.seeOfferAmended(&d.Offer)
	case corehour.OfferClosed:
		delete(r.open, d.Offer)
	case corehour.BidPlaced:
		r.holds[d.ID] = d.Hold
		if d.CoverOf != 0 {
			w.checkCoverBid(&d.Bid)
			return
		}
		w.checkTrades(d.ID.String(), d.Product, d.Consumer, d.Session)
		w.checkBid(&d.Bid)
		w.checkHold(e.at, d.Consumer)
	case corehour.BidAmended:
		r.holds[d.ID] = d.Hold
		w.checkBidAmended(e.at, &d)
	case corehour.LeaseMatched:
		w.seeRiskOfMatch(e.at, &d)
	case corehour.BidClosed:
		delete(r.holds, d.Bid)
	}
}

// checkCoverBid looks at a bid that the exchange places for a lease that has failed. It
// may come while its product is halted, and rests then; limits are not for it.
func (w *witness) checkCoverBid(b *corehour.Bid) {
	w.t.Helper()
	if w.risk.halted["account/"+string(b.Consumer)] || b.Session != "" {
		w.t.Fatalf("%s of %s covers %s in session %q while %v were halted", b.ID, b.Consumer, b.CoverOf, b.Session, w.risk.halted)
	}
}

func (w *witness) checkTrades(order string, p corehour.ProductID, a corehour.AccountID, session corehour.SessionID) {
	w.t.Helper()
	r := &w.risk
	if r.halted["exchange"] || r.halted["product/"+string(p)] || r.halted["account/"+string(a)] {
		w.t.Fatalf("%s of %s came while %v were halted", order, a, r.halted)
	}
	if session != "" && !r.sessions[string(a)+"/"+string(session)] {
		w.t.Fatalf("%s is of session %s of %s, which is over", order, session, a)
	}
}

// checkOrder does the arithmetic of the collar in numbers of any size.
func (w *witness) checkOrder(order string, a corehour.AccountID, p corehour.ProductID, units corehour.Units, price corehour.Price) {
	w.t.Helper()
	l, last := w.limitsOf(a), w.risk.lastAtAll[p]
	if l.OrderUnits > 0 && units > l.OrderUnits {
		w.t.Fatalf("%s of %s has %d units, limit %d", order, a, units, l.OrderUnits)
	}
	distance := new(big.Int).Abs(big.NewInt(int64(price - last)))
	distance.Mul(distance, big.NewInt(10_000))
	if most := new(big.Int).Mul(big.NewInt(int64(last)), big.NewInt(int64(l.PriceCollar))); l.PriceCollar > 0 && last > 0 && distance.Cmp(most) > 0 {
		w.t.Fatalf("%s of %s at %s is further than %d bps from %s", order, a, price, l.PriceCollar, last)
	}
}

func (w *witness) checkOffer(o *corehour.Offer) {
	w.t.Helper()
	if w.risk.halted["provider/"+string(o.Provider)] {
		w.t.Fatalf("%s came while its provider was halted", o.ID)
	}
	w.checkOrder(o.ID.String(), o.Provider, o.Product, o.Units, o.Price)
}

func (w *witness) checkBid(b *corehour.Bid) {
	w.t.Helper()
	w.checkOrder(b.ID.String(), b.Consumer, b.Product, b.Units, b.Limit)
	cost := big.NewInt(int64(b.Limit) * int64(b.Units))
	cost.Mul(cost, big.NewInt(int64(b.Duration))).Div(cost, big.NewInt(60))
	if most := w.limitsOf(b.Consumer).OrderNotional; most > 0 && cost.Cmp(big.NewInt(int64(most))) > 0 {
		w.t.Fatalf("%s of %s may cost %s nano, limit %s", b.ID, b.Consumer, cost, most)
	}
}

// checkHold looks at an account whose hold has just grown.
func (w *witness) checkHold(at corehour.Instant, a corehour.AccountID) {
	w.t.Helper()
	r := &w.risk
	if f := w.funds[a]; f.available < -r.credit[a] {
		w.t.Fatalf("%s holds beyond its credit of %s: available %s", a, r.credit[a], f.available)
	}
	sum := corehour.Money(0)
	if r.spentDay[a] == at.Day() {
		sum = r.spent[a]
	}
	for id, hold := range r.holds {
		if w.bids[id].Consumer == a {
			sum += hold
		}
	}
	if most := w.limitsOf(a).SpendPerDay; most > 0 && sum > most {
		w.t.Fatalf("%s may spend %s today, its limit is %s", a, sum, most)
	}
}

// checkBidAmended looks at new terms and at those of before.
func (w *witness) checkBidAmended(at corehour.Instant, d *corehour.BidAmended) {
	w.t.Helper()
	old := w.bids[d.ID].before
	r := &w.risk
	if r.halted["exchange"] || r.halted["product/"+string(d.Product)] {
		w.t.Fatalf("%s was amended while %v were halted", d.ID, r.halted)
	}
	if d.HoldChange > 0 {
		w.checkHold(at, d.Consumer)
	}
	if old.Limit == d.Limit && old.EarliestStart == d.EarliestStart && old.LatestEnd == d.LatestEnd && old.CarbonPrice == d.CarbonPrice && d.Units <= old.Units {
		return // fewer units alone, or what the witness cannot tell from that
	}
	if r.halted["account/"+string(d.Consumer)] {
		w.t.Fatalf("%s was amended while its account was halted", d.ID)
	}
	w.checkBid(&d.Bid)
	w.risk.amended = d.Consumer
}

func (w *witness) seeOfferAmended(o *corehour.Offer) {
	w.t.Helper()
	old, r := w.risk.open[o.ID], &w.risk
	r.open[o.ID] = *o
	if r.halted["exchange"] || r.halted["product/"+string(o.Product)] {
		w.t.Fatalf("%s was amended while %v were halted", o.ID, r.halted)
	}
	if old.Units = min(old.Units, max(o.Units, 0)); old == *o {
		return // fewer units alone
	}
	if r.halted["account/"+string(o.Provider)] {
		w.t.Fatalf("%s was amended while its account was halted", o.ID)
	}
	w.checkOffer(o)
	w.risk.amended = o.Provider
}

func (w *witness) seeRiskOfMatch(at corehour.Instant, d *corehour.LeaseMatched) {
	w.t.Helper()
	r := &w.risk
	if r.halted["exchange"] || r.halted["product/"+string(d.Product)] || r.halted["provider/"+string(d.Provider)] {
		w.t.Fatalf("%s was matched while %v were halted", d.ID, r.halted)
	}
	r.last[d.Product] = d.Price
	r.holds[d.Lease.Bid] -= d.Hold + d.Released - d.FromBond
	if a := d.Consumer; r.spentDay[a] != at.Day() {
		r.spentDay[a], r.spent[a] = at.Day(), 0
	}
	r.spent[d.Consumer] += d.Hold - d.FromBond
}

func (w *witness) seeSessionClosed(subject string, d *corehour.SessionClosed) {
	w.t.Helper()
	if !w.risk.sessions[subject] {
		w.t.Fatalf("%s was closed, it was not open", subject)
	}
	delete(w.risk.sessions, subject)
	for _, b := range w.bids {
		if b.closed == "" && b.Consumer == d.Account && b.Session == d.Session {
			if d.Cancelled {
				w.t.Fatalf("%s is open though its session is over", b.ID)
			}
			b.Session = ""
		}
	}
	for id, o := range w.risk.open {
		if o.Provider == d.Account && o.Session == d.Session {
			if d.Cancelled {
				w.t.Fatalf("%s is open though its session is over", id)
			}
			o.Session = ""
			w.risk.open[id] = o
		}
	}
}

// countOrders looks at a command as a whole: how many orders its account has now,
// and how fast it placed them.
func (w *witness) countOrders(events []pendingEvent) {
	w.t.Helper()
	r := &w.risk
	who, rests := r.amended, false
	var at corehour.Instant
	for _, e := range events {
		switch d := e.data.(type) {
		case corehour.BidPlaced:
			if d.CoverOf != 0 {
				continue
			}
			who, rests = d.Consumer, rests || d.TimeInForce == corehour.GoodTillCancelled || d.TimeInForce == corehour.GoodTillTime
		case corehour.Offer:
			who, rests = d.Provider, true
		}
		at = e.at
	}
	r.amended = ""
	if who == "" {
		return
	}
	l, open := w.limitsOf(who), int64(0)
	for _, b := range w.bids {
		if b.closed == "" && b.Consumer == who {
			open++
		}
	}
	for _, o := range r.open {
		if o.Provider == who {
			open++
		}
	}
	if rests && l.OpenOrders > 0 && open > l.OpenOrders {
		w.t.Fatalf("%s has %d open orders, limit %d", who, open, l.OpenOrders)
	}
	r.orders[who] = append(r.orders[who], at)
	placed := r.orders[who]
	for i, since := range placed {
		// A bucket that was full holds a second's orders, and is given so many a second.
		if n := int64(len(placed) - i); l.OrdersPerSecond > 0 && (n-l.OrdersPerSecond)*1_000_000 > l.OrdersPerSecond*int64(at-since) {
			w.t.Fatalf("%s placed %d orders since %s, limit %d per second", who, n, since, l.OrdersPerSecond)
		}
	}
}

func (w *witness) beginCommand() { w.risk.lastAtAll = maps.Clone(w.risk.last) }
