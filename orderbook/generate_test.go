package orderbook_test

import (
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// choose picks a number in [0, n).
type choose func(n int) int

func pick[T any](c choose, values ...T) T { return values[c(len(values))] }

// oneIn is true once in n times.
func oneIn(c choose, n int) bool { return c(n) == n-1 }

// shape is what the orders of one session have in common, so that each session
// is often where its rules are.
type shape struct {
	units  corehour.Units  // scale of quantities
	price  corehour.Price  // scale of prices
	ticks  int             // how many prices there are
	carbon int64           // scale of carbon figures
	minute corehour.Minute // scale of times
	whole  bool            // times are whole multiples of the scale, bids have one start
	plain  bool            // few hard conditions, so that the market is full
	firm   bool            // fixed carbon only
	twins  int             // one order in so many has the terms of another
	start  corehour.Minute // when it begins
	most   int             // orders of a side at a time
	window int             // longest window, in units of the scale
	split  int             // one bid in so many is splittable
	large  int             // bids are up to so many times as large as offers
	green  bool            // every offer has a zone, every bid a carbon price and time to wait
	scarce bool            // few offers, so that bids rest
	crowd  int             // so many orders of each side rest from the beginning, none of which can trade
	base   int             // prices are around so many steps above zero
}

// newShape draws a shape. With the largest figures a sum of units x price exceeds
// 64 bits. Times of one minute make the naive loops fast; with others leases
// span hours.
func newShape(c choose) shape {
	s := shape{
		units: pick[corehour.Units](c, 1, 1, 60_000), price: corehour.Tick, ticks: pick(c, 6, 6, 40), carbon: 1,
		minute: pick[corehour.Minute](c, 1, 1, 1, 6, 6, 17), plain: c(2) == 0, firm: oneIn(c, 5), twins: pick(c, 6, 3, 2),
		start: pick[corehour.Minute](c, 0, 50, 29_555_555), most: 10, window: 36,
		split: pick(c, 4, 4, 2), large: pick(c, 1, 1, 3), green: oneIn(c, 4), scarce: oneIn(c, 3),
	}
	if oneIn(c, 3) {
		s.price, s.carbon = 50_000_000_000/corehour.Price(s.ticks/6)*corehour.Tick, 5_000
	}
	switch {
	case oneIn(c, 4):
		// The market of a power exchange: whole hours, many orders of the same.
		s.minute, s.whole, s.window, s.most = 60, true, 4, 24
		s.start = s.start / 60 * 60
	case s.minute == 17:
		s.window, s.most = 16, 8
	case oneIn(c, 5):
		// Many orders of a kind, so that what the book finds them by has some depth.
		s.crowd, s.base, s.ticks, s.plain = pick(c, 150, 400, 1_200), 100, 40, true
		s.minute, s.window, s.scarce, s.green = 1, 8, false, false
		s.most, s.price = s.crowd+50, min(s.price, 7_000_000_000*corehour.Tick)
	}
	return s
}

// span is a time of up to n units of the session's scale; where it is not whole,
// often not a multiple.
func (s *session) span(c choose, n int) corehour.Minute {
	m := corehour.Minute(c(n)) * s.minute
	if !s.whole && s.minute > 1 && oneIn(c, 3) {
		m += corehour.Minute(c(int(s.minute)))
	}
	return m
}

// from is when a window of a new order begins, mostly soon.
func (s *session) from(c choose) corehour.Minute {
	now := s.model.now
	if s.whole {
		now = now / 60 * 60
	}
	return max(0, now-pick(c, 0, 0, 3*s.minute)+s.span(c, min(10, s.window/2)))
}

// carbonScale makes carbon prices such that the cost of a carbonRate is a few
// steps of the price.
func (s *session) carbonScale() corehour.CarbonPrice {
	if s.carbon > 1 {
		return 500_000
	}
	return 1
}

func (s *session) carbonPrice(c choose) corehour.CarbonPrice {
	return s.carbonScale() * pick[corehour.CarbonPrice](c, 0, 0, 333_333_333, 500_000_000, 1_000_000_000, 2_000_000_000)
}

func (s *session) carbonRate(c choose) corehour.CarbonRate {
	return corehour.CarbonRate(s.carbon) * pick[corehour.CarbonRate](c, 0, 500, 1_000, 1_000, 3_000, 3_001)
}

// intensity times energy is of the size of a carbonRate.
func (s *session) intensity(c choose) corehour.Intensity {
	return pick[corehour.Intensity](c, 0, 100_000, 200_000, 200_000, 600_000, 612_345)
}

func (s *session) carbonOf(c choose) orderbook.Carbon {
	if !s.green && (s.firm || c(5) < 2) {
		return orderbook.Carbon{Rate: s.carbonRate(c)}
	}
	energy := corehour.Energy(s.carbon) * pick[corehour.Energy](c, 5_000, 5_000, 3_333)
	return orderbook.Carbon{Zone: s.zones[c(len(s.zones))], Energy: energy}
}

func (s *session) limit(c choose, from int) corehour.Price {
	if s.crowd > 0 {
		from -= s.ticks / 2
	}
	return corehour.Price(s.base+from+c(s.ticks)) * s.price
}

// regions are those that offers may be in.
var regions = []orderbook.RegionIndex{0, 1, 64, 255}

func (s *session) randomOffer(c choose) orderbook.Offer {
	if len(s.model.offers) > 0 && oneIn(c, s.twins) {
		return s.twinOffer(c, s.model.offers[c(len(s.model.offers))].Offer)
	}
	s.arrival++
	from := s.from(c)
	units := corehour.Units(1+c(16)) * s.units
	o := orderbook.Offer{
		ID: corehour.OfferID(s.arrival), Arrival: s.arrival,
		Provider: orderbook.ProviderIndex(c(4)), Org: orderbook.OrgIndex(c(3)), Region: regions[c(len(regions))],
		Units: units, From: from, To: from + s.minute + pick(c, s.span(c, s.window), s.span(c, 5), s.minute*corehour.Minute(s.window)),
		Price: s.limit(c, 1), Carbon: s.carbonOf(c), SLA: pick[corehour.SLA](c, 1, 2, 3, 3), Interruptible: oneIn(c, 4),
		MinFill:     pick(c, 1, 1, 1+corehour.Units(c(int(units)))),
		MinDuration: pick(c, 1, 1, corehour.Minutes(s.minute)*pick[corehour.Minutes](c, 1, 2, 3, 6)),
		TakeOrPay:   pick[corehour.BasisPoints](c, 0, 0, 5_000),
		PostOnly:    oneIn(c, 12),
	}
	if s.plain {
		o.To = from + s.minute + s.span(c, s.window/2)
		o.MinDuration, o.Interruptible, o.TakeOrPay = 1, false, 0
		o.Region = regions[c(2)]
	}
	if s.crowd > 0 {
		o.Region, o.SLA, o.MinFill = regions[0], corehour.SLABasic, pick(c, 1, 1, 1, o.MinFill)
		o.Carbon.Zone = min(o.Carbon.Zone, 1)
	}
	return o
}

// twinOffer has the terms of another offer, or all but one of them.
func (s *session) twinOffer(c choose, o orderbook.Offer) orderbook.Offer {
	s.arrival++
	o.ID, o.Arrival = corehour.OfferID(s.arrival), s.arrival
	switch c(8) {
	case 0, 1, 2:
	case 3, 4:
		o.Units = max(o.MinFill, corehour.Units(1+c(16))*s.units)
	case 5:
		o.To += s.minute
	case 6:
		o.Provider = orderbook.ProviderIndex(c(4))
	default:
		o.PostOnly = !o.PostOnly
	}
	return o
}

func (s *session) randomBid(c choose) orderbook.Bid {
	if len(s.model.bids) > 0 && oneIn(c, s.twins) {
		return s.twinBid(c, s.tallies[s.model.bids[c(len(s.model.bids))].ID].bid)
	}
	s.arrival++
	earliest := s.from(c)
	duration := corehour.Minutes(s.minute + s.span(c, min(10, s.window/2)))
	units := corehour.Units(1+c(16*s.large)) * s.units / corehour.Units(min(s.large, int(s.units)))
	slack := s.span(c, pick(c, 1, 8, s.window))
	if s.whole {
		slack = s.minute * pick[corehour.Minute](c, 0, 0, 0, 1)
	}
	bid := orderbook.Bid{
		ID: corehour.BidID(s.arrival), Arrival: s.arrival, Org: orderbook.OrgIndex(c(4)),
		Units: units, Duration: duration, EarliestStart: earliest, LatestEnd: earliest.Add(duration) + slack,
		Limit: s.limit(c, 2), Regions: orderbook.RegionSet{AllowAll: c(6) > 0}, Providers: orderbook.ProviderSet{AllowAll: c(6) > 0},
		MaxCarbon: orderbook.NoCarbonCap, CarbonPrice: s.carbonPrice(c),
		MinSLA: pick[corehour.SLA](c, 1, 1, 1, 2, 3), Interruptible: c(4) > 0,
		MaxTakeOrPay: pick[corehour.BasisPoints](c, 10_000, 10_000, 5_000, 4_999, 0),
		MinFill:      pick(c, 1, 1+corehour.Units(c(int(units)))), AllOrNone: oneIn(c, 4),
		MaxLeases: pick(c, corehour.MaxLeasesPerBid, corehour.MaxLeasesPerBid, 1, 2, 3, 5),
		TimeInForce: pick(c, corehour.GoodTillCancelled, corehour.GoodTillCancelled, corehour.GoodTillCancelled,
			corehour.GoodTillTime, corehour.ImmediateOrCancel, corehour.FillOrKill),
		PostOnly: oneIn(c, 12),
	}
	if oneIn(c, 4) {
		bid.MaxCarbon = corehour.CarbonRate(s.carbon) * pick[corehour.CarbonRate](c, 0, 999, 1_000, 1_500, 3_000)
	}
	if oneIn(c, s.split) {
		bid.MinPiece = 1 + corehour.Minutes(c(int(duration)))
		bid.LatestEnd += s.span(c, s.window/2)
	}
	if s.green {
		bid.CarbonPrice = max(bid.CarbonPrice, 333_333_333*s.carbonScale())
		bid.LatestEnd += s.span(c, s.window)
		bid.MinFill = pick(c, 1, 1, 1, bid.MinFill)
		bid.AllOrNone = bid.AllOrNone && c(2) == 0
	}
	bid.Group = s.group(c, bid.ID)
	if s.plain {
		bid.Org, bid.MinSLA, bid.MaxTakeOrPay = 3, corehour.SLABasic, corehour.WholeShare
		bid.Regions.AllowAll, bid.Providers.AllowAll = true, true
		s.spread(c, &bid)
		return bid
	}
	s.allowAndDeny(c, &bid)
	return bid
}

// group is none, a new one, or that of a bid that rests.
func (s *session) group(c choose, id corehour.BidID) corehour.BidID {
	if c(3) > 0 {
		return 0
	}
	for _, bid := range s.model.bids {
		if bid.Group > 0 && c(2) == 0 {
			return bid.Group
		}
	}
	return id
}

func (s *session) allowAndDeny(c choose, bid *orderbook.Bid) {
	for _, r := range regions {
		if !bid.Regions.AllowAll && c(2) == 0 {
			bid.Regions.Allow.Set(r)
		}
		if oneIn(c, 12) {
			bid.Regions.Deny.Set(r)
		}
	}
	for p := range orderbook.ProviderIndex(4) {
		if !bid.Providers.AllowAll && c(2) == 0 {
			bid.Providers.Allow = append(bid.Providers.Allow, p)
		}
		if oneIn(c, 12) {
			bid.Providers.Deny = append(bid.Providers.Deny, p)
		}
	}
}

// spread lets many bids of a crowd differ in where they may go, though not in
// what that means to the offers there are, and in their carbon prices.
func (s *session) spread(c choose, bid *orderbook.Bid) {
	if s.crowd == 0 || c(2) == 0 {
		return
	}
	bid.Regions.Deny.Set(orderbook.RegionIndex(100 + c(100)))
	bid.CarbonPrice = bid.CarbonPrice / 100 * corehour.CarbonPrice(1+c(100))
}

// twinBid has the terms of another bid as that was placed, or all but one.
func (s *session) twinBid(c choose, bid orderbook.Bid) orderbook.Bid {
	s.arrival++
	bid.ID, bid.Arrival = corehour.BidID(s.arrival), s.arrival
	if bid.Group > 0 && c(2) == 0 {
		bid.Group = 0
	}
	switch c(9) {
	case 0, 1, 2, 3:
	case 4, 5:
		bid.Units = corehour.Units(1+c(16)) * s.units
	case 6:
		bid.MinFill = 1 + corehour.Units(c(int(bid.Units)))
	case 7:
		bid.Limit = s.limit(c, 2)
	default:
		bid.PostOnly = !bid.PostOnly
	}
	return bid
}

// overlooked is, for each condition of a bid, the bid that doesn't have it.
var overlooked = []struct {
	condition string
	change    func(*orderbook.Bid)
}{
	{"organisation", func(b *orderbook.Bid) { b.Org = 99 }},
	{"regions", func(b *orderbook.Bid) { b.Regions = orderbook.RegionSet{AllowAll: true} }},
	{"providers", func(b *orderbook.Bid) { b.Providers = orderbook.ProviderSet{AllowAll: true} }},
	{"SLA", func(b *orderbook.Bid) { b.MinSLA = corehour.SLABasic }},
	{"interruptible", func(b *orderbook.Bid) { b.Interruptible = true }},
	{"take-or-pay", func(b *orderbook.Bid) { b.MaxTakeOrPay = corehour.WholeShare }},
	{"carbon cap", func(b *orderbook.Bid) { b.MaxCarbon = orderbook.NoCarbonCap }},
	{"carbon price", func(b *orderbook.Bid) { b.CarbonPrice = 0 }},
	{"limit", func(b *orderbook.Bid) { b.Limit = min(2*b.Limit, corehour.MaxPrice) }},
	{"minimum fill", func(b *orderbook.Bid) { b.MinFill = 1 }},
	{"all or none", func(b *orderbook.Bid) { b.AllOrNone = false }},
	{"number of leases", func(b *orderbook.Bid) { b.MaxLeases = corehour.MaxLeasesPerBid }},
	{"minimum piece", func(b *orderbook.Bid) { b.MinPiece = min(b.MinPiece, 1) }},
	{"pieces", func(b *orderbook.Bid) { b.MinPiece = 0 }},
	{"earliest start", func(b *orderbook.Bid) { b.EarliestStart = 0 }},
}

// shuffled is the numbers below n in any order.
func shuffled(c choose, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
		j := c(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// curve gives a zone's intensity for some hours around now.
func (s *session) randomCurve(c choose) (from corehour.Minute, values []corehour.Intensity) {
	hour := max(0, int(s.model.now)/60-1+c(6))
	values = slices.Repeat([]corehour.Intensity{0}, 1+c(8))
	for i := range values {
		values[i] = s.intensity(c)
	}
	return corehour.Minute(hour * 60), values
}
