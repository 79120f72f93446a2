package exchange

import (
	"cmp"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// maxAhead bounds how far in the future an order may reach, so that minutes and
// their instants stay far from overflow.
const maxAhead = 20 * 366 * corehour.MinutesPerDay

func (s *State) placeOffer(c PlaceOffer) Reply {
	provider := s.accountNamed[c.Provider]
	if provider == nil {
		return reject(CodeUnknownAccount, "provider", "there is no such account")
	}
	o := &offer{Offer: corehour.Offer{
		Product: c.Product, Provider: c.Provider, Org: provider.org, Region: c.Region, Units: c.Units,
		From: max(c.From, s.startable()), To: c.To, Price: c.Price, Carbon: c.Carbon, SLA: cmp.Or(c.SLA, corehour.SLABasic),
		Interruptible: c.Interruptible, MinFill: cmp.Or(c.MinFill, 1), MinDuration: cmp.Or(c.MinDuration, 1),
		TakeOrPay: c.TakeOrPay, ClientID: c.ClientID, PlacedAt: s.now,
	}}
	if refusal := s.checkOffer(o); refusal.Rejected() {
		return refusal
	}
	s.lastOffer++
	s.lastArrival++
	o.ID, o.arrival = s.lastOffer, s.lastArrival
	s.offers[o.ID] = o
	s.schedule(offerDeadline(o), offerWindowPasses, uint64(o.ID))
	s.emit(corehour.EventOfferPlaced, o.ID.String(), o.Offer)
	reply := Reply{Offer: o.ID}
	p := s.productNamed[o.Product]
	s.fill(p.book.PlaceOffer(s.startable(), s.bookOffer(o)), &reply)
	return reply
}

func (s *State) checkOffer(o *offer) Reply {
	_, knownRegion := s.regionNamed[o.Region]
	switch {
	case s.productNamed[o.Product] == nil:
		return reject(CodeUnknownProduct, "product", "there is no such product")
	case !knownRegion:
		return reject(CodeUnknownRegion, "region", "there is no such region")
	case o.ClientID != "" && !corehour.ValidName(o.ClientID):
		return badName("client_id")
	case o.Units < 1 || o.Units > corehour.MaxUnits:
		return reject(CodeOutOfRange, "units", "units are 1 to 1000000")
	case o.To > s.startable().Add(maxAhead):
		return reject(CodeOutOfRange, "to", "an offer ends within twenty years")
	case o.MinDuration < 1 || o.MinDuration > corehour.MaxDuration:
		return reject(CodeOutOfRange, "min_duration_minutes", "a minimum duration is 1 minute to 366 days")
	case o.To.Sub(o.From) < o.MinDuration:
		return reject(CodeWindowTooShort, "to", "no lease of the minimum duration fits between now and the end of the window")
	case o.Carbon < 0 || o.Carbon > corehour.MaxCarbonRate:
		return reject(CodeOutOfRange, "carbon_g", "carbon is 0 to 1000000 g per unit-hour")
	case o.SLA < corehour.SLABasic || o.SLA > corehour.SLAPremium:
		return reject(CodeOutOfRange, "sla", "a tier is basic, standard or premium")
	case o.MinFill < 1 || o.MinFill > o.Units:
		return reject(CodeOutOfRange, "min_fill", "a minimum fill is 1 to the offer's units")
	case o.TakeOrPay < 0 || o.TakeOrPay > corehour.WholeShare:
		return reject(CodeOutOfRange, "take_or_pay_bps", "a share is 0 to 10000 basis points")
	case len(s.offers) >= MaxOpenOffers:
		return reject(CodeTooMany, "", "the exchange has no room for more open offers")
	}
	return checkPrice(o.Price, "price")
}

func checkPrice(p corehour.Price, field string) Reply {
	switch {
	case p < corehour.Tick || p > corehour.MaxPrice:
		return reject(CodeOutOfRange, field, "a price is 0.000001 to 1000000 per unit-hour")
	case !p.OnTick():
		return reject(CodeOffTick, field, "a price is a whole number of ticks of 0.000001")
	}
	return Reply{}
}

// offerDeadline is the first instant at which no lease of the offer can start.
func offerDeadline(o *offer) corehour.Instant {
	return o.To.Add(-o.MinDuration).Instant() + 1
}

func (s *State) bookOffer(o *offer) orderbook.Offer {
	provider := s.accountNamed[o.Provider]
	return orderbook.Offer{
		ID: o.ID, Arrival: o.arrival, Provider: provider.index, Org: provider.orgIndex, Region: s.regionNamed[o.Region],
		Units: o.Units, From: o.From, To: o.To, Price: o.Price, Carbon: o.Carbon, SLA: o.SLA,
		Interruptible: o.Interruptible, MinFill: o.MinFill, MinDuration: o.MinDuration,
	}
}

func (s *State) cancelOffer(c CancelOffer) Reply {
	o := s.offers[c.Offer]
	if o == nil || o.Provider != c.Provider {
		return reject(CodeUnknownOffer, "offer", "there is no such open offer")
	}
	s.closeOffer(o, corehour.CloseCancelled)
	return Reply{Offer: o.ID, Closed: corehour.CloseCancelled}
}

// closeOffer takes an offer out of the book; nil is one that has left already.
func (s *State) closeOffer(o *offer, reason corehour.CloseReason) {
	if o == nil {
		return
	}
	if !s.productNamed[o.Product].book.CancelOffer(o.ID) {
		panic("exchange: open " + o.ID.String() + " is not in its book")
	}
	delete(s.offers, o.ID)
	s.emit(corehour.EventOfferClosed, o.ID.String(), corehour.OfferClosed{Offer: o.ID, Reason: reason})
}

func (s *State) placeBid(c PlaceBid) Reply {
	consumer := s.accountNamed[c.Consumer]
	if consumer == nil {
		return reject(CodeUnknownAccount, "consumer", "there is no such account")
	}
	b := &bid{Bid: s.bidOf(c, consumer)}
	entry, refusal := s.checkBid(b)
	if refusal.Rejected() {
		return refusal
	}
	hold, ok := corehour.CostWithin(b.Limit, b.Units, b.Duration, corehour.MaxMoney)
	switch {
	case !ok:
		return reject(CodeTooLarge, "units", "units x duration x limit price is more than a billion")
	case consumer.available < hold:
		return reject(CodeInsufficientFunds, "limit_price",
			fmt.Sprintf("the bid may cost %s, available is %s", hold, consumer.available))
	}
	s.lastBid++
	s.lastArrival++
	b.ID, b.arrival, b.hold = s.lastBid, s.lastArrival, hold
	entry.ID, entry.Arrival = b.ID, b.arrival
	consumer.hold(hold)
	s.bids[b.ID] = b
	s.emit(corehour.EventBidPlaced, b.ID.String(), corehour.BidPlaced{Bid: b.Bid, Hold: hold})

	reply := Reply{Bid: b.ID}
	p := s.productNamed[b.Product]
	s.fill(p.book.PlaceBid(s.startable(), entry), &reply)
	s.restOrClose(b, &reply)
	reply.Hold = b.hold + b.leaseHolds
	return reply
}

// restOrClose ends a bid that its first match did not leave in the book.
func (s *State) restOrClose(b *bid, reply *Reply) {
	switch {
	case s.bids[b.ID] == nil: // its last unit or lease closed it
	case b.TimeInForce == corehour.ImmediateOrCancel || b.TimeInForce == corehour.FillOrKill:
		s.endBid(b, corehour.CloseUnfilled)
	default:
		reply.Open = b.open
		s.schedule(bidDeadline(b), bidWindowPasses, uint64(b.ID))
		if b.TimeInForce == corehour.GoodTillTime {
			s.schedule(b.ExpiresAt, bidExpires, uint64(b.ID))
		}
		return
	}
	reply.Closed = b.closedFor()
}

// closedFor is why a bid that has just been placed is closed already.
func (b *bid) closedFor() corehour.CloseReason {
	switch {
	case b.open == 0:
		return corehour.CloseFilled
	case b.leasesLeft == 0:
		return corehour.CloseMaxLeases
	}
	return corehour.CloseUnfilled
}

func (s *State) bidOf(c PlaceBid, consumer *account) corehour.Bid {
	earliest := max(c.EarliestStart, s.startable())
	return corehour.Bid{
		Product: c.Product, Consumer: c.Consumer, Org: consumer.org, Units: c.Units, Duration: c.Duration,
		EarliestStart: earliest, LatestEnd: cmp.Or(c.LatestEnd, earliest.Add(c.Duration)), Limit: c.Limit,
		Regions: c.Regions, Providers: c.Providers, MaxCarbon: c.MaxCarbon, CarbonPrice: c.CarbonPrice,
		MinSLA: cmp.Or(c.MinSLA, corehour.SLABasic), Interruptible: c.Interruptible, MinFill: cmp.Or(c.MinFill, 1),
		MaxLeases: cmp.Or(c.MaxLeases, corehour.MaxLeasesPerBid), TimeInForce: cmp.Or(c.TimeInForce, corehour.GoodTillCancelled),
		ExpiresAt: c.ExpiresAt, ClientID: c.ClientID, PlacedAt: s.now,
	}
}

// bidDeadline is the first instant at which no lease of the bid can start.
func bidDeadline(b *bid) corehour.Instant {
	return b.LatestEnd.Add(-b.Duration).Instant() + 1
}

func (s *State) checkBid(b *bid) (orderbook.Bid, Reply) {
	none := orderbook.Bid{}
	switch {
	case s.productNamed[b.Product] == nil:
		return none, reject(CodeUnknownProduct, "product", "there is no such product")
	case b.ClientID != "" && !corehour.ValidName(b.ClientID):
		return none, badName("client_id")
	case b.Units < 1 || b.Units > corehour.MaxUnits:
		return none, reject(CodeOutOfRange, "units", "units are 1 to 1000000")
	case b.Duration < 1 || b.Duration > corehour.MaxDuration:
		return none, reject(CodeOutOfRange, "duration_minutes", "a duration is 1 minute to 366 days")
	case int64(b.Units)*int64(b.Duration) > corehour.MaxUnitMinutes:
		return none, reject(CodeTooLarge, "units", "units x duration is more than 2500000000 unit-hours")
	case b.EarliestStart > s.startable().Add(maxAhead):
		return none, reject(CodeOutOfRange, "earliest_start", "a bid starts within twenty years")
	case b.LatestEnd > s.startable().Add(maxAhead+corehour.MaxDuration):
		return none, reject(CodeOutOfRange, "latest_end", "a bid ends within twenty-one years")
	case b.LatestEnd.Add(-b.Duration) < s.startable():
		return none, reject(CodeWindowPassed, "latest_end", "there is no start left that ends in time")
	case b.LatestEnd.Sub(b.EarliestStart) < b.Duration:
		return none, reject(CodeWindowTooShort, "latest_end", "the duration does not fit between earliest start and latest end")
	case b.MaxCarbon != nil && (*b.MaxCarbon < 0 || *b.MaxCarbon > corehour.MaxCarbonRate):
		return none, reject(CodeOutOfRange, "max_carbon_g", "carbon is 0 to 1000000 g per unit-hour")
	case b.CarbonPrice < 0 || b.CarbonPrice > corehour.MaxCarbonPrice:
		return none, reject(CodeOutOfRange, "carbon_price", "a carbon price is 0 to 1000000 per tonne")
	case b.MinSLA < corehour.SLABasic || b.MinSLA > corehour.SLAPremium:
		return none, reject(CodeOutOfRange, "min_sla", "a tier is basic, standard or premium")
	case b.MinFill < 1 || b.MinFill > b.Units:
		return none, reject(CodeOutOfRange, "min_fill", "a minimum fill is 1 to the bid's units")
	case b.MaxLeases < 1 || b.MaxLeases > corehour.MaxLeasesPerBid:
		return none, reject(CodeOutOfRange, "max_leases", "a bid becomes 1 to 1000 leases")
	case len(s.bids) >= MaxOpenBids:
		return none, reject(CodeTooMany, "", "the exchange has no room for more open bids")
	}
	if refusal := s.checkTimeInForce(b); refusal.Rejected() {
		return none, refusal
	}
	if refusal := checkPrice(b.Limit, "limit_price"); refusal.Rejected() {
		return none, refusal
	}
	b.open, b.leasesLeft = b.Units, b.MaxLeases
	return s.bookBid(b)
}

func (s *State) checkTimeInForce(b *bid) Reply {
	timed := b.TimeInForce == corehour.GoodTillTime
	switch {
	case b.TimeInForce < corehour.GoodTillCancelled || b.TimeInForce > corehour.FillOrKill:
		return reject(CodeOutOfRange, "time_in_force", "a time in force is gtc, gtt, ioc or fok")
	case timed && b.ExpiresAt == 0:
		return reject(CodeOutOfRange, "expires_at", "a gtt bid says when it expires")
	case !timed && b.ExpiresAt != 0:
		return reject(CodeOutOfRange, "expires_at", "only a gtt bid expires")
	case timed && b.ExpiresAt <= s.now:
		return reject(CodeExpired, "expires_at", "this time has passed")
	case timed && b.ExpiresAt > s.startable().Add(maxAhead).Instant():
		return reject(CodeOutOfRange, "expires_at", "a bid expires within twenty years")
	}
	return Reply{}
}

// bookBid resolves the names of a bid.
func (s *State) bookBid(b *bid) (orderbook.Bid, Reply) {
	if max(len(b.Regions.Allow), len(b.Regions.Deny)) > corehour.MaxListed {
		return orderbook.Bid{}, reject(CodeTooMany, "regions", "a list has at most 256 names")
	}
	if max(len(b.Providers.Allow), len(b.Providers.Deny)) > corehour.MaxListed {
		return orderbook.Bid{}, reject(CodeTooMany, "providers", "a list has at most 256 names")
	}
	regions, region, ok := s.regionSet(b.Regions)
	if !ok {
		return orderbook.Bid{}, reject(CodeUnknownRegion, "regions", fmt.Sprintf("there is no region %.64q", region))
	}
	providers, provider, ok := s.providerSet(b.Providers)
	if !ok {
		return orderbook.Bid{}, reject(CodeUnknownAccount, "providers", fmt.Sprintf("there is no provider %.64q", provider))
	}
	entry := orderbook.Bid{
		ID: b.ID, Arrival: b.arrival, Org: s.accountNamed[b.Consumer].orgIndex, Units: b.open, Duration: b.Duration,
		EarliestStart: b.EarliestStart, LatestEnd: b.LatestEnd, Limit: b.Limit, Regions: regions, Providers: providers,
		MaxCarbon: orderbook.NoCarbonCap, CarbonPrice: b.CarbonPrice, MinSLA: b.MinSLA, Interruptible: b.Interruptible,
		MinFill: b.MinFill, AllOrNone: b.Units > 1 && b.MinFill == b.Units, MaxLeases: b.leasesLeft, TimeInForce: b.TimeInForce,
	}
	if b.MaxCarbon != nil {
		entry.MaxCarbon = *b.MaxCarbon
	}
	return entry, Reply{}
}

func (s *State) cancelBid(c CancelBid) Reply {
	b := s.bids[c.Bid]
	if b == nil || b.Consumer != c.Consumer {
		return reject(CodeUnknownBid, "bid", "there is no such open bid")
	}
	s.closeBid(b, corehour.CloseCancelled)
	return Reply{Bid: b.ID, Closed: corehour.CloseCancelled}
}

// closeBid takes a resting bid out of the book; nil is one that has left already.
func (s *State) closeBid(b *bid, reason corehour.CloseReason) {
	if b == nil {
		return
	}
	if _, ok := s.productNamed[b.Product].book.CancelBid(b.ID); !ok {
		panic("exchange: open " + b.ID.String() + " is not in its book")
	}
	s.endBid(b, reason)
}

// endBid ends a bid that is in no book and gives back what it still holds.
func (s *State) endBid(b *bid, reason corehour.CloseReason) {
	released := b.hold
	b.hold = 0
	s.accountNamed[b.Consumer].release(released)
	delete(s.bids, b.ID)
	s.emit(corehour.EventBidClosed, b.ID.String(), corehour.BidClosed{
		Bid: b.ID, Consumer: b.Consumer, Reason: reason, Open: b.open, Released: released,
	})
}
