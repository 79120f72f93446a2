package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Quote says what a bid would get if it came now, and what would have to change
// for it to get everything.
type Quote struct {
	Filled  bool             `json:"filled" doc:"Whether it would get all that it asks for."`
	Open    corehour.Units   `json:"open" doc:"How many units would be left open."`
	Left    corehour.Minutes `json:"left_minutes" doc:"For how many minutes each of them would be sought; 0 where nothing is open."`
	Cost    corehour.Money   `json:"cost" doc:"What the fills would cost at most, in all."`
	Hold    corehour.Money   `json:"hold" doc:"What would be held of the account's funds when it is placed; the account need not have it now."`
	Fills   []QuotedFill     `json:"fills" doc:"The leases that it would become."`
	Changes []Change         `json:"changes" doc:"The smallest single changes with each of which the whole bid would fill now; none where it fills, or where no single change suffices."`
}

// QuotedFill is a lease that a bid would become.
type QuotedFill struct {
	Offer    corehour.OfferID    `json:"offer"`
	Provider corehour.AccountID  `json:"provider"`
	Region   corehour.RegionID   `json:"region"`
	Units    corehour.Units      `json:"units"`
	Start    corehour.Minute     `json:"start"`
	End      corehour.Minute     `json:"end"`
	Price    corehour.Price      `json:"price"`
	Carbon   corehour.CarbonRate `json:"carbon_g"`
}

// Change is the smallest change of one condition. Beside the condition it has
// the one field that says how far; interruptible needs none.
type Change struct {
	Condition    exchange.Condition    `json:"condition"`
	Limit        *corehour.Price       `json:"limit_price,omitempty" doc:"The lowest limit that suffices."`
	MaxCarbon    *corehour.CarbonRate  `json:"max_carbon_g,omitempty" doc:"The lowest cap that suffices, in grams of CO2 equivalent per unit-hour."`
	Region       corehour.RegionID     `json:"region,omitempty" doc:"The region to allow, the one where it is cheapest."`
	LatestEnd    *corehour.Minute      `json:"latest_end,omitempty" doc:"The earliest end that suffices."`
	Units        *corehour.Units       `json:"units,omitempty" doc:"The most units that would fill."`
	Provider     corehour.AccountID    `json:"provider,omitempty" doc:"The provider to allow, the one where it is cheapest."`
	MinSLA       *corehour.SLA         `json:"min_sla,omitempty" doc:"The highest tier that suffices."`
	MaxTakeOrPay *corehour.BasisPoints `json:"max_take_or_pay_bps,omitempty" doc:"The lowest share that suffices, in ten-thousandths."`
}

type quoteOutput struct {
	Body Quote
}

func (s *Server) registerQuotes() {
	const tag = "bids"
	register(s, operation{
		id: "quote-bid", method: http.MethodPost, path: "/v1/quotes", tag: tag,
		summary: "Ask what a bid would get",
		description: "A dry run of POST /v1/bids: what it would get at this moment, what that would cost, and where it would not fill, the smallest single changes with which it would. " +
			"Nothing is placed, held or promised. Funds and post_only are not looked at.",
		roles: []Role{RoleConsumer},
	}, func(ctx context.Context, c Caller, in *withBody[BidTerms]) (*quoteOutput, error) {
		e, err := s.config.Exchange.Explain(ctx, in.Body.value.command(c.Account))
		if err != nil {
			return nil, inCommand(err)
		}
		return quoted(&e), nil
	})
	register(s, operation{
		id: "explain-bid", method: http.MethodGet, path: "/v1/bids/{bid}/explanation", tag: tag,
		summary: "Ask why an open bid does not fill",
		description: "What is open of it, as if it came now: mostly nothing that it would get, and the smallest single changes with which it would fill at this moment. " +
			"A consumer asks for its own; finance and operator for all.",
		roles: []Role{RoleConsumer, RoleFinance, RoleOperator},
	}, s.explainBid)
}

func (s *Server) explainBid(ctx context.Context, c Caller, in *BidParam) (*quoteOutput, error) {
	view, err := s.getBid(ctx, c, in)
	if err != nil {
		return nil, err
	}
	e, err := s.config.Exchange.ExplainOpen(ctx, view.Body.Consumer, in.Bid.id)
	switch {
	case corehour.CodeOf(err) == exchange.CodeUnknownBid:
		return nil, closedAlready("bid")
	case err != nil:
		return nil, err
	}
	return quoted(&e), nil
}

func quoted(e *exchange.Explanation) *quoteOutput {
	q := Quote{
		Filled: e.Filled, Open: e.Open, Left: e.Left, Cost: e.Cost, Hold: e.Hold,
		Fills: make([]QuotedFill, len(e.Fills)), Changes: make([]Change, len(e.Changes)),
	}
	for i, f := range e.Fills {
		q.Fills[i] = QuotedFill{
			Offer: f.Offer, Provider: f.Provider, Region: f.Region, Units: f.Units, Start: f.Start, End: f.End, Price: f.Price, Carbon: f.Carbon,
		}
	}
	for i, c := range e.Changes {
		q.Changes[i] = Change(c)
	}
	return &quoteOutput{Body: q}
}
