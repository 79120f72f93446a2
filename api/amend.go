package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// AmendBid is the body of PATCH /v1/bids/{bid}.
type AmendBid struct {
	Units         *corehour.Units       `json:"units,omitempty" minimum:"1" maximum:"1000000" doc:"The new total, what is filled included; one that is not above what is filled closes the bid." example:"12"`
	Limit         *corehour.Price       `json:"limit_price,omitempty" doc:"The most that a unit-hour may cost, with the carbon it emits at carbon_price; on a tick of 0.000001." example:"0.045"`
	EarliestStart *corehour.Minute      `json:"earliest_start,omitempty" doc:"When it may start, a whole minute." example:"2026-03-01T12:00:00Z"`
	LatestEnd     *corehour.Minute      `json:"latest_end,omitempty" doc:"When it must have ended, a whole minute." example:"2026-03-03T12:00:00Z"`
	MaxCarbon     *corehour.CarbonRate  `json:"max_carbon_g,omitempty" doc:"The most grams of CO2 equivalent that a unit-hour may emit; 1000000 is no cap." example:"150.00"`
	CarbonPrice   *corehour.CarbonPrice `json:"carbon_price,omitempty" doc:"What a tonne of CO2 equivalent counts for when offers are ranked." example:"100.00"`
	MinFill       *corehour.Units       `json:"min_fill,omitempty" minimum:"1" maximum:"1000000" doc:"The fewest units of one lease." example:"1"`
	ExpiresAt     *corehour.Instant     `json:"expires_at,omitempty" doc:"When a gtt bid ends." example:"2026-03-01T20:00:00Z"`
}

func (b *AmendBid) check(c *checker) {
	c.anything(*b)
	present(b.Limit, func(p corehour.Price) { c.price("limit_price", p) })
	present(b.EarliestStart, func(m corehour.Minute) { c.minute("earliest_start", m) })
	present(b.LatestEnd, func(m corehour.Minute) { c.minute("latest_end", m) })
	present(b.MaxCarbon, func(r corehour.CarbonRate) { c.carbon("max_carbon_g", r) })
	present(b.CarbonPrice, func(p corehour.CarbonPrice) { c.carbonPrice("carbon_price", p) })
	if b.Units != nil && b.MinFill != nil {
		c.atMost("min_fill", *b.MinFill, "units", *b.Units)
	}
}

// AmendOffer is the body of PATCH /v1/offers/{offer}.
type AmendOffer struct {
	Units       *corehour.Units   `json:"units,omitempty" minimum:"1" maximum:"1000000" doc:"The new total, what is sold included." example:"32"`
	Price       *corehour.Price   `json:"price,omitempty" doc:"Per unit-hour, on a tick of 0.000001." example:"0.0295"`
	From        *corehour.Minute  `json:"from,omitempty" doc:"When delivery can begin, a whole minute." example:"2026-03-01T00:00:00Z"`
	To          *corehour.Minute  `json:"to,omitempty" doc:"When delivery must have ended, a whole minute." example:"2026-05-01T00:00:00Z"`
	MinFill     *corehour.Units   `json:"min_fill,omitempty" minimum:"1" maximum:"1000000" doc:"The fewest units of one lease." example:"2"`
	MinDuration *corehour.Minutes `json:"min_duration_minutes,omitempty" minimum:"1" maximum:"527040" doc:"The shortest lease." example:"30"`
}

func (b *AmendOffer) check(c *checker) {
	c.anything(*b)
	present(b.Price, func(p corehour.Price) { c.price("price", p) })
	present(b.From, func(m corehour.Minute) { c.minute("from", m) })
	present(b.To, func(m corehour.Minute) { c.minute("to", m) })
	if b.Units != nil && b.MinFill != nil {
		c.atMost("min_fill", *b.MinFill, "units", *b.Units)
	}
}

// present checks a field that was given.
func present[T any](field *T, check func(T)) {
	if field != nil {
		check(*field)
	}
}

// anything refuses a body all of whose fields are left out, which would change
// nothing.
func (c *checker) anything(body any) {
	if reflect.ValueOf(body).IsZero() {
		c.add(CodeMissingField, "", "expected at least one field")
	}
}

// BidAmended is a bid as it is after an amendment.
type BidAmended struct {
	exchange.BidView
	Hold  corehour.Money `json:"hold" doc:"What is held of the account's funds for its open units and its leases."`
	Fills []Fill         `json:"fills" doc:"The leases that the amendment made."`
}

// OfferAmended is an offer as it is after an amendment.
type OfferAmended struct {
	exchange.OfferView
	Fills []Fill `json:"fills" doc:"The leases that resting bids became by the amendment."`
}

func (s *Server) registerAmendments() {
	register(s, operation{
		id: "amend-bid", method: http.MethodPatch, path: "/v1/bids/{bid}", tag: "bids",
		summary: "Change an open bid",
		description: "Changes what is given and keeps the rest. Fewer units alone keep its place among equals; anything else makes it the newest. " +
			"It may fill at once. An amendment that is refused leaves the bid as it was.",
		roles: []Role{RoleConsumer},
	}, s.amendBid)
	register(s, operation{
		id: "amend-offer", method: http.MethodPatch, path: "/v1/offers/{offer}", tag: "offers",
		summary: "Change an open offer",
		description: "Changes what is given and keeps the rest. Fewer units alone keep its place among equals; anything else makes it the newest. " +
			"Waiting bids may fill from it at once. What is sold stays sold: an amendment that does not cover it is refused with already_sold and leaves the offer as it was.",
		roles: []Role{RoleProvider},
	}, s.amendOffer)
}

func (s *Server) amendBid(ctx context.Context, c Caller, in *struct {
	BidParam
	withBody[AmendBid]
}) (*struct{ Body BidAmended }, error) {
	if _, err := s.getBid(ctx, c, &in.BidParam); err != nil {
		return nil, err
	}
	b := &in.Body.value
	reply, err := s.change(ctx, exchange.AmendBid{
		Consumer: c.Account, Bid: in.Bid.id, Units: b.Units, Limit: b.Limit, EarliestStart: b.EarliestStart, LatestEnd: b.LatestEnd,
		MaxCarbon: b.MaxCarbon, CarbonPrice: b.CarbonPrice, MinFill: b.MinFill, ExpiresAt: b.ExpiresAt,
	}, closedAlready("bid"))
	if err != nil {
		return nil, err
	}
	view, err := s.getBid(ctx, c, &in.BidParam)
	if err != nil {
		return nil, err
	}
	fills, _ := fillsOf(reply.Fills)
	return &struct{ Body BidAmended }{BidAmended{BidView: view.Body, Hold: reply.Hold, Fills: fills}}, nil
}

func (s *Server) amendOffer(ctx context.Context, c Caller, in *struct {
	OfferParam
	withBody[AmendOffer]
}) (*struct{ Body OfferAmended }, error) {
	if err := s.ownOffer(ctx, c, in.Offer.id); err != nil {
		return nil, err
	}
	b := &in.Body.value
	reply, err := s.change(ctx, exchange.AmendOffer{
		Provider: c.Account, Offer: in.Offer.id, Units: b.Units, Price: b.Price, From: b.From, To: b.To,
		MinFill: b.MinFill, MinDuration: b.MinDuration,
	}, closedAlready("offer"))
	if err != nil {
		return nil, err
	}
	view, err := s.getOffer(ctx, c, &in.OfferParam)
	if err != nil {
		return nil, err
	}
	fills, _ := fillsOf(reply.Fills)
	return &struct{ Body OfferAmended }{OfferAmended{OfferView: view.Body, Fills: fills}}, nil
}
