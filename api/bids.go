package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// PlaceBid is the body of POST /v1/bids.
type PlaceBid struct {
	Product       corehour.ProductID   `json:"product" maxLength:"64" doc:"What is sought." example:"cpu.standard"`
	Units         corehour.Units       `json:"units" minimum:"1" maximum:"1000000" doc:"How many units." example:"16"`
	Duration      corehour.Minutes     `json:"duration_minutes" minimum:"1" maximum:"527040" doc:"For how long, all units alike." example:"120"`
	EarliestStart corehour.Minute      `json:"earliest_start,omitzero" doc:"When it may start, a whole minute; the next whole minute if not given." example:"2026-03-01T12:00:00Z"`
	LatestEnd     corehour.Minute      `json:"latest_end,omitzero" doc:"When it must have ended, a whole minute; earliest_start and the duration if not given." example:"2026-03-02T12:00:00Z"`
	Limit         corehour.Price       `json:"limit_price" doc:"The most that a unit-hour may cost, with the carbon it emits at carbon_price; on a tick of 0.000001." example:"0.04"`
	Regions       *AllowedRegions      `json:"regions,omitempty" doc:"Where it may run; anywhere if not given."`
	Providers     *AllowedProviders    `json:"providers,omitempty" doc:"Whose capacity it may be; anybody's if not given."`
	MaxCarbon     *corehour.CarbonRate `json:"max_carbon_g,omitempty" doc:"The most grams of CO2 equivalent that a unit-hour may emit; no cap if not given." example:"100.00"`
	CarbonPrice   corehour.CarbonPrice `json:"carbon_price,omitempty" doc:"What a tonne of CO2 equivalent counts for when offers are ranked; 0 if not given." example:"80.00"`
	MinSLA        corehour.SLA         `json:"min_sla,omitempty" doc:"The least tier of service; basic if not given." example:"basic"`
	Interruptible bool                 `json:"accepts_interruptible,omitempty" doc:"Whether interruptible capacity will do." example:"true"`
	MinFill       corehour.Units       `json:"min_fill,omitempty" minimum:"1" maximum:"1000000" doc:"The fewest units of one lease; equal to units it is all or none. 1 if not given." example:"1"`
	MaxLeases     int64                `json:"max_leases,omitempty" minimum:"1" maximum:"1000" doc:"How many leases it may become; 1000 if not given." example:"4"`
	TimeInForce   corehour.TimeInForce `json:"time_in_force,omitempty" doc:"gtc until cancelled, gtt until expires_at, ioc now or never, fok all of it now or nothing; gtc if not given." example:"gtc"`
	ExpiresAt     corehour.Instant     `json:"expires_at,omitzero" doc:"When a gtt bid ends." example:"2026-03-01T18:00:00Z"`
	ClientID      string               `json:"client_id,omitempty" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for this bid. With the same name it is placed once." example:"job-4711"`
}

// AllowedRegions restricts where a bid may run. Deny wins over allow.
type AllowedRegions struct {
	Allow []corehour.RegionID `json:"allow,omitempty" maxItems:"256" doc:"Only these; all if empty."`
	Deny  []corehour.RegionID `json:"deny,omitempty" maxItems:"256" doc:"None of these."`
}

// AllowedProviders restricts whose capacity a bid may take. Deny wins over allow.
type AllowedProviders struct {
	Allow []corehour.AccountID `json:"allow,omitempty" maxItems:"256" doc:"Only these; all if empty."`
	Deny  []corehour.AccountID `json:"deny,omitempty" maxItems:"256" doc:"None of these."`
}

func (b *PlaceBid) check(c *checker) {
	c.minute("earliest_start", b.EarliestStart)
	c.minute("latest_end", b.LatestEnd)
	c.price("limit_price", b.Limit)
	if b.MaxCarbon != nil {
		c.carbon("max_carbon_g", *b.MaxCarbon)
	}
	c.carbonPrice("carbon_price", b.CarbonPrice)
	c.atMost("min_fill", b.MinFill, "units", b.Units)
	switch gtt := b.TimeInForce == corehour.GoodTillTime; {
	case gtt && b.ExpiresAt == 0:
		c.add(CodeMissingField, "expires_at", "a gtt bid says when it ends")
	case !gtt && b.ExpiresAt != 0:
		c.add(corehour.CodeInvalid, "expires_at", "only a gtt bid has it")
	}
}

func (b *PlaceBid) command(consumer corehour.AccountID) exchange.PlaceBid {
	c := exchange.PlaceBid{
		Product: b.Product, Consumer: consumer, Units: b.Units, Duration: b.Duration,
		EarliestStart: b.EarliestStart, LatestEnd: b.LatestEnd, Limit: b.Limit,
		MaxCarbon: b.MaxCarbon, CarbonPrice: b.CarbonPrice, MinSLA: b.MinSLA, Interruptible: b.Interruptible,
		MinFill: b.MinFill, MaxLeases: int(b.MaxLeases), TimeInForce: b.TimeInForce, ExpiresAt: b.ExpiresAt, ClientID: b.ClientID,
	}
	if b.Regions != nil {
		c.Regions = corehour.Allowed[corehour.RegionID]{Allow: b.Regions.Allow, Deny: b.Regions.Deny}
	}
	if b.Providers != nil {
		c.Providers = corehour.Allowed[corehour.AccountID]{Allow: b.Providers.Allow, Deny: b.Providers.Deny}
	}
	return c
}

// BidPlaced is the answer to POST /v1/bids.
type BidPlaced struct {
	Bid    corehour.BidID       `json:"bid"`
	Status exchange.OrderStatus `json:"status"`
	Units  corehour.Units       `json:"units" doc:"How many units were sought."`
	Filled corehour.Units       `json:"filled" doc:"How many of them it got at once."`
	Open   corehour.Units       `json:"open" doc:"How many it still seeks."`
	Closed corehour.CloseReason `json:"closed,omitempty"`
	Hold   corehour.Money       `json:"hold" doc:"What is held of the account's funds for its open units and its leases."`
	Fills  []Fill               `json:"fills" doc:"The leases that it became at once."`
}

type bidInput struct {
	Bid bidRef `path:"bid" doc:"The bid's number." example:"bid-17"`
}

type bidOutput struct {
	Body exchange.BidView
}

func (s *Server) registerBids() {
	const tag = "bids"
	register(s, operation{
		id: "place-bid", method: http.MethodPost, path: "/v1/bids", tag: tag,
		summary:     "Bid for capacity",
		description: "The consumer is the token's account, whose available funds must cover what the bid may cost. The answer says what it got at once.",
		roles:       []Role{RoleConsumer}, status: http.StatusCreated, responses: replayResponse(),
	}, s.placeBid)
	register(s, operation{
		id: "list-bids", method: http.MethodGet, path: "/v1/bids", tag: tag,
		summary: "List bids", description: "A consumer sees its own; finance and operator see all.",
		roles: []Role{RoleConsumer, RoleFinance, RoleOperator},
	}, s.listBids)
	register(s, operation{
		id: "get-bid", method: http.MethodGet, path: "/v1/bids/{bid}", tag: tag,
		summary: "Read a bid", description: "A consumer reads its own; finance and operator read all.",
		roles: []Role{RoleConsumer, RoleFinance, RoleOperator},
	}, s.getBid)
	register(s, operation{
		id: "cancel-bid", method: http.MethodDelete, path: "/v1/bids/{bid}", tag: tag,
		summary: "Take back a bid", description: "Closes what is open of it and releases its hold; its leases go on.",
		roles: []Role{RoleConsumer},
	}, s.cancelBid)
}

func (s *Server) placeBid(ctx context.Context, c Caller, in *withBody[PlaceBid]) (*created[BidPlaced], error) {
	reply, err := s.submit(ctx, in.Body.value.command(c.Account))
	if err != nil {
		return nil, err
	}
	out := BidPlaced{
		Bid: reply.Bid, Status: statusOfOrder(reply.Closed), Units: in.Body.value.Units,
		Open: reply.Open, Closed: reply.Closed, Hold: reply.Hold,
	}
	out.Fills, out.Filled = fillsOf(reply.Fills)
	return createdAt("/v1/bids/"+reply.Bid.String(), reply.Repeat, out), nil
}

func (s *Server) listBids(ctx context.Context, c Caller, in *struct {
	LimitParam
	Consumer corehour.AccountID   `query:"consumer" maxLength:"64" doc:"Only bids of this account; a consumer may only name its own." example:"lab-a"`
	Product  corehour.ProductID   `query:"product" maxLength:"64" doc:"Only bids for this product." example:"cpu.standard"`
	Status   exchange.OrderStatus `query:"status" doc:"Only open or only closed ones." example:"open"`
	After    bidRef               `query:"after" doc:"The last bid of the page before." example:"bid-17"`
}) (*pageOutput[exchange.BidView], error) {
	consumer, err := c.own(in.Consumer, "query.consumer")
	if err != nil {
		return nil, err
	}
	items, err := s.config.Exchange.Bids(ctx, exchange.BidQuery{
		Consumer: consumer, Product: in.Product, Status: in.Status, After: in.After.id, Limit: in.limit(),
	})
	if err != nil {
		return nil, err
	}
	return &pageOutput[exchange.BidView]{Body: pageOf(items, in.limit(), func(b exchange.BidView) string { return b.ID.String() })}, nil
}

// own is whose things a caller may ask for: anybody's or all for who reads all,
// else its own only, named or not.
func (c *Caller) own(named corehour.AccountID, field string) (corehour.AccountID, error) {
	switch {
	case c.readsAll(), named == c.Account:
		return named, nil
	case named == "":
		return c.Account, nil
	}
	return "", &corehour.Error{Kind: corehour.KindForbidden, Code: corehour.CodeForbidden, Field: field,
		Message: "this is another account's"}
}

func (s *Server) getBid(ctx context.Context, c Caller, in *bidInput) (*bidOutput, error) {
	view, err := s.config.Exchange.Bid(ctx, in.Bid.id)
	if err != nil {
		return nil, hidden(err, "bid")
	}
	if !c.readsAll() && view.Consumer != c.Account {
		return nil, notFound("bid")
	}
	return &bidOutput{Body: view}, nil
}

func (s *Server) cancelBid(ctx context.Context, c Caller, in *bidInput) (*bidOutput, error) {
	if _, err := s.getBid(ctx, c, in); err != nil {
		return nil, err
	}
	if err := s.change(ctx, exchange.CancelBid{Consumer: c.Account, Bid: in.Bid.id}, closedAlready("bid")); err != nil {
		return nil, err
	}
	return s.getBid(ctx, c, in)
}
