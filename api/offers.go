package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// PlaceOffer is the body of POST /v1/offers.
type PlaceOffer struct {
	Product       corehour.ProductID   `json:"product" maxLength:"64" doc:"What is offered." example:"cpu.standard"`
	Region        corehour.RegionID    `json:"region" maxLength:"64" doc:"Where it runs." example:"europe-north1"`
	Units         corehour.Units       `json:"units" minimum:"1" maximum:"1000000" doc:"How many units." example:"64"`
	From          corehour.Minute      `json:"from,omitzero" doc:"When delivery can begin, a whole minute; the next whole minute if not given." example:"2026-03-01T00:00:00Z"`
	To            corehour.Minute      `json:"to" doc:"When delivery must have ended, a whole minute." example:"2026-04-01T00:00:00Z"`
	Price         corehour.Price       `json:"price" doc:"Per unit-hour, on a tick of 0.000001." example:"0.0315"`
	Carbon        *corehour.CarbonRate `json:"carbon_g,omitempty" doc:"Grams of CO2 equivalent that a unit-hour emits, at any hour. Either this or energy_wh is given." example:"3.25"`
	Energy        corehour.Energy      `json:"energy_wh,omitempty" doc:"Watt-hours that a unit draws in an hour, with the building around it (watts x PUE): the offer then emits what its grid zone does in the very hours of a lease. Above 0, at most 100000." example:"2.355"`
	Zone          corehour.ZoneID      `json:"zone,omitempty" maxLength:"64" doc:"The grid zone that its power comes from, beside energy_wh; the region's if not given." example:"FI"`
	SLA           corehour.SLA         `json:"sla" doc:"The tier of service that is promised." example:"standard"`
	Interruptible bool                 `json:"interruptible,omitempty" doc:"Whether the capacity may be taken away." example:"false"`
	MinFill       corehour.Units       `json:"min_fill,omitempty" minimum:"1" maximum:"1000000" doc:"The fewest units of one lease; 1 if not given." example:"1"`
	MinDuration   corehour.Minutes     `json:"min_duration_minutes,omitempty" minimum:"1" maximum:"527040" doc:"The shortest lease; 1 minute if not given." example:"60"`
	TakeOrPay     corehour.BasisPoints `json:"take_or_pay_bps,omitempty" minimum:"0" maximum:"10000" doc:"The share of a lease that is billed even if unused, in ten-thousandths." example:"0"`
	PostOnly      bool                 `json:"post_only,omitempty" doc:"Refuse it with would_trade, rather than let it fill a waiting bid at once." example:"false"`
	ClientID      string               `json:"client_id,omitempty" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for this offer. With the same name it is placed once." example:"batch-2026-03"`
	Session       corehour.SessionID   `json:"session,omitempty" maxLength:"64" doc:"The open session that takes it back when it ends; none if not given." example:"desk-1"`
}

func (b *PlaceOffer) check(c *checker) {
	c.minute("from", b.From)
	c.minute("to", b.To)
	c.price("price", b.Price)
	c.atMost("min_fill", b.MinFill, "units", b.Units)
	switch {
	case b.Carbon != nil && b.Energy != 0:
		c.add(exchange.CodeExclusive, "energy_wh", "an offer gives its carbon_g or its energy_wh, not both")
	case b.Carbon == nil && b.Energy == 0:
		c.add(CodeMissingField, "carbon_g", "an offer gives its carbon_g or its energy_wh, above 0")
	case b.Carbon != nil:
		c.carbon("carbon_g", *b.Carbon)
	default:
		c.energy("energy_wh", b.Energy)
	}
	if b.Zone != "" && b.Energy == 0 {
		c.add(corehour.CodeInvalid, "zone", "only an offer with energy_wh has it")
	}
}

func (b *PlaceOffer) command(provider corehour.AccountID) exchange.PlaceOffer {
	c := exchange.PlaceOffer{
		Product: b.Product, Provider: provider, Region: b.Region, Units: b.Units, From: b.From, To: b.To,
		Price: b.Price, Energy: b.Energy, Zone: b.Zone, SLA: b.SLA, Interruptible: b.Interruptible,
		MinFill: b.MinFill, MinDuration: b.MinDuration, TakeOrPay: b.TakeOrPay, PostOnly: b.PostOnly, ClientID: b.ClientID,
		Session: b.Session,
	}
	if b.Carbon != nil {
		c.Carbon = *b.Carbon
	}
	return c
}

// OfferPlaced is the answer to POST /v1/offers.
type OfferPlaced struct {
	Offer  corehour.OfferID     `json:"offer"`
	Status exchange.OrderStatus `json:"status"`
	Units  corehour.Units       `json:"units" doc:"How many units were offered."`
	Closed corehour.CloseReason `json:"closed,omitempty"`
	Fills  []Fill               `json:"fills" doc:"The leases that resting bids became at once."`
}

// Fill is a lease that came of placing an order.
type Fill struct {
	Lease    corehour.LeaseID    `json:"lease"`
	Bid      corehour.BidID      `json:"bid"`
	Offer    corehour.OfferID    `json:"offer"`
	Provider corehour.AccountID  `json:"provider"`
	Region   corehour.RegionID   `json:"region"`
	Units    corehour.Units      `json:"units"`
	Start    corehour.Minute     `json:"start"`
	End      corehour.Minute     `json:"end"`
	Price    corehour.Price      `json:"price"`
	Carbon   corehour.CarbonRate `json:"carbon_g"`
}

// fillsOf are a reply's fills and how many units they have.
func fillsOf(fills []exchange.Fill) ([]Fill, corehour.Units) {
	out := make([]Fill, len(fills))
	var units corehour.Units
	for i, f := range fills {
		out[i] = Fill(f)
		units += f.Units
	}
	return out, units
}

// OfferParam is the input of what is about one offer.
type OfferParam struct {
	Offer offerRef `path:"offer" doc:"The offer's number." example:"offer-17"`
}

type offerOutput struct {
	Body exchange.OfferView
}

func (s *Server) registerOffers() {
	const tag = "offers"
	register(s, operation{
		id: "place-offer", method: http.MethodPost, path: "/v1/offers", tag: tag,
		summary: "Offer capacity",
		description: "The provider is the token's account. Bids that were waiting may fill from the offer at once. " +
			"Its carbon is a figure that you assert, or follows the hours of its grid zone.",
		roles: []Role{RoleProvider}, status: http.StatusCreated, responses: replayResponse(),
	}, s.placeOffer)
	register(s, operation{
		id: "list-offers", method: http.MethodGet, path: "/v1/offers", tag: tag,
		summary: "List offers",
		description: "Open offers are market data and seen by everybody. Closed ones are seen by their provider, " +
			"who asks with its own account as provider, and by finance and operator.",
	}, s.listOffers)
	register(s, operation{
		id: "get-offer", method: http.MethodGet, path: "/v1/offers/{offer}", tag: tag,
		summary: "Read an offer", description: "Open ones are seen by everybody, closed ones by their provider, finance and operator.",
	}, s.getOffer)
	register(s, operation{
		id: "cancel-offer", method: http.MethodDelete, path: "/v1/offers/{offer}", tag: tag,
		summary: "Withdraw an offer", description: "Ends its sale; its leases go on.",
		roles: []Role{RoleProvider},
	}, s.cancelOffer)
}

func (s *Server) placeOffer(ctx context.Context, c Caller, in *withBody[PlaceOffer]) (*created[OfferPlaced], error) {
	b := &in.Body.value
	reply, err := s.submit(ctx, b.command(c.Account))
	if err != nil {
		return nil, err
	}
	return createdAt("/v1/offers/"+reply.Offer.String(), reply.Repeat, offerPlaced(b, &reply)), nil
}

func statusOfOrder(closed corehour.CloseReason) exchange.OrderStatus {
	if closed != "" {
		return exchange.StatusClosed
	}
	return exchange.StatusOpen
}

func (s *Server) listOffers(ctx context.Context, c Caller, in *struct {
	LimitParam
	Product  corehour.ProductID   `query:"product" maxLength:"64" doc:"Only offers of this product." example:"cpu.standard"`
	Region   corehour.RegionID    `query:"region" maxLength:"64" doc:"Only offers in this region." example:"europe-north1"`
	Provider corehour.AccountID   `query:"provider" maxLength:"64" doc:"Only offers of this account." example:"dc-north"`
	Status   exchange.OrderStatus `query:"status" doc:"Only open or only closed ones." example:"open"`
	After    offerRef             `query:"after" doc:"The last offer of the page before." example:"offer-17"`
}) (*pageOutput[exchange.OfferView], error) {
	status := in.Status
	if !c.readsAll() && in.Provider != c.Account {
		if status == exchange.StatusClosed {
			return nil, &corehour.Error{Kind: corehour.KindForbidden, Code: corehour.CodeForbidden, Field: "query.status",
				Message: "closed offers are seen by their provider only, who asks with its own account as provider"}
		}
		status = exchange.StatusOpen
	}
	items, err := s.config.Exchange.Offers(ctx, exchange.OfferQuery{
		Product: in.Product, Region: in.Region, Provider: in.Provider, Status: status, After: in.After.id, Limit: in.limit(),
	})
	if err != nil {
		return nil, err
	}
	for i := range items {
		c.hideClientID(&items[i])
	}
	return &pageOutput[exchange.OfferView]{Body: pageOf(items, in.limit(), func(o exchange.OfferView) string { return o.ID.String() })}, nil
}

// hideClientID takes out what only an offer's own provider need know, its session too.
func (c *Caller) hideClientID(o *exchange.OfferView) {
	if !c.readsAll() && o.Provider != c.Account {
		o.ClientID, o.Session = "", ""
	}
}

func (s *Server) getOffer(ctx context.Context, c Caller, in *OfferParam) (*offerOutput, error) {
	view, err := s.config.Exchange.Offer(ctx, in.Offer.id)
	if err != nil {
		return nil, hidden(err, "offer")
	}
	if view.Status != exchange.StatusOpen && !c.readsAll() && view.Provider != c.Account {
		return nil, notFound("offer")
	}
	c.hideClientID(&view)
	return &offerOutput{Body: view}, nil
}

// ownOffer says that an offer is not there where it is not the caller's.
func (s *Server) ownOffer(ctx context.Context, c Caller, id corehour.OfferID) error {
	view, err := s.config.Exchange.Offer(ctx, id)
	if err != nil {
		return hidden(err, "offer")
	}
	if view.Provider != c.Account {
		return notFound("offer")
	}
	return nil
}

func (s *Server) cancelOffer(ctx context.Context, c Caller, in *OfferParam) (*offerOutput, error) {
	if err := s.ownOffer(ctx, c, in.Offer.id); err != nil {
		return nil, err
	}
	if _, err := s.change(ctx, exchange.CancelOffer{Provider: c.Account, Offer: in.Offer.id}, closedAlready("offer")); err != nil {
		return nil, err
	}
	return s.getOffer(ctx, c, in)
}
