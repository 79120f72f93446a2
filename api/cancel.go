package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// ClientIDParam names an order as its owner did.
type ClientIDParam struct {
	ClientID string `query:"client_id" required:"true" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"The client id that it was placed with." example:"job-4711"`
}

// CancelAll is the body of POST /v1/accounts/{account}/cancel-all.
type CancelAll struct {
	Product corehour.ProductID `json:"product,omitempty" maxLength:"64" doc:"Only orders of this product; all if not given." example:"cpu.standard"`
}

// CancelledAll is the answer to it.
type CancelledAll struct {
	Cancelled int64 `json:"cancelled" doc:"How many orders were closed, at most 10000."`
	More      bool  `json:"more" doc:"Whether others are left; ask again until it is false."`
}

func (s *Server) registerCancellations() {
	register(s, operation{
		id: "cancel-bids-by-client-id", method: http.MethodDelete, path: "/v1/bids", tag: "bids",
		summary: "Take back a bid by its client id", roles: []Role{RoleConsumer},
		description: "Closes what is open of it and releases its hold; its leases go on. The client id of a group takes back all of its open bids.",
	}, s.cancelBidsByClientID)
	register(s, operation{
		id: "cancel-offer-by-client-id", method: http.MethodDelete, path: "/v1/offers", tag: "offers",
		summary: "Withdraw an offer by its client id", description: "Ends its sale; its leases go on.",
		roles: []Role{RoleProvider},
	}, s.cancelOfferByClientID)
	register(s, operation{
		id: "cancel-all", method: http.MethodPost, path: "/v1/accounts/{account}/cancel-all", tag: "accounts",
		summary: "Take back all open orders of an account",
		description: "Closes its bids and its offers, at most 10,000 at a time; leases go on. " +
			"Consumers and providers do it for their own account, the operator for any.",
		roles: []Role{RoleConsumer, RoleProvider, RoleOperator},
	}, s.cancelAll)
}

// cancelNamed submits the cancellation of what a client id names.
func (s *Server) cancelNamed(ctx context.Context, command exchange.Command, what string) (exchange.Reply, error) {
	reply, err := s.config.Exchange.Submit(ctx, command)
	switch {
	case err != nil:
		return reply, err
	case reply.Code == exchange.CodeUnknownBid, reply.Code == exchange.CodeUnknownOffer:
		return reply, &corehour.Error{Kind: corehour.KindNotFound, Code: corehour.CodeNotFound, Field: "query.client_id",
			Message: "no open " + what + " has this client id"}
	case reply.Rejected():
		p := rejection(&reply)
		p.Field = "query.client_id"
		return reply, p
	}
	return reply, nil
}

func (s *Server) cancelBidsByClientID(ctx context.Context, c Caller, in *ClientIDParam) (*pageOutput[exchange.BidView], error) {
	reply, err := s.cancelNamed(ctx, exchange.CancelBid{Consumer: c.Account, ClientID: in.ClientID}, "bid")
	if err != nil {
		return nil, err
	}
	cancelled := reply.Members
	if reply.Bid != 0 {
		cancelled = []exchange.Reply{reply}
	}
	views := make([]exchange.BidView, 0, len(cancelled))
	for _, m := range cancelled {
		view, err := s.config.Exchange.Bid(ctx, m.Bid)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return wholeList(views, nil)
}

func (s *Server) cancelOfferByClientID(ctx context.Context, c Caller, in *ClientIDParam) (*offerOutput, error) {
	reply, err := s.cancelNamed(ctx, exchange.CancelOffer{Provider: c.Account, ClientID: in.ClientID}, "offer")
	if err != nil {
		return nil, err
	}
	view, err := s.config.Exchange.Offer(ctx, reply.Offer)
	return &offerOutput{Body: view}, err
}

func (s *Server) cancelAll(ctx context.Context, c Caller, in *struct {
	AccountParam
	withBody[CancelAll]
}) (*struct{ Body CancelledAll }, error) {
	if c.Role != RoleOperator && in.Account != c.Account {
		return nil, notFound("account")
	}
	reply, err := s.config.Exchange.Submit(ctx, exchange.CancelAll{Account: in.Account, Product: in.Body.value.Product})
	switch {
	case err != nil:
		return nil, err
	case reply.Code == exchange.CodeUnknownAccount:
		return nil, notFound("account")
	case reply.Rejected():
		return nil, rejection(&reply)
	}
	return &struct{ Body CancelledAll }{CancelledAll{Cancelled: int64(reply.Cancelled), More: reply.More}}, nil
}
