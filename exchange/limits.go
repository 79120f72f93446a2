package exchange

import (
	"fmt"

	"github.com/corehour/corehour"
)

// orderRate is a bucket of orders: each takes out a million millionths, and the
// account's orders per second are how many millionths a microsecond puts back. It
// is kept as what is missing, so that one that was never used is full.
type orderRate struct {
	missing int64
	at      corehour.Instant
}

const wholeOrder = int64(corehour.MicrosPerSecond)

// missingAt is what is missing at an instant, at so many orders per second.
func (r *orderRate) missingAt(now corehour.Instant, perSecond int64) int64 {
	// Within a second any bucket fills up. What is missing is never more than the
	// bucket has room for, also where it was larger before.
	elapsed := min(int64(now-r.at), wholeOrder)
	return max(0, min(r.missing, perSecond*wholeOrder)-elapsed*perSecond)
}

// take counts an order.
func (r *orderRate) take(now corehour.Instant, perSecond int64) {
	r.missing, r.at = r.missingAt(now, perSecond)+wholeOrder, now
}

// limitsOf are the limits of an account: its own or those of the exchange, nil
// where there are neither.
func (s *State) limitsOf(a *account) *corehour.Limits {
	if a.limits != nil {
		return a.limits
	}
	return s.limits
}

func (s *State) setLimits(c SetLimits) Reply {
	place := &s.limits
	if c.Account != "" {
		a := s.accountNamed[c.Account]
		if a == nil {
			return reject(CodeUnknownAccount, "account", "there is no such account")
		}
		place = &a.limits
	}
	if refusal := checkLimits(c.Limits); refusal.Rejected() {
		return refusal
	}
	if *place == c.Limits || *place != nil && c.Limits != nil && **place == *c.Limits {
		return Reply{}
	}
	*place = nil
	if c.Limits != nil {
		limits := *c.Limits
		*place = &limits
	}
	subject := string(c.Account)
	if subject == "" {
		subject = string(corehour.HaltExchange)
	}
	s.emit(corehour.EventLimitsSet, subject, corehour.LimitsSet{Account: c.Account, Limits: c.Limits})
	return Reply{}
}

func checkLimits(l *corehour.Limits) Reply {
	switch {
	case l == nil:
	case l.OrderUnits < 0 || l.OrderUnits > corehour.MaxUnits:
		return reject(CodeOutOfRange, "order_units", "units are 0 to 1000000")
	case l.OrderNotional < 0 || l.OrderNotional > corehour.MaxMoney:
		return reject(CodeOutOfRange, "order_notional", "an amount is 0 to a billion")
	case l.OpenOrders < 0 || l.OpenOrders > corehour.MaxOpenOrders:
		return reject(CodeOutOfRange, "open_orders", "open orders are 0 to 8000000")
	case l.OrdersPerSecond < 0 || l.OrdersPerSecond > corehour.MaxOrdersPerSecond:
		return reject(CodeOutOfRange, "orders_per_second", "orders per second are 0 to 1000000")
	case l.PriceCollar < 0 || l.PriceCollar > corehour.MaxPriceCollar:
		return reject(CodeOutOfRange, "price_collar_bps", "a collar is 0 to 1000000 basis points")
	case l.SpendPerDay < 0 || l.SpendPerDay > corehour.MaxMoney:
		return reject(CodeOutOfRange, "spend_per_day", "an amount is 0 to a billion")
	}
	return Reply{}
}

// request is what an account asks for with one command, as its limits see it.
type request struct {
	orders int            // more that may be in the book then
	hold   corehour.Money // more that is held then
}

// withinLimits refuses a command that goes beyond a limit of its account. What
// belongs to one order is looked at by bidWithin and offerWithin.
func (s *State) withinLimits(l *corehour.Limits, a *account, r request) Reply {
	if open := int64(a.bids.Len() + a.offers.Len() + r.orders); l.OpenOrders > 0 && r.orders > 0 && open > l.OpenOrders {
		return reject(CodeOpenOrdersLimit, "",
			fmt.Sprintf("the account's limit is %d open orders, it would have %d", l.OpenOrders, open))
	}
	if per := l.OrdersPerSecond; per > 0 && a.rate.missingAt(s.now, per)+wholeOrder > per*wholeOrder {
		return reject(CodeOrderRateLimit, "",
			fmt.Sprintf("the account's limit is %d orders per second; try again within a second", per))
	}
	if r.hold > 0 && l.SpendPerDay > 0 {
		spent := a.spentOn(s.now)
		// Each is at most what is held in all, which is within Money; their sum need not be.
		if left := l.SpendPerDay - min(spent, l.SpendPerDay); a.bidding > left || r.hold > left-a.bidding {
			return reject(CodeDailySpendLimit, "", fmt.Sprintf(
				"the account's limit is %s per UTC day; leases matched today took %s, open bids may take %s, this %s more",
				l.SpendPerDay, spent, a.bidding, r.hold))
		}
	}
	return Reply{}
}

// counted notes an order that was placed or amended.
func (s *State) counted(l *corehour.Limits, a *account) {
	if l != nil && l.OrdersPerSecond > 0 {
		a.rate.take(s.now, l.OrdersPerSecond)
	}
}

func (s *State) bidWithin(l *corehour.Limits, b *corehour.Bid) Reply {
	if refusal := s.orderWithin(l, b.Product, b.Units, b.Limit, "limit_price"); refusal.Rejected() {
		return refusal
	}
	if l.OrderNotional > 0 {
		if cost := corehour.Cost(b.Limit, b.Units, b.Duration); cost > l.OrderNotional {
			return reject(CodeOrderNotionalLimit, "limit_price", fmt.Sprintf(
				"the account's limit is %s for one bid, limit price x units x duration is %s", l.OrderNotional, cost))
		}
	}
	return Reply{}
}

func (s *State) offerWithin(l *corehour.Limits, o *corehour.Offer) Reply {
	return s.orderWithin(l, o.Product, o.Units, o.Price, "price")
}

func (s *State) orderWithin(l *corehour.Limits, p corehour.ProductID, units corehour.Units, price corehour.Price, field string) Reply {
	if l.OrderUnits > 0 && units > l.OrderUnits {
		return reject(CodeOrderUnitsLimit, "units",
			fmt.Sprintf("the account's limit is %d units in one order, this has %d", l.OrderUnits, units))
	}
	if l.PriceCollar == 0 {
		return Reply{}
	}
	if last := s.productNamed[p].lastPrice; last > 0 && !price.Within(last, l.PriceCollar) {
		return reject(CodePriceCollar, field, fmt.Sprintf(
			"the account's limit is %d basis points from the last trade at %s, this is %s", l.PriceCollar, last, price))
	}
	return Reply{}
}

// spentOn is what leases that were matched on the day of an instant held.
func (a *account) spentOn(at corehour.Instant) corehour.Money {
	if a.spentDay != at.Day() {
		return 0
	}
	return a.spent
}

// spends notes a lease that was matched.
func (a *account) spends(at corehour.Instant, hold corehour.Money) {
	a.spent = a.spentOn(at) + hold
	a.spentDay = at.Day()
}
