package orderbook_test

import (
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// rush places some orders that reach together what single ones rarely do.
func (s *session) rush(c choose) {
	switch c(4) {
	case 0:
		s.morsels(c)
	case 1:
		s.compete(c, s.randomOffer(c), func(bid *orderbook.Bid, _ int) {
			bid.Limit, bid.CarbonPrice = s.limit(c, 2), s.carbonPrice(c)
			bid.Duration = pick(c, bid.Duration, max(1, bid.Duration/2))
			bid.MinPiece = min(bid.MinPiece, bid.Duration)
			bid.Group = s.group(c, bid.ID)
		})
	default:
		// The more a bid minds carbon, the more it pays where there is none, so that
		// they take turns.
		o := s.randomOffer(c)
		o.Carbon = orderbook.Carbon{Zone: s.zones[c(len(s.zones))], Energy: corehour.Energy(s.carbon) * 5_000}
		o.To = max(o.To, o.From+100)
		s.compete(c, o, func(bid *orderbook.Bid, i int) {
			bid.CarbonPrice = corehour.CarbonPrice(1+i) * 500_000_000 * s.carbonScale()
			bid.Limit = corehour.Price(7+i/2-c(2)) * s.price
			bid.MinFill, bid.AllOrNone, bid.TimeInForce, bid.MinPiece = 1, false, corehour.GoodTillCancelled, 0
			bid.MaxCarbon, bid.MaxLeases, bid.Group, bid.PostOnly = orderbook.NoCarbonCap, corehour.MaxLeasesPerBid, 0, false
		})
	}
}

// compete lets a small cheap offer with a long window come to several bids.
func (s *session) compete(c choose, o orderbook.Offer, change func(bid *orderbook.Bid, i int)) {
	first := s.randomBid(c)
	o.To += max(0, first.EarliestStart-o.From)
	o.From = first.EarliestStart
	o.To = max(o.To, o.From+2*corehour.Minute(first.Duration))
	o.Units, o.MinFill = max(1, o.Units/4), 1
	o.Price, o.PostOnly = s.price, false
	for i := range 2 + c(3) {
		bid := s.twinBid(c, first)
		bid.LatestEnd = max(bid.LatestEnd, o.To)
		change(&bid, i)
		s.placeBid(bid, c)
	}
	s.placeAnew(o)
}

func (s *session) placeAnew(o orderbook.Offer) {
	s.arrival++
	o.ID, o.Arrival = corehour.OfferID(s.arrival), s.arrival
	s.placeOffer(o)
}

// morsels lets a splittable bid take from new capacity a piece that is a minute
// longer than those that are left, for which then an older offer has room too.
func (s *session) morsels(c choose) {
	o := s.randomOffer(c)
	bid := s.randomBid(c)
	for _, relax := range overlooked {
		if !slices.Contains([]string{"minimum piece", "pieces", "number of leases", "earliest start"}, relax.condition) {
			relax.change(&bid)
		}
	}
	m := 1 + corehour.Minute(c(20))
	bid.Duration, bid.MinPiece, bid.MaxLeases = corehour.Minutes(3*m+1), 1, 3
	bid.EarliestStart = s.model.now + m
	bid.LatestEnd = bid.EarliestStart.Add(bid.Duration) + corehour.Minute(c(2))*m
	bid.TimeInForce, bid.PostOnly = corehour.GoodTillCancelled, false
	o.Units, o.MinFill, o.MinDuration, o.Price, o.PostOnly = bid.Units, 1, 1, s.price, false
	o.From, o.To = bid.EarliestStart, bid.EarliestStart+m
	s.placeAnew(o)
	bid.Group = s.group(c, bid.ID)
	s.placeBid(bid, c)
	o.From, o.To = o.To, o.To+m+1
	s.placeAnew(o)
}
