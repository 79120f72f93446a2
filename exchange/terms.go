package exchange

import (
	"cmp"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// newBid is a bid of the command's terms, checked, without a number yet, and how
// the book sees it.
func (s *State) newBid(c PlaceBid) (*bid, orderbook.Bid, Reply) {
	none := orderbook.Bid{}
	consumer := s.accountNamed[c.Consumer]
	if consumer == nil {
		return nil, none, reject(CodeUnknownAccount, "consumer", "there is no such account")
	}
	b := &bid{Bid: s.bidOf(c, consumer)}
	b.open, b.left, b.leasesLeft = b.Units, b.Duration, b.MaxLeases
	b.allOrNone = b.isAllOrNone()
	switch {
	case s.productNamed[b.Product] == nil:
		return nil, none, reject(CodeUnknownProduct, "product", "there is no such product")
	case s.haltOf(s.productNamed[b.Product]) != nil:
		return nil, none, s.trades(s.productNamed[b.Product])
	case b.ClientID != "" && !corehour.ValidName(b.ClientID):
		return nil, none, badName("client_id")
	}
	if refusal := s.checkTerms(b, b.Duration); refusal.Rejected() {
		return nil, none, refusal
	}
	entry, refusal := s.bookBid(b)
	if !refusal.Rejected() {
		b.session, refusal = consumer.sessionFor(c.Session, 1)
	}
	return b, entry, refusal
}

func (s *State) bidOf(c PlaceBid, consumer *account) corehour.Bid {
	earliest := max(c.EarliestStart, s.startable())
	b := corehour.Bid{
		Product: c.Product, Consumer: c.Consumer, Org: consumer.org, Units: c.Units, Duration: c.Duration,
		EarliestStart: earliest, LatestEnd: cmp.Or(c.LatestEnd, earliest.Add(c.Duration)), Limit: c.Limit,
		Regions: c.Regions, Countries: c.Countries, Continents: c.Continents, Providers: c.Providers,
		MaxCarbon: c.MaxCarbon, CarbonPrice: c.CarbonPrice, MinSLA: cmp.Or(c.MinSLA, corehour.SLABasic),
		Interruptible: c.Interruptible, MaxTakeOrPay: corehour.WholeShare, MinFill: cmp.Or(c.MinFill, 1),
		MaxLeases: cmp.Or(c.MaxLeases, corehour.MaxLeasesPerBid), MinPiece: c.MinPiece, PostOnly: c.PostOnly,
		TimeInForce: cmp.Or(c.TimeInForce, corehour.GoodTillCancelled), ExpiresAt: c.ExpiresAt, ClientID: c.ClientID,
		Session: c.Session, PlacedAt: s.now, CoverInterrupted: c.CoverInterrupted,
	}
	if c.MaxTakeOrPay != nil {
		b.MaxTakeOrPay = *c.MaxTakeOrPay
	}
	return b
}

// isAllOrNone reports whether a bid of these terms, new or with new terms, fills
// completely or not at all.
func (b *bid) isAllOrNone() bool {
	return b.Units > 1 && b.MinFill == b.Units && b.open == b.Units
}

// checkTerms refuses what is out of its range, in a new bid or one that is
// amended, and a window in which a lease of the needed length does not fit. The
// order of checks is part of the answers that are kept, so new ones only refuse
// what is new.
func (s *State) checkTerms(b *bid, need corehour.Minutes) Reply {
	for _, check := range [...]func() Reply{
		func() Reply { return checkSize(&b.Bid) },
		func() Reply { return s.checkWindow(&b.Bid, need) },
		func() Reply { return checkConditions(&b.Bid) },
		func() Reply { return s.checkTimeInForce(&b.Bid) },
		func() Reply { return checkPrice(b.Limit, "limit_price") },
		func() Reply { return checkPlaces(&b.Bid) },
	} {
		if refusal := check(); refusal.Rejected() {
			return refusal
		}
	}
	return Reply{}
}

func checkSize(b *corehour.Bid) Reply {
	switch {
	case b.Units < 1 || b.Units > corehour.MaxUnits:
		return reject(CodeOutOfRange, "units", "units are 1 to 1000000")
	case b.Duration < 1 || b.Duration > corehour.MaxDuration:
		return reject(CodeOutOfRange, "duration_minutes", "a duration is 1 minute to 366 days")
	case int64(b.Units)*int64(b.Duration) > corehour.MaxUnitMinutes:
		return reject(CodeTooLarge, "units", "units x duration is more than 2500000000 unit-hours")
	}
	return Reply{}
}

func checkConditions(b *corehour.Bid) Reply {
	switch {
	case b.MaxCarbon != nil && (*b.MaxCarbon < 0 || *b.MaxCarbon > corehour.MaxCarbonRate):
		return reject(CodeOutOfRange, "max_carbon_g", "carbon is 0 to 1000000 g per unit-hour")
	case b.CarbonPrice < 0 || b.CarbonPrice > corehour.MaxCarbonPrice:
		return reject(CodeOutOfRange, "carbon_price", "a carbon price is 0 to 1000000 per tonne")
	case b.MinSLA < corehour.SLABasic || b.MinSLA > corehour.SLAPremium:
		return reject(CodeOutOfRange, "min_sla", "a tier is basic, standard or premium")
	case b.MaxTakeOrPay < 0 || b.MaxTakeOrPay > corehour.WholeShare:
		return reject(CodeOutOfRange, "max_take_or_pay_bps", "a share is 0 to 10000 basis points")
	case b.MinFill < 1 || b.MinFill > b.Units:
		return reject(CodeOutOfRange, "min_fill", "a minimum fill is 1 to the bid's units")
	case b.MaxLeases < 1 || b.MaxLeases > corehour.MaxLeasesPerBid:
		return reject(CodeOutOfRange, "max_leases", "a bid becomes 1 to 1000 leases")
	case b.MinPiece < 0 || b.MinPiece > b.Duration:
		return reject(CodeOutOfRange, "min_piece_minutes", "a piece is 1 minute to the bid's duration")
	case b.MinPiece > 0 && b.MinFill != 1 && b.MinFill != b.Units:
		return reject(CodeExclusive, "min_fill", "each piece of a splittable bid has all its units")
	}
	return Reply{}
}

// checkWindow refuses a window in which a lease of the needed length does not fit.
func (s *State) checkWindow(b *corehour.Bid, need corehour.Minutes) Reply {
	switch {
	case b.EarliestStart > s.startable().Add(maxAhead):
		return reject(CodeOutOfRange, "earliest_start", "a bid starts within twenty years")
	case b.LatestEnd > s.startable().Add(maxAhead+corehour.MaxDuration):
		return reject(CodeOutOfRange, "latest_end", "a bid ends within twenty-one years")
	case b.LatestEnd < s.startable() || b.LatestEnd.Add(-need) < s.startable():
		return reject(CodeWindowPassed, "latest_end", "there is no start left that ends in time")
	case b.LatestEnd.Sub(b.EarliestStart) < need:
		return reject(CodeWindowTooShort, "latest_end", "the duration does not fit between earliest start and latest end")
	}
	return Reply{}
}

func (s *State) checkTimeInForce(b *corehour.Bid) Reply {
	timed := b.TimeInForce == corehour.GoodTillTime
	rests := timed || b.TimeInForce == corehour.GoodTillCancelled
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
	case b.PostOnly && !rests:
		return reject(CodeExclusive, "post_only", "a post-only bid rests: it is gtc or gtt")
	}
	return Reply{}
}

// bookBid is what is open of a bid as the book sees it, its names resolved.
func (s *State) bookBid(b *bid) (orderbook.Bid, Reply) {
	regions, refusal := s.regionSet(&b.Bid)
	if refusal.Rejected() {
		return orderbook.Bid{}, refusal
	}
	providers, refusal := s.providerSet(b.Providers)
	if refusal.Rejected() {
		return orderbook.Bid{}, refusal
	}
	if b.cover != nil {
		providers.Deny = s.shunned(providers.Deny, b.cover.orgs)
	}
	entry := orderbook.Bid{
		ID: b.ID, Arrival: b.rank(), Org: s.accountNamed[b.Consumer].orgIndex, Units: b.open, Duration: b.left,
		EarliestStart: b.EarliestStart, LatestEnd: b.LatestEnd, Limit: b.Limit, Regions: regions, Providers: providers,
		MaxCarbon: orderbook.NoCarbonCap, CarbonPrice: b.CarbonPrice, MinSLA: b.MinSLA, Interruptible: b.Interruptible,
		MaxTakeOrPay: b.MaxTakeOrPay, MinFill: b.MinFill, AllOrNone: b.allOrNone, MaxLeases: b.leasesLeft,
		TimeInForce: b.TimeInForce, MinPiece: b.MinPiece, Taken: slices.Clone(b.taken), Group: b.Group, PostOnly: b.PostOnly,
	}
	if b.MaxCarbon != nil {
		entry.MaxCarbon = *b.MaxCarbon
	}
	return entry, Reply{}
}
