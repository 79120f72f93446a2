package orderbook_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// lease is a fill that has not ended.
type lease struct {
	offer      corehour.OfferID
	units      corehour.Units
	start, end corehour.Minute
}

// tally is what became of a bid, counted by the session.
type tally struct {
	bid    orderbook.Bid    // as it was placed
	open   corehour.Units   // still open
	left   corehour.Minutes // of them, still to be taken
	leases int
	pieces []orderbook.Span
	// Unit-minutes. Those that a reduced bid gave up are cancelled.
	filled, cancelled int64
	leaves            bool // it may leave the book without being complete
}

type newMarket func(*orderbook.Grid, *hourly) market

// session runs commands on the book and on the model and compares them.
type session struct {
	shape
	newMarket newMarket
	grid      *orderbook.Grid
	book      market
	model     *model
	zones     []orderbook.ZoneIndex
	arrival   uint64
	bidRefs   map[corehour.BidID]orderbook.BidRef
	offerRefs map[corehour.OfferID]orderbook.OfferRef
	// References to what has left the book.
	staleBids   []orderbook.BidRef
	staleOffers []orderbook.OfferRef
	leases      []lease
	tallies     map[corehour.BidID]*tally
	offers      map[corehour.OfferID]orderbook.Offer
	groups      map[corehour.BidID]corehour.BidID // which bid of a group is complete
	seen        map[string]int
	log         []command
	unchecked   bool // several commands are checked at once
}

// command is what a session did, with all that it needs to be done again in a
// session that leaves out some of the commands before it; where those are
// missed it does nothing.
type command struct {
	entry
	do        func(*session)
	unchecked bool
}

// newSession starts with an empty book and a grid of three clean zones.
func newSession(sh shape, newMarket newMarket) *session {
	hours := newHourly()
	s := &session{
		shape: sh, newMarket: newMarket, grid: orderbook.NewGrid(),
		model:   &model{now: sh.start, grid: hours},
		tallies: map[corehour.BidID]*tally{}, offers: map[corehour.OfferID]orderbook.Offer{},
		groups: map[corehour.BidID]corehour.BidID{}, seen: map[string]int{},
	}
	for range 3 {
		zone := s.grid.AddZone(0)
		hours.addZone(zone, 0)
		s.zones = append(s.zones, zone)
	}
	s.emptyBook()
	return s
}

// begin gives the zones their hours and a crowd its orders.
func (s *session) begin(c choose) {
	for _, zone := range s.zones {
		s.setMean(zone, s.intensity(c))
		from, values := s.randomCurve(c)
		s.setCurve(zone, from, values)
	}
	s.unchecked = true
	for range s.crowd {
		// Every bid is below every offer, so none can trade.
		o, bid := s.randomOffer(c), s.randomBid(c)
		o.Price = corehour.Price(s.base+1+c(s.ticks)) * s.price
		bid.Limit = corehour.Price(s.base-c(s.ticks)) * s.price
		bid.TimeInForce, bid.Group = corehour.GoodTillCancelled, 0
		s.run(func(s *session) {
			s.model.offers = append(s.model.offers, &modelOffer{o, slices.Repeat([]corehour.Units{o.Units}, int(o.To-o.From))})
			s.offers[o.ID] = o
			s.offerRefs[o.ID] = s.book.RestoreOffer(o)
		}, "restore %s", o)
		s.run(func(s *session) {
			rests := bid
			s.model.bids = append(s.model.bids, &rests)
			s.tallies[bid.ID] = &tally{bid: bid, open: bid.Units, left: bid.Duration}
			s.bidRefs[bid.ID] = s.book.RestoreBid(bid)
		}, "restore %s", bid)
	}
	s.unchecked = false
}

// run does a command and checks everything that always holds.
func (s *session) run(do func(*session), format string, args ...any) {
	s.log = append(s.log, command{entry{format, args}, do, s.unchecked})
	do(s)
	if !s.unchecked {
		s.checkState()
	}
}

// purge cancels many orders of a crowd at once.
func (s *session) purge(c choose) {
	share := 1 + c(4)
	s.unchecked = true
	for _, bid := range slices.Clone(s.model.bids) {
		if c(4) < share {
			s.cancelBid(bid.ID)
		}
	}
	for _, o := range slices.Clone(s.model.offers) {
		if c(4) < share {
			s.cancelOffer(o.ID)
		}
	}
	s.unchecked = false
	s.seen["crowd purged"]++
}

func (s *session) emptyBook() {
	s.book = s.newMarket(s.grid, s.model.grid)
	s.bidRefs = map[corehour.BidID]orderbook.BidRef{}
	s.offerRefs = map[corehour.OfferID]orderbook.OfferRef{}
	s.staleBids, s.staleOffers = nil, nil
}

// failf ends the session.
func (s *session) failf(format string, args ...any) {
	panic(violation(entry{format, args}.String()))
}

func (s *session) history() string {
	var b strings.Builder
	for _, c := range s.log {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

// step draws one command, or a few that belong together.
func (s *session) step(c choose) {
	bids, offers := len(s.model.bids), len(s.model.offers)
	mostOffers := s.most
	if s.scarce {
		mostOffers = 3
	}
	switch n := c(100); {
	case n < 36 && bids < s.most+s.most/2:
		s.placeBid(s.randomBid(c), c)
	case n < 49 && offers < mostOffers:
		s.placeOffer(s.randomOffer(c))
	case n < 60 && len(s.leases) > 0:
		s.release(c)
	case n < 62 && bids < s.most && offers < s.most:
		s.rush(c)
	case n < 65 && (s.crowd == 0 || c(4) == 0):
		s.pass(s.span(c, 3))
	case n < 69 && bids > 0:
		s.cancelBid(s.anyBid(c).ID)
	case n < 70 && offers > 0:
		s.cancelOffer(s.anyOffer(c).ID)
	case n < 77 && bids > 0:
		s.reduceBid(c)
	case n < 79 && bids > 0:
		s.amendBid(c)
	case n < 82 && offers > 0:
		s.reduceOffer(c)
	case n < 86 && offers > 0:
		s.amendOffer(c)
	case n < 91:
		s.changeGrid(c)
	case n < 92:
		s.restore(c)
	case n < 95:
		s.quote(s.randomBid(c))
	case n < 97:
		s.depth(c)
	case n < 98 && bids > 0:
		s.changeRegions(c)
	case n < 99 && s.crowd > 0 && oneIn(c, 3):
		s.purge(c)
	default:
		s.useStale(c)
	}
}

func (s *session) anyBid(c choose) *orderbook.Bid { return s.model.bids[c(len(s.model.bids))] }

func (s *session) anyOffer(c choose) *modelOffer { return s.model.offers[c(len(s.model.offers))] }

// whatMatters notes which condition of a bid that is about to be placed decides
// on what it gets.
func (s *session) whatMatters(bid orderbook.Bid, c choose) {
	first := c(len(overlooked))
	o, relaxed := overlooked[first], bid
	for i := range overlooked {
		o = overlooked[(first+i)%len(overlooked)]
		if o.change(&relaxed); describeBid(relaxed) != describeBid(bid) {
			break
		}
	}
	if !slices.Equal(s.model.quote(bid), s.model.quote(relaxed)) {
		s.seen["decides: "+o.condition]++
	}
}

func (s *session) placeBid(bid orderbook.Bid, c choose) {
	if c(2) == 0 {
		s.whatMatters(bid, c)
	}
	s.run(func(s *session) { s.bidComes(bid) }, "bid %s", bid)
}

func (s *session) bidComes(bid orderbook.Bid) {
	if s.tallies[bid.ID] != nil || bid.Group > 0 && s.groups[bid.Group] > 0 {
		return
	}
	want := s.model.placeBid(bid)
	t := &tally{bid: bid, open: bid.Units, left: bid.Duration, leaves: bid.TimeInForce > corehour.GoodTillTime || want.Refused}
	s.tallies[bid.ID] = t
	ref, have := s.book.PlaceBid(s.model.now, &bid)
	s.compare(have, want)
	resting := s.model.bid(bid.ID) != nil
	if (ref != 0) != resting {
		s.failf("the reference of %s is %d; it rests: %t", bid.ID, ref, resting)
	}
	if resting {
		s.bidRefs[bid.ID] = ref
	}
	s.sawBid(t, want, resting)
	s.checkOfferPriority(t, want.Fills)
}

func (s *session) sawBid(t *tally, out orderbook.Outcome, resting bool) {
	filled := t.open == 0 || t.left == 0
	split := splittable(&t.bid)
	s.saw(out.Refused, "post-only bid refused")
	s.saw(t.bid.PostOnly && resting, "post-only bid rests")
	s.saw(resting && t.leases == 0, "bid rests")
	s.saw(resting && t.leases > 0 && !split, "bid partly filled")
	s.saw(resting && t.leases > 0 && split, "bid rests with a piece taken")
	s.saw(filled && t.leases == 1, "bid filled at once")
	s.saw(filled && t.leases > 1 && split && whole(&t.bid), "all pieces or none")
	s.saw(filled && t.leases > 1 && split && !whole(&t.bid), "bid filled by several pieces")
	s.saw(filled && t.leases > 1 && !split && whole(&t.bid), "all-or-none from several offers")
	s.saw(filled && t.leases > 1 && !split && !whole(&t.bid), "bid filled by several leases")
	s.saw(t.bid.TimeInForce == corehour.FillOrKill && filled, "fill-or-kill filled")
	s.saw(t.bid.TimeInForce == corehour.FillOrKill && !filled, "fill-or-kill killed")
	s.saw(t.bid.TimeInForce == corehour.ImmediateOrCancel && !filled, "rest of an immediate bid cancelled")
	for _, f := range out.Fills {
		o := s.model.offer(f.Offer)
		first := max(t.bid.EarliestStart, o.From, s.model.now)
		s.saw(o.Carbon.Zone > 0 && f.Start > first && onTheHour(f.Start, f.End.Sub(f.Start)), "waits for a clean hour")
		s.saw(o.Carbon.Zone > 0 && f.Start/60 != (f.End-1)/60, "lease over several hours of a zone")
	}
}

func (s *session) saw(it bool, what string) {
	if it {
		s.seen[what]++
	}
}

func (s *session) placeOffer(o orderbook.Offer) {
	s.run(func(s *session) { s.offerComes(o) }, "offer %s", o)
}

func (s *session) offerComes(o orderbook.Offer) {
	s.offers[o.ID] = o
	want := s.model.placeOffer(o)
	ref, have := s.book.PlaceOffer(s.model.now, &o)
	s.compare(have, want)
	if (ref == 0) != want.Refused {
		s.failf("the reference of %s is %d; refused: %t", o.ID, ref, want.Refused)
	}
	if !want.Refused {
		s.offerRefs[o.ID] = ref
	}
	s.saw(want.Refused, "post-only offer refused")
	s.saw(o.PostOnly && !want.Refused && len(s.model.bids) > 0, "post-only offer listed")
	s.sawNewCapacity(o.ID, want)
}

// release ends a lease early: all of it, also what has passed, or its tail.
func (s *session) release(c choose) {
	l := s.leases[c(len(s.leases))]
	from := l.start
	if c(4) > 0 {
		from = max(l.start, min(l.end, s.model.now+pick(c, 0, 0, s.span(c, 6))))
	}
	s.run(func(s *session) { s.leaseEnds(l, from) }, "release %d units of %s over [%d,%d)", l.units, l.offer, from, l.end)
}

func (s *session) leaseEnds(l lease, from corehour.Minute) {
	i := slices.Index(s.leases, l)
	if i < 0 {
		return
	}
	if s.leases[i].end = from; from == l.start {
		s.leases = slices.Delete(s.leases, i, i+1)
	}
	want := s.model.release(l.offer, l.units, from, l.end)
	s.compare(s.book.Release(s.model.now, s.offerRefs[l.offer], l.units, from, l.end), want)
	s.saw(true, "released")
	s.saw(len(want.Fills) > 0, "released to a bid")
	s.sawNewCapacity(l.offer, want)
}

// pass lets time pass and does as the exchange: what can't match any more is
// cancelled, though not at once.
func (s *session) pass(minutes corehour.Minute) {
	s.run(func(s *session) {
		s.model.now += minutes
		// An empty release tells the book the time.
		s.compare(s.book.Release(s.model.now, 0, 1, 0, 1), orderbook.Outcome{})
		s.leases = slices.DeleteFunc(s.leases, func(l lease) bool { return l.end <= s.model.now })
	}, "%d minutes pass", minutes)
	for _, bid := range slices.Clone(s.model.bids) {
		if s.model.now > bid.LatestEnd {
			s.cancelBid(bid.ID)
			s.seen["expired"]++
		}
	}
	for _, o := range slices.Clone(s.model.offers) {
		if s.model.now > o.To {
			s.cancelOffer(o.ID)
		}
	}
}

func (s *session) cancelBid(id corehour.BidID) {
	s.run(func(s *session) {
		bid := s.model.bid(id)
		if bid == nil {
			return
		}
		s.model.cancelBid(id)
		s.tallies[id].leaves = true
		if open, ok := s.book.CancelBid(s.bidRefs[id]); !ok || open != bid.Units {
			s.failf("cancel %s: %d, %t, want %d", id, open, ok, bid.Units)
		}
		s.seen["bid cancelled"]++
	}, "cancel %s", id)
}

func (s *session) cancelOffer(id corehour.OfferID) {
	s.run(func(s *session) {
		if s.model.offer(id) == nil {
			return
		}
		s.model.cancelOffer(id)
		if !s.book.CancelOffer(s.offerRefs[id]) {
			s.failf("cancel %s: false", id)
		}
		s.seen["offer cancelled"]++
	}, "cancel %s", id)
}

// restore goes on with a new book that was made of a snapshot, in any order but
// that offers come before their leases.
func (s *session) restore(c choose) {
	seed := uint64(c(1 << 20))
	s.run(func(s *session) { s.fromSnapshot(rand.New(rand.NewPCG(seed, 4)).IntN) }, "restore")
}

func (s *session) fromSnapshot(c choose) {
	s.emptyBook()
	for _, i := range shuffled(c, len(s.model.offers)) {
		o := s.model.offers[i].Offer
		s.offerRefs[o.ID] = s.book.RestoreOffer(o)
	}
	bids := shuffled(c, len(s.model.bids))
	early := bids[:c(len(bids)+1)]
	for _, i := range early {
		bid := *s.model.bids[i]
		s.bidRefs[bid.ID] = s.book.RestoreBid(bid)
	}
	for _, i := range shuffled(c, len(s.leases)) {
		l := s.leases[i]
		if o := s.model.offer(l.offer); o != nil {
			// The past of a lease may lie outside of the window of an amended offer.
			s.book.RestoreLease(s.offerRefs[o.ID], l.units, max(l.start, o.From, s.model.now), l.end)
		}
	}
	for _, i := range bids[len(early):] {
		bid := *s.model.bids[i]
		s.bidRefs[bid.ID] = s.book.RestoreBid(bid)
		s.saw(len(bid.Taken) > 0, "restored with a piece taken")
	}
	s.seen["restored"]++
}

// sawNewCapacity notes what became of new capacity of an offer.
func (s *session) sawNewCapacity(id corehour.OfferID, out orderbook.Outcome) {
	fresh := map[corehour.BidID]bool{}
	for i, f := range out.Fills {
		t := s.tallies[f.Bid]
		split, all := splittable(&t.bid), whole(&t.bid)
		s.saw(true, "bid filled from new capacity")
		s.saw(split && !all, "piece from new capacity")
		s.saw(split && all, "all pieces from new capacity")
		s.saw(f.Offer != id && all && !split, "all-or-none from new and rested offers")
		s.saw(f.Offer != id && !all && !split, "refilled from another offer")
		s.saw(f.Offer != id && !all && split, "piece from another offer")
		s.saw(i > 0 && fresh[f.Bid] && out.Fills[i-1].Bid != f.Bid, "turns alternate")
		s.saw(f.Offer == id && !all && !split && fresh[f.Bid], "several leases of new capacity")
		fresh[f.Bid] = true
	}
	s.saw(len(fresh) > 2, "new capacity goes to several bids")
	s.saw(len(out.Dropped) > 0, "siblings dropped by new capacity")
}
