package api

import (
	"context"
	"encoding"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Exchange is the market: it takes commands and answers questions. A question
// sees everything that was acknowledged before it was asked.
type Exchange interface {
	// Submit's error says that the exchange is away; a refusal is in the reply.
	Submit(ctx context.Context, c exchange.Command) (exchange.Reply, error)
	// SubmitAll's replies are those of the commands in their order. Its error says
	// that it is not known what became of them.
	SubmitAll(ctx context.Context, commands []exchange.Command) ([]exchange.Reply, error)

	Products(ctx context.Context) ([]corehour.Product, error)
	Regions(ctx context.Context) ([]corehour.Region, error)
	Account(ctx context.Context, id corehour.AccountID) (exchange.AccountView, error)
	Accounts(ctx context.Context, after corehour.AccountID, limit int) ([]exchange.AccountView, error)
	Offer(ctx context.Context, id corehour.OfferID) (exchange.OfferView, error)
	Offers(ctx context.Context, q exchange.OfferQuery) ([]exchange.OfferView, error)
	Bid(ctx context.Context, id corehour.BidID) (exchange.BidView, error)
	Bids(ctx context.Context, q exchange.BidQuery) ([]exchange.BidView, error)
	Lease(ctx context.Context, id corehour.LeaseID) (exchange.LeaseView, error)
	Leases(ctx context.Context, q exchange.LeaseQuery) ([]exchange.LeaseView, error)

	Limits(ctx context.Context, id corehour.AccountID) (exchange.LimitsView, error)
	DefaultLimits(ctx context.Context) (corehour.Limits, error)
	Halts(ctx context.Context) ([]corehour.Halt, error)
	Sessions(ctx context.Context, id corehour.AccountID) ([]exchange.SessionView, error)
	Oversight(ctx context.Context) (exchange.OversightView, error)

	Zones(ctx context.Context) ([]corehour.Zone, error)
	Intensity(ctx context.Context, zone corehour.ZoneID) (exchange.IntensityCurve, error)
	// Explain and ExplainOpen change nothing. Their errors name the command's field.
	Explain(ctx context.Context, c exchange.PlaceBid) (exchange.Explanation, error)
	ExplainOpen(ctx context.Context, consumer corehour.AccountID, id corehour.BidID) (exchange.Explanation, error)
	Depth(ctx context.Context, q exchange.DepthQuery) (exchange.Depth, error)
	TopOfBook(ctx context.Context, q exchange.TopQuery) (exchange.TopOfBook, error)
	HeatMap(ctx context.Context, q exchange.HeatQuery) (exchange.HeatMap, error)
}

// submit sends a command; a refusal becomes a problem.
func (s *Server) submit(ctx context.Context, c exchange.Command) (exchange.Reply, error) {
	reply, err := s.config.Exchange.Submit(ctx, c)
	if err != nil {
		return reply, err
	}
	if reply.Rejected() {
		return reply, rejection(&reply)
	}
	return reply, nil
}

// change submits a command about something that the caller was just shown to
// own. Where the exchange does not know it as open or running any more, that is
// not missing but over.
func (s *Server) change(ctx context.Context, c exchange.Command, over *corehour.Error) (exchange.Reply, error) {
	reply, err := s.config.Exchange.Submit(ctx, c)
	switch {
	case err != nil:
		return reply, err
	case reply.Code == exchange.CodeUnknownOffer, reply.Code == exchange.CodeUnknownBid, reply.Code == exchange.CodeUnknownLease:
		return reply, over
	case reply.Rejected():
		return reply, rejection(&reply)
	}
	return reply, nil
}

// closedAlready says that an order is not in the book any more.
func closedAlready(what string) *corehour.Error {
	return &corehour.Error{Kind: corehour.KindConflict, Code: exchange.CodeClosed, Field: "path." + what, Message: "the " + what + " is closed"}
}

// replayHeader marks the answer to a command that had been done before.
const replayHeader = "Idempotent-Replay"

// created is the answer to a command that makes something, once per client id
// or reference.
type created[T any] struct {
	Status   int
	Location string `header:"Location" doc:"Where what was made can be read."`
	Replay   string `header:"Idempotent-Replay" enum:"true" doc:"Set where this repeats the answer to an earlier command with the same client id or reference."`
	Body     T
}

const (
	statusCreated  = 201
	statusRepeated = 200
)

// createdAt answers 201, or 200 with the replay header for a repeat.
func createdAt[T any](location string, repeat bool, body T) *created[T] {
	if repeat {
		return &created[T]{Status: statusRepeated, Location: location, Replay: "true", Body: body}
	}
	return &created[T]{Status: statusCreated, Location: location, Body: body}
}

// replayResponse documents the 200 that a repeated command gets beside its 201.
func replayResponse() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "The same client id or reference came before with the same content: the same answer, and nothing was done.",
		Headers: map[string]*huma.Header{
			replayHeader: {Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}}},
		},
	}}
}

// idParam is a parameter that is one of the exchange's numbers, such as bid-17.
type idParam[T any, P interface {
	*T
	encoding.TextUnmarshaler
}] struct {
	id T
}

// UnmarshalText reads the number; huma calls it.
func (p *idParam[T, P]) UnmarshalText(b []byte) error { return P(&p.id).UnmarshalText(b) }

// Schema is that of the number; huma calls it.
func (*idParam[T, P]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

type (
	offerRef = idParam[corehour.OfferID, *corehour.OfferID]
	bidRef   = idParam[corehour.BidID, *corehour.BidID]
	leaseRef = idParam[corehour.LeaseID, *corehour.LeaseID]
)

// readsAll reports whether a role sees what belongs to every organisation.
func (c *Caller) readsAll() bool { return c.Role == RoleFinance || c.Role == RoleOperator }

// hidden makes what does not exist look exactly like what belongs to others.
func hidden(err error, what string) error {
	if corehour.KindOf(err) == corehour.KindNotFound {
		return notFound(what)
	}
	return err
}
