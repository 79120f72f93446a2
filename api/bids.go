package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// PlaceBid is the body of POST /v1/bids.
type PlaceBid struct {
	BidTerms
	ClientID string             `json:"client_id,omitempty" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for this bid. With the same name it is placed once." example:"job-4711"`
	Session  corehour.SessionID `json:"session,omitempty" maxLength:"64" doc:"The open session that takes it back when it ends; none if not given." example:"desk-1"`
}

// BidTerms are what a bid asks for, also one of a group and one that is only
// quoted.
type BidTerms struct {
	Product          corehour.ProductID    `json:"product" maxLength:"64" doc:"What is sought." example:"cpu.standard"`
	Units            corehour.Units        `json:"units" minimum:"1" maximum:"1000000" doc:"How many units." example:"16"`
	Duration         corehour.Minutes      `json:"duration_minutes" minimum:"1" maximum:"527040" doc:"For how long, all units alike." example:"120"`
	EarliestStart    corehour.Minute       `json:"earliest_start,omitzero" doc:"When it may start, a whole minute; the next whole minute if not given." example:"2026-03-01T12:00:00Z"`
	LatestEnd        corehour.Minute       `json:"latest_end,omitzero" doc:"When it must have ended, a whole minute; earliest_start and the duration if not given." example:"2026-03-02T12:00:00Z"`
	Limit            corehour.Price        `json:"limit_price" doc:"The most that a unit-hour may cost, with the carbon it emits at carbon_price; on a tick of 0.000001." example:"0.04"`
	Regions          *AllowedRegions       `json:"regions,omitempty" doc:"Where it may run, by region. It may run where regions, countries or continents allow it (anywhere if none of them allows anything) and none of them denies it."`
	Countries        *AllowedCountries     `json:"countries,omitempty" doc:"Where it may run, by country; also regions that are defined later."`
	Continents       *AllowedContinents    `json:"continents,omitempty" doc:"Where it may run, by continent; also regions that are defined later."`
	Providers        *AllowedProviders     `json:"providers,omitempty" doc:"Whose capacity it may be; anybody's if not given."`
	MaxCarbon        *corehour.CarbonRate  `json:"max_carbon_g,omitempty" doc:"The most grams of CO2 equivalent that a unit-hour may emit on average over a lease; no cap if not given." example:"100.00"`
	CarbonPrice      corehour.CarbonPrice  `json:"carbon_price,omitempty" doc:"What a tonne of CO2 equivalent counts for when offers are ranked; 0 if not given." example:"80.00"`
	MinSLA           corehour.SLA          `json:"min_sla,omitempty" doc:"The least tier of service; basic if not given." example:"basic"`
	Interruptible    bool                  `json:"accepts_interruptible,omitempty" doc:"Whether interruptible capacity will do." example:"true"`
	CoverInterrupted bool                  `json:"cover_interrupted,omitempty" doc:"Whether the exchange bids again for the hours that an interrupted lease of it does not deliver; it does so for a firm one that fails." example:"true"`
	MaxTakeOrPay     *corehour.BasisPoints `json:"max_take_or_pay_bps,omitempty" minimum:"0" maximum:"10000" doc:"The largest share billed even if unused that it accepts, in ten-thousandths; any if not given." example:"5000"`
	MinFill          corehour.Units        `json:"min_fill,omitempty" minimum:"1" maximum:"1000000" doc:"The fewest units of one lease; equal to units it is all or none. 1 if not given." example:"1"`
	MaxLeases        int64                 `json:"max_leases,omitempty" minimum:"1" maximum:"1000" doc:"How many leases it may become; 1000 if not given." example:"4"`
	MinPiece         corehour.Minutes      `json:"min_piece_minutes,omitempty" minimum:"1" maximum:"527040" doc:"Lets it take its duration in pieces of at least so many minutes, at most max_leases of them and none at the same time as another, each with all its units from one offer; in one piece if not given." example:"60"`
	PostOnly         bool                  `json:"post_only,omitempty" doc:"Refuse it with would_trade, rather than let it fill at once." example:"false"`
	TimeInForce      corehour.TimeInForce  `json:"time_in_force,omitempty" doc:"gtc until cancelled, gtt until expires_at, ioc now or never, fok all of it now or nothing; gtc if not given." example:"gtc"`
	ExpiresAt        corehour.Instant      `json:"expires_at,omitzero" doc:"When a gtt bid ends." example:"2026-03-01T18:00:00Z"`
}

// AllowedRegions restricts where a bid may run. Deny wins over allow.
type AllowedRegions struct {
	Allow []corehour.RegionID `json:"allow,omitempty" maxItems:"256" doc:"These."`
	Deny  []corehour.RegionID `json:"deny,omitempty" maxItems:"256" doc:"None of these."`
}

// AllowedCountries restricts where a bid may run. Deny wins over allow.
type AllowedCountries struct {
	Allow []Country `json:"allow,omitempty" maxItems:"256" doc:"These, by ISO 3166-1 alpha-2."`
	Deny  []Country `json:"deny,omitempty" maxItems:"256" doc:"None of these."`
}

// AllowedContinents restricts where a bid may run. Deny wins over allow.
type AllowedContinents struct {
	Allow []Continent `json:"allow,omitempty" maxItems:"6" doc:"These."`
	Deny  []Continent `json:"deny,omitempty" maxItems:"6" doc:"None of these."`
}

// AllowedProviders restricts whose capacity a bid may take. Deny wins over allow.
type AllowedProviders struct {
	Allow []corehour.AccountID `json:"allow,omitempty" maxItems:"256" doc:"Only these; all if empty."`
	Deny  []corehour.AccountID `json:"deny,omitempty" maxItems:"256" doc:"None of these."`
}

func (b *BidTerms) check(c *checker) {
	c.minute("earliest_start", b.EarliestStart)
	c.minute("latest_end", b.LatestEnd)
	c.price("limit_price", b.Limit)
	if b.MaxCarbon != nil {
		c.carbon("max_carbon_g", *b.MaxCarbon)
	}
	c.carbonPrice("carbon_price", b.CarbonPrice)
	c.atMost("min_fill", b.MinFill, "units", b.Units)
	if b.MinPiece > b.Duration {
		c.add(exchange.CodeOutOfRange, "min_piece_minutes", "expected at most duration_minutes, which is %d", b.Duration)
	}
	switch gtt := b.TimeInForce == corehour.GoodTillTime; {
	case gtt && b.ExpiresAt == 0:
		c.add(CodeMissingField, "expires_at", "a gtt bid says when it ends")
	case !gtt && b.ExpiresAt != 0:
		c.add(corehour.CodeInvalid, "expires_at", "only a gtt bid has it")
	}
}

func (b *PlaceBid) command(consumer corehour.AccountID) exchange.PlaceBid {
	c := b.BidTerms.command(consumer)
	c.ClientID, c.Session = b.ClientID, b.Session
	return c
}

func (b *BidTerms) command(consumer corehour.AccountID) exchange.PlaceBid {
	c := exchange.PlaceBid{
		Product: b.Product, Consumer: consumer, Units: b.Units, Duration: b.Duration,
		EarliestStart: b.EarliestStart, LatestEnd: b.LatestEnd, Limit: b.Limit,
		MaxCarbon: b.MaxCarbon, CarbonPrice: b.CarbonPrice, MinSLA: b.MinSLA, Interruptible: b.Interruptible,
		MaxTakeOrPay: b.MaxTakeOrPay, MinFill: b.MinFill, MaxLeases: int(b.MaxLeases), MinPiece: b.MinPiece, PostOnly: b.PostOnly,
		TimeInForce: b.TimeInForce, ExpiresAt: b.ExpiresAt, CoverInterrupted: b.CoverInterrupted,
	}
	if b.Regions != nil {
		c.Regions = corehour.Allowed[corehour.RegionID]{Allow: b.Regions.Allow, Deny: b.Regions.Deny}
	}
	if b.Countries != nil {
		c.Countries = corehour.Allowed[string]{Allow: textsOf(b.Countries.Allow), Deny: textsOf(b.Countries.Deny)}
	}
	if b.Continents != nil {
		c.Continents = corehour.Allowed[string]{Allow: textsOf(b.Continents.Allow), Deny: textsOf(b.Continents.Deny)}
	}
	if b.Providers != nil {
		c.Providers = corehour.Allowed[corehour.AccountID]{Allow: b.Providers.Allow, Deny: b.Providers.Deny}
	}
	return c
}

func textsOf[T ~string](names []T) []string {
	var texts []string
	for _, name := range names {
		texts = append(texts, string(name))
	}
	return texts
}

// BidPlaced is the answer to POST /v1/bids.
type BidPlaced struct {
	Bid corehour.BidID `json:"bid"`
	BidResult
}

// BidResult is what became of a bid when it was placed.
type BidResult struct {
	Status exchange.OrderStatus `json:"status"`
	Units  corehour.Units       `json:"units" doc:"How many units were sought."`
	Filled corehour.Units       `json:"filled" doc:"How many of them it got at once; of a bid in pieces none before the last piece is found."`
	Open   corehour.Units       `json:"open" doc:"How many it still seeks."`
	Left   corehour.Minutes     `json:"left_minutes" doc:"For how many minutes it seeks each of them: the duration, or what its pieces have not covered; 0 where nothing is open."`
	Closed corehour.CloseReason `json:"closed,omitempty"`
	Hold   corehour.Money       `json:"hold" doc:"What is held of the account's funds for its open units and its leases."`
	Fills  []Fill               `json:"fills" doc:"The leases that it became at once."`
}

func resultOf(b *BidTerms, reply *exchange.Reply) BidResult {
	r := BidResult{
		Status: statusOfOrder(reply.Closed), Units: b.Units, Open: reply.Open, Left: reply.Left, Closed: reply.Closed, Hold: reply.Hold,
	}
	r.Fills, r.Filled = fillsOf(reply.Fills)
	switch {
	case b.MinPiece == 0 && r.Open > 0:
		r.Left = b.Duration
	case b.MinPiece > 0 && r.Closed == corehour.CloseFilled:
		r.Filled = b.Units
	case b.MinPiece > 0:
		r.Filled = 0 // a piece has all units, for part of the time
	}
	return r
}

// BidParam is the input of what is about one bid.
type BidParam struct {
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
	return createdAt("/v1/bids/"+reply.Bid.String(), reply.Repeat, bidPlaced(&in.Body.value, &reply)), nil
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

func (s *Server) getBid(ctx context.Context, c Caller, in *BidParam) (*bidOutput, error) {
	view, err := s.config.Exchange.Bid(ctx, in.Bid.id)
	if err != nil {
		return nil, hidden(err, "bid")
	}
	if !c.readsAll() && view.Consumer != c.Account {
		return nil, notFound("bid")
	}
	return &bidOutput{Body: view}, nil
}

func (s *Server) cancelBid(ctx context.Context, c Caller, in *BidParam) (*bidOutput, error) {
	if _, err := s.getBid(ctx, c, in); err != nil {
		return nil, err
	}
	if _, err := s.change(ctx, exchange.CancelBid{Consumer: c.Account, Bid: in.Bid.id}, closedAlready("bid")); err != nil {
		return nil, err
	}
	return s.getBid(ctx, c, in)
}
