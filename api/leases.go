package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// EndLease is the body of POST /v1/leases/{lease}/end.
type EndLease struct {
	EndedAt corehour.Instant `json:"ended_at,omitzero" doc:"When delivery stopped, within the lease and not in the future; now if not given. Only the provider may give it." example:"2026-03-01T13:30:00Z"`
}

// LeaseParam is the input of what is about one lease.
type LeaseParam struct {
	Lease leaseRef `path:"lease" doc:"The lease's number." example:"lease-17"`
}

type leaseOutput struct {
	Body exchange.LeaseView
}

func (s *Server) registerLeases() {
	const tag = "leases"
	register(s, operation{
		id: "list-leases", method: http.MethodGet, path: "/v1/leases", tag: tag,
		summary: "List leases", description: "A consumer sees what it takes, a provider what it delivers; finance and operator see all.",
	}, s.listLeases)
	register(s, operation{
		id: "get-lease", method: http.MethodGet, path: "/v1/leases/{lease}", tag: tag,
		summary: "Read a lease", description: "Its consumer and its provider read it, and finance and operator.",
	}, func(ctx context.Context, c Caller, in *LeaseParam) (*leaseOutput, error) {
		view, err := s.lease(ctx, c, in.Lease.id)
		if err != nil {
			return nil, err
		}
		return &leaseOutput{Body: view}, nil
	})
	register(s, operation{
		id: "accept-lease", method: http.MethodPost, path: "/v1/leases/{lease}/accept", tag: tag,
		summary: "Accept a lease", description: "The provider's word that it will deliver: matched becomes provisioning.",
		roles: []Role{RoleProvider},
	}, func(ctx context.Context, c Caller, in *LeaseParam) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.AcceptLease{Provider: c.Account, Lease: in.Lease.id})
	})
	register(s, operation{
		id: "start-lease", method: http.MethodPost, path: "/v1/leases/{lease}/start", tag: tag,
		summary: "Start a lease", description: "The provider's word that it delivers: provisioning becomes active.",
		roles: []Role{RoleProvider},
	}, func(ctx context.Context, c Caller, in *LeaseParam) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.StartLease{Provider: c.Account, Lease: in.Lease.id})
	})
	register(s, operation{
		id: "end-lease", method: http.MethodPost, path: "/v1/leases/{lease}/end", tag: tag,
		summary: "End a lease early", description: "Its provider or its consumer may: active becomes completed, and the units are free again from the next whole minute.",
		roles: []Role{RoleProvider, RoleConsumer},
	}, func(ctx context.Context, c Caller, in *struct {
		LeaseParam
		withBody[EndLease]
	}) (*leaseOutput, error) {
		return s.advanceLease(ctx, c, in.Lease.id, exchange.EndLease{Account: c.Account, Lease: in.Lease.id, EndedAt: in.Body.value.EndedAt})
	})
}

func (s *Server) listLeases(ctx context.Context, c Caller, in *struct {
	LimitParam
	Consumer corehour.AccountID   `query:"consumer" maxLength:"64" doc:"Only leases that this account takes." example:"lab-a"`
	Provider corehour.AccountID   `query:"provider" maxLength:"64" doc:"Only leases that this account delivers." example:"dc-north"`
	Bid      bidRef               `query:"bid" doc:"Only leases of this bid." example:"bid-17"`
	Offer    offerRef             `query:"offer" doc:"Only leases of this offer." example:"offer-17"`
	Status   corehour.LeaseStatus `query:"status" doc:"Only leases that stand here in their life." example:"active"`
	After    leaseRef             `query:"after" doc:"The last lease of the page before." example:"lease-17"`
}) (*pageOutput[exchange.LeaseView], error) {
	q := exchange.LeaseQuery{
		Consumer: in.Consumer, Provider: in.Provider, Bid: in.Bid.id, Offer: in.Offer.id,
		Status: in.Status, After: in.After.id, Limit: in.limit(),
	}
	var err error
	// One side of what is listed must be the caller; the other may be anybody.
	switch c.Role {
	case RoleConsumer:
		q.Consumer, err = c.own(in.Consumer, "query.consumer")
	case RoleProvider:
		q.Provider, err = c.own(in.Provider, "query.provider")
	}
	if err != nil {
		return nil, err
	}
	items, err := s.config.Exchange.Leases(ctx, q)
	if err != nil {
		return nil, err
	}
	return &pageOutput[exchange.LeaseView]{Body: pageOf(items, in.limit(), func(l exchange.LeaseView) string { return l.ID.String() })}, nil
}

// lease reads a lease that the caller may see.
func (s *Server) lease(ctx context.Context, c Caller, id corehour.LeaseID) (exchange.LeaseView, error) {
	view, err := s.config.Exchange.Lease(ctx, id)
	if err != nil {
		return view, hidden(err, "lease")
	}
	if !c.readsAll() && view.Consumer != c.Account && view.Provider != c.Account {
		return exchange.LeaseView{}, notFound("lease")
	}
	return view, nil
}

// advanceLease submits a step of a lease's life for a side of it, and answers
// with the lease after it. Which side may take which step, the command says.
func (s *Server) advanceLease(ctx context.Context, c Caller, id corehour.LeaseID, step exchange.Command) (*leaseOutput, error) {
	view, err := s.lease(ctx, c, id)
	if err != nil {
		return nil, err
	}
	mine := view.Provider == c.Account && c.Role == RoleProvider
	switch step.(type) {
	case exchange.EndLease, exchange.DisputeLease: // whom else the operation lets through
		mine = mine || view.Consumer == c.Account && c.Role == RoleConsumer
	}
	if !mine {
		return nil, notFound("lease")
	}
	return s.stepped(ctx, c, id, step)
}

// stepped submits a step of a lease that the caller may see.
func (s *Server) stepped(ctx context.Context, c Caller, id corehour.LeaseID, step exchange.Command) (*leaseOutput, error) {
	over := &corehour.Error{Kind: corehour.KindConflict, Code: exchange.CodeWrongStatus, Field: "path.lease", Message: "the lease has ended"}
	if _, err := s.change(ctx, step, over); err != nil {
		return nil, err
	}
	view, err := s.lease(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return &leaseOutput{Body: view}, nil
}
