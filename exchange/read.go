package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/corehour/corehour"
)

// Reads of orders and leases come from SQL; each first waits until the
// projection has reached what was applied before the read began, so that a
// caller sees at least what it has been answered. Reads of accounts and of the
// catalogue come from the state itself.

// Account is an account and its funds.
func (x *Exchange) Account(ctx context.Context, id corehour.AccountID) (view AccountView, err error) {
	known := false
	err = x.read(ctx, func(s *State) {
		if a := s.accountNamed[id]; a != nil {
			view, known = a.view(), true
		}
	})
	if err == nil && !known {
		err = notFound("account")
	}
	return view, err
}

// Accounts lists accounts in the order of their ids.
func (x *Exchange) Accounts(ctx context.Context, after corehour.AccountID, limit int) (views []AccountView, err error) {
	views = make([]AccountView, 0, page(limit))
	err = x.read(ctx, func(s *State) {
		ids := make([]corehour.AccountID, 0, len(s.accounts))
		for _, a := range s.accounts {
			if a.id > after {
				ids = append(ids, a.id)
			}
		}
		slices.Sort(ids)
		for _, id := range ids[:min(page(limit), len(ids))] {
			views = append(views, s.accountNamed[id].view())
		}
	})
	return views, err
}

// Funds yields every account's funds as of one point of the log, and that point.
func (x *Exchange) Funds(each func(AccountView)) (sequence uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, a := range x.state.accounts {
		each(a.view())
	}
	return x.at.Sequence
}

// Products lists the products in the order of their definition.
func (x *Exchange) Products(ctx context.Context) (products []corehour.Product, err error) {
	err = x.read(ctx, func(s *State) {
		products = make([]corehour.Product, len(s.products))
		for i, p := range s.products {
			products[i] = p.Product
		}
	})
	return products, err
}

// Regions lists the regions in the order of their definition.
func (x *Exchange) Regions(ctx context.Context) (regions []corehour.Region, err error) {
	err = x.read(ctx, func(s *State) { regions = slices.Clone(s.regions) })
	return regions, err
}

// Fee is the exchange's share of leases matched from now on, as far as this node
// knows.
func (x *Exchange) Fee() corehour.BasisPoints {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.fee
}

// LeaseRules are the rules of leases as they are now; set says whether any were
// ever set.
func (x *Exchange) LeaseRules() (rules corehour.LeaseRules, set bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.state.rules, x.state.rulesSet
}

// Oversight is what the exchange asks of providers, and what it knows of their
// heartbeats.
func (x *Exchange) Oversight(context.Context) (OversightView, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	c := &x.state.control
	return OversightView{Rules: x.state.rules, Watched: c.watched, Suspect: c.suspect, ControlLost: c.lost}, nil
}

// Projected waits until what has been applied by now can be read from SQL.
func (x *Exchange) Projected(ctx context.Context) error {
	return x.projector.wait(ctx, x.applied.Load())
}

// Offer is one offer. An open one is read from the state.
func (x *Exchange) Offer(ctx context.Context, id corehour.OfferID) (view OfferView, err error) {
	open := false
	err = x.read(ctx, func(s *State) {
		if o := s.offers[id]; o != nil {
			view, open = o.view(), true
		}
	})
	if err != nil || open {
		return view, err
	}
	views, err := x.offers(ctx, where("id", "=", int64(id)), 1)
	return one(views, err, "offer")
}

// Offers lists offers.
func (x *Exchange) Offers(ctx context.Context, q OfferQuery) ([]OfferView, error) {
	return x.offers(ctx, where("id", ">", int64(q.After)).equals("product", string(q.Product)).equals("region", string(q.Region)).
		equals("provider", string(q.Provider)).status(q.Status), page(q.Limit))
}

// Bid is one bid. An open one is read from the state.
func (x *Exchange) Bid(ctx context.Context, id corehour.BidID) (view BidView, err error) {
	open := false
	err = x.read(ctx, func(s *State) {
		if b := s.bids[id]; b != nil {
			view, open = b.view(), true
		}
	})
	if err != nil || open {
		return view, err
	}
	views, err := x.bids(ctx, where("id", "=", int64(id)), 1)
	return one(views, err, "bid")
}

// Bids lists bids.
func (x *Exchange) Bids(ctx context.Context, q BidQuery) ([]BidView, error) {
	return x.bids(ctx, where("id", ">", int64(q.After)).equals("consumer", string(q.Consumer)).
		equals("product", string(q.Product)).status(q.Status), page(q.Limit))
}

// Lease is one lease. One that is not settled is read from the state.
func (x *Exchange) Lease(ctx context.Context, id corehour.LeaseID) (view LeaseView, err error) {
	live := false
	err = x.read(ctx, func(s *State) {
		if l := s.leases[id]; l != nil {
			view, live = l.view(), true
		}
	})
	if err != nil || live {
		return view, err
	}
	views, err := x.leases(ctx, where("id", "=", int64(id)), 1)
	return one(views, err, "lease")
}

// Leases lists leases.
func (x *Exchange) Leases(ctx context.Context, q LeaseQuery) ([]LeaseView, error) {
	return x.leases(ctx, where("id", ">", int64(q.After)).equals("consumer", string(q.Consumer)).
		equals("provider", string(q.Provider)).number("bid", int64(q.Bid)).number("offer", int64(q.Offer)).
		equals("status", string(q.Status)), page(q.Limit))
}

func page(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}

func notFound(noun string) error {
	return corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "there is no such %s", noun)
}

func one[V any](views []V, err error, noun string) (V, error) {
	var none V
	if err != nil {
		return none, err
	}
	if len(views) == 0 {
		return none, notFound(noun)
	}
	return views[0], nil
}

// condition is a WHERE clause with its arguments in order.
type condition struct {
	clauses []string
	args    []any
}

func where(column, operator string, value any) *condition {
	return (&condition{}).and(column, operator, value)
}

func (c *condition) and(column, operator string, value any) *condition {
	c.args = append(c.args, value)
	c.clauses = append(c.clauses, column+" "+operator+" $"+strconv.Itoa(len(c.args)))
	return c
}

func (c *condition) equals(column, value string) *condition {
	if value == "" {
		return c
	}
	return c.and(column, "=", value)
}

func (c *condition) number(column string, value int64) *condition {
	if value == 0 {
		return c
	}
	return c.and(column, "=", value)
}

func (c *condition) status(s OrderStatus) *condition {
	switch s {
	case StatusOpen:
		return c.and("closed", "=", "")
	case StatusClosed:
		return c.and("closed", "<>", "")
	}
	return c
}

func query[V any](ctx context.Context, x *Exchange, table string, columns []string, c *condition, limit int,
	scan func(*sql.Rows) (V, error),
) ([]V, error) {
	waiting, cancel := context.WithTimeout(ctx, ReadWithin)
	defer cancel()
	if err := x.current(waiting); err != nil {
		return nil, err
	}
	if err := x.Projected(waiting); err != nil {
		return nil, err
	}
	text := "SELECT " + strings.Join(columns, ", ") + " FROM " + table + " WHERE " + strings.Join(c.clauses, " AND ") +
		" ORDER BY id LIMIT " + strconv.Itoa(limit)
	rows, err := x.cfg.DB.Reader().QueryContext(ctx, text, c.args...)
	if err != nil {
		return nil, corehour.Internal("exchange.read "+table, err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	views := []V{}
	for rows.Next() {
		view, err := scan(rows)
		if err != nil {
			return nil, corehour.Internal("exchange.read "+table, err)
		}
		views = append(views, view)
	}
	if err := rows.Err(); err != nil {
		return nil, corehour.Internal("exchange.read "+table, err)
	}
	return views, nil
}

func (x *Exchange) offers(ctx context.Context, c *condition, limit int) ([]OfferView, error) {
	views, err := query(ctx, x, "exchange_offers", offerColumns, c, limit, func(rows *sql.Rows) (v OfferView, err error) {
		var interruptible, postOnly int64
		err = rows.Scan(&v.ID, &v.Product, &v.Provider, &v.Org, &v.Region, &v.Units, &v.From, &v.To, &v.Price, &v.Carbon,
			&v.SLA, &interruptible, &v.MinFill, &v.MinDuration, &v.TakeOrPay, &v.ClientID, &v.PlacedAt, &v.Energy, &v.Zone,
			&postOnly, &v.Closed, &v.ClosedAt)
		v.Interruptible, v.PostOnly, v.Status = interruptible != 0, postOnly != 0, statusOf(v.Closed)
		return v, err
	})
	return x.offersInSessions(views), err
}

func statusOf(closed corehour.CloseReason) OrderStatus {
	if closed == "" {
		return StatusOpen
	}
	return StatusClosed
}

func (x *Exchange) bids(ctx context.Context, c *condition, limit int) ([]BidView, error) {
	views, err := query(ctx, x, "exchange_bids", bidColumns, c, limit, func(rows *sql.Rows) (v BidView, err error) {
		var interruptible, postOnly, coverInterrupted int64
		var regions, providers, countries, continents string
		err = rows.Scan(&v.ID, &v.Product, &v.Consumer, &v.Org, &v.Units, &v.Duration, &v.EarliestStart, &v.LatestEnd,
			&v.Limit, &regions, &providers, &v.MaxCarbon, &v.CarbonPrice, &v.MinSLA, &interruptible, &v.MinFill, &v.MaxLeases,
			&v.TimeInForce, &v.ExpiresAt, &v.ClientID, &v.PlacedAt, &countries, &continents,
			&v.MaxTakeOrPay, &v.MinPiece, &v.Group, &postOnly, &coverInterrupted, &v.CoverOf, &v.Open, &v.Left,
			&v.Closed, &v.ClosedAt)
		if err != nil {
			return v, err
		}
		v.Interruptible, v.PostOnly, v.CoverInterrupted = interruptible != 0, postOnly != 0, coverInterrupted != 0
		v.Status, v.Filled = statusOf(v.Closed), v.Units-v.Open
		if v.Closed != "" {
			v.Open = 0
		}
		return v, errors.Join(setFrom(regions, &v.Regions), setFrom(countries, &v.Countries),
			setFrom(continents, &v.Continents), setFrom(providers, &v.Providers))
	})
	return x.bidsInSessions(views), err
}

func setFrom[T ~string](text string, into *corehour.Allowed[T]) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("set of names: %w", err)
	}
	return nil
}

func (x *Exchange) leases(ctx context.Context, c *condition, limit int) ([]LeaseView, error) {
	return query(ctx, x, "exchange_leases", leaseColumns, c, limit, func(rows *sql.Rows) (v LeaseView, err error) {
		var interruptible int64
		err = rows.Scan(&v.ID, &v.Product, &v.Bid, &v.Offer, &v.Consumer, &v.ConsumerOrg, &v.Provider, &v.ProviderOrg,
			&v.Region, &v.Units, &v.Start, &v.End, &v.Price, &v.Carbon, &v.SLA, &interruptible, &v.TakeOrPay, &v.Fee, &v.Hold,
			&v.MatchedAt, &v.AcceptBy, &v.StartBy, &v.CoverOf, &v.Payer, &v.FromBond, &v.Status, &v.Cause, &v.AcceptedAt,
			&v.StartedAt, &v.EndedAt, &v.SettledAt, &v.Charged, &v.FeePaid, &v.SuspectSince, &v.InterruptAt, &v.Credit)
		if v.Status.Over() {
			v.SuspectSince = 0 // nobody waits for heartbeats any more
		}
		v.Interruptible = interruptible != 0
		return v, err
	})
}
