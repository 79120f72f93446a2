package exchange

import (
	"cmp"

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
	o := &offer{Offer: s.offerOf(c, provider)}
	switch refusal := s.checkOffer(&o.Offer); {
	case refusal.Rejected():
		return refusal
	case len(s.offers) >= MaxOpenOffers:
		return reject(CodeTooMany, "", "the exchange has no room for more open offers")
	}
	var refusal Reply
	if o.session, refusal = provider.sessionFor(c.Session, 1); refusal.Rejected() {
		return refusal
	}
	limits := s.limitsOf(provider)
	if refusal = s.trades(s.productNamed[o.Product]); !refusal.Rejected() {
		refusal = s.sellable(limits, provider, &o.Offer, 1)
	}
	if refusal.Rejected() {
		return refusal
	}
	reply := s.enterOffer(o)
	if !reply.Rejected() {
		s.counted(limits, provider)
	}
	return reply
}

// sellable refuses an offer, or new terms of one, of a provider that is halted or
// where they go beyond its limits.
func (s *State) sellable(l *corehour.Limits, provider *account, o *corehour.Offer, orders int) Reply {
	refusal := provider.sells()
	if l == nil || refusal.Rejected() {
		return refusal
	}
	if refusal = s.offerWithin(l, o); refusal.Rejected() {
		return refusal
	}
	return s.withinLimits(l, provider, request{orders: orders})
}

// enterOffer gives a checked offer its number and its place in the book, and lets
// it match. A post-only offer that would trade leaves everything as it was.
func (s *State) enterOffer(o *offer) Reply {
	o.ID, o.arrival = s.lastOffer+1, s.lastArrival+1
	entry := s.bookOffer(&o.Offer, o.arrival)
	ref, out := s.bookOf(o.Product).PlaceOffer(s.startable(), &entry)
	if out.Refused {
		return wouldTrade("offer")
	}
	s.lastOffer++
	s.lastArrival++
	o.ref = ref
	s.listOffer(o)
	s.schedule(offerDeadline(o), offerWindowPasses, uint64(o.ID))
	s.emit(corehour.EventOfferPlaced, o.ID.String(), o.Offer)
	reply := Reply{Offer: o.ID}
	s.fill(out, &reply)
	return reply
}

func wouldTrade(noun string) Reply {
	return reject(CodeWouldTrade, "post_only", "the "+noun+" would trade at once")
}

func (s *State) offerOf(c PlaceOffer, provider *account) corehour.Offer {
	o := corehour.Offer{
		Product: c.Product, Provider: c.Provider, Org: provider.org, Region: c.Region, Units: c.Units,
		From: max(c.From, s.startable()), To: c.To, Price: c.Price, Carbon: c.Carbon, Energy: c.Energy, Zone: c.Zone,
		SLA: cmp.Or(c.SLA, corehour.SLABasic), Interruptible: c.Interruptible, MinFill: cmp.Or(c.MinFill, 1),
		MinDuration: cmp.Or(c.MinDuration, 1), TakeOrPay: c.TakeOrPay, PostOnly: c.PostOnly, ClientID: c.ClientID,
		Session: c.Session, PlacedAt: s.now,
	}
	if region, known := s.regionNamed[o.Region]; known && o.Energy != 0 && o.Zone == "" {
		o.Zone = s.regions[region].Zone
	}
	return o
}

// checkOffer refuses terms that are out of their range, of a new offer or of one
// that is amended, in an order that stays (see checkTerms).
func (s *State) checkOffer(o *corehour.Offer) Reply {
	_, knownRegion := s.regionNamed[o.Region]
	from := max(o.From, s.startable())
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
	case o.To < from || o.To.Sub(from) < o.MinDuration:
		return reject(CodeWindowTooShort, "to", "no lease of the minimum duration fits between now and the end of the window")
	}
	if refusal := s.checkCarbon(o); refusal.Rejected() {
		return refusal
	}
	switch {
	case o.SLA < corehour.SLABasic || o.SLA > corehour.SLAPremium:
		return reject(CodeOutOfRange, "sla", "a tier is basic, standard or premium")
	case o.MinFill < 1 || o.MinFill > o.Units:
		return reject(CodeOutOfRange, "min_fill", "a minimum fill is 1 to the offer's units")
	case o.TakeOrPay < 0 || o.TakeOrPay > corehour.WholeShare:
		return reject(CodeOutOfRange, "take_or_pay_bps", "a share is 0 to 10000 basis points")
	}
	return checkPrice(o.Price, "price")
}

// checkCarbon lets an offer assert a fixed figure or state its energy in a zone.
func (s *State) checkCarbon(o *corehour.Offer) Reply {
	_, knownZone := s.zoneNamed[o.Zone]
	switch {
	case o.Carbon < 0 || o.Carbon > corehour.MaxCarbonRate:
		return reject(CodeOutOfRange, "carbon_g", "carbon is 0 to 1000000 g per unit-hour")
	case o.Energy < 0 || o.Energy > corehour.MaxEnergy:
		return reject(CodeOutOfRange, "energy_wh", "energy is 0 to 100000 Wh per unit-hour")
	case o.Energy > 0 && o.Carbon > 0:
		return reject(CodeExclusive, "energy_wh", "an offer states its energy or asserts its carbon, not both")
	case o.Energy == 0 && o.Zone != "":
		return reject(CodeExclusive, "zone", "a zone is for an offer that states its energy")
	case o.Energy > 0 && !knownZone:
		return reject(CodeUnknownZone, "zone", "this grid zone is not defined")
	}
	return Reply{}
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

func (s *State) bookOffer(o *corehour.Offer, arrival uint64) orderbook.Offer {
	provider := s.accountNamed[o.Provider]
	carbon := orderbook.Carbon{Rate: o.Carbon}
	if o.Energy > 0 {
		carbon = orderbook.Carbon{Zone: s.zoneNamed[o.Zone], Energy: o.Energy}
	}
	return orderbook.Offer{
		ID: o.ID, Arrival: rankOf(arrival, 0), Provider: provider.index, Org: provider.orgIndex, Region: s.regionNamed[o.Region],
		Units: o.Units, From: o.From, To: o.To, Price: o.Price, Carbon: carbon, SLA: o.SLA, Interruptible: o.Interruptible,
		MinFill: o.MinFill, MinDuration: o.MinDuration, TakeOrPay: o.TakeOrPay, PostOnly: o.PostOnly,
	}
}

// closeOffer takes an offer out of the book.
func (s *State) closeOffer(o *offer, reason corehour.CloseReason) {
	if !s.bookOf(o.Product).CancelOffer(o.ref) {
		panic("exchange: open " + o.ID.String() + " is not in its book")
	}
	s.unlistOffer(o)
	s.emit(corehour.EventOfferClosed, o.ID.String(), corehour.OfferClosed{Offer: o.ID, Reason: reason})
}
