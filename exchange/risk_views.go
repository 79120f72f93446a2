package exchange

import (
	"context"

	"github.com/corehour/corehour"
)

// Limits, halts and sessions are read from the state itself, like accounts.

// LimitsView is what bounds an account, and how much of it is used.
type LimitsView struct {
	Account corehour.AccountID `json:"account"`
	// Own says whether these are limits of its own; else they are the exchange's.
	Own    bool            `json:"own"`
	Limits corehour.Limits `json:"limits"`
	Usage  LimitsUsage     `json:"usage"`
}

// LimitsUsage is what counts against limits at a moment.
type LimitsUsage struct {
	OpenOrders int64 `json:"open_orders"`
	// OrdersLeft is how many orders may come at once now; absent without a limit.
	OrdersLeft *int64 `json:"orders_left,omitempty"`
	// OpenBids is what open bids hold, MatchedToday what the leases held that were
	// matched this UTC day: together they are held against spend_per_day.
	OpenBids     corehour.Money `json:"open_bids"`
	MatchedToday corehour.Money `json:"matched_today"`
}

// SessionView is an open session.
type SessionView struct {
	Account            corehour.AccountID `json:"account"`
	Session            corehour.SessionID `json:"session"`
	Timeout            corehour.Seconds   `json:"timeout_seconds"`
	CancelOnDisconnect bool               `json:"cancel_on_disconnect"`
	OpenedAt           corehour.Instant   `json:"opened_at"`
	// EndsAt is when it ends if no heartbeat comes before; absent where it waits for ever.
	EndsAt     corehour.Instant `json:"ends_at,omitzero"`
	OpenOrders int64            `json:"open_orders"`
}

// Limits is what bounds an account, by the clock's time.
func (x *Exchange) Limits(_ context.Context, id corehour.AccountID) (LimitsView, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	a := x.state.accountNamed[id]
	if a == nil {
		return LimitsView{}, notFound("account")
	}
	return x.asked().limitsView(a), nil
}

func (v *view) limitsView(a *account) LimitsView {
	out := LimitsView{Account: a.id, Own: a.limits != nil, Usage: LimitsUsage{
		OpenOrders: int64(a.bids.Len() + a.offers.Len()), OpenBids: a.bidding, MatchedToday: a.spentOn(v.now),
	}}
	if l := v.limitsOf(a); l != nil {
		out.Limits = *l
		if per := l.OrdersPerSecond; per > 0 {
			left := per - (a.rate.missingAt(v.now, per)+wholeOrder-1)/wholeOrder
			out.Usage.OrdersLeft = &left
		}
	}
	return out
}

// DefaultLimits are those of accounts without their own.
func (x *Exchange) DefaultLimits(context.Context) (corehour.Limits, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.state.limits == nil {
		return corehour.Limits{}, nil
	}
	return *x.state.limits, nil
}

// Halts lists what is halted: the exchange, then products, then accounts.
func (x *Exchange) Halts(context.Context) ([]corehour.Halt, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.halts(), nil
}

// Sessions lists an account's open sessions in the order in which they were opened.
func (x *Exchange) Sessions(_ context.Context, id corehour.AccountID) ([]SessionView, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	a := x.state.accountNamed[id]
	if a == nil {
		return nil, nil
	}
	views := make([]SessionView, len(a.sessions))
	for i, s := range a.sessions {
		views[i] = SessionView{
			Account: id, Session: s.name, Timeout: s.timeout, CancelOnDisconnect: s.cancelOnDisconnect,
			OpenedAt: s.openedAt, EndsAt: s.endsAt, OpenOrders: int64(s.orders()),
		}
	}
	return views, nil
}

// bidsInSessions adds to what SQL says of bids the sessions of those that are open.
func (x *Exchange) bidsInSessions(views []BidView) []BidView {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i := range views {
		if b := x.state.bids[views[i].ID]; b != nil {
			views[i].Session = b.Session
		}
	}
	return views
}

// offersInSessions is bidsInSessions for offers.
func (x *Exchange) offersInSessions(views []OfferView) []OfferView {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i := range views {
		if o := x.state.offers[views[i].ID]; o != nil {
			views[i].Session = o.Session
		}
	}
	return views
}
