package orderbook_test

import (
	"maps"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// compare takes the outcome of a command: it must be the model's, in its order,
// and each fill must keep its bid's and its offer's word.
func (s *session) compare(have, want orderbook.Outcome) {
	if !slices.Equal(have.Fills, want.Fills) || !slices.Equal(have.Dropped, want.Dropped) || have.Refused != want.Refused {
		s.failf("the book did\n%sthe model\n%s", describeOutcome(have), describeOutcome(want))
	}
	for _, f := range have.Fills {
		s.leases = append(s.leases, lease{f.Offer, f.Units, f.Start, f.End})
		s.checkFill(f)
	}
	for i, f := range have.Fills {
		t := s.tallies[f.Bid]
		if whole(&t.bid) && t.open > 0 && t.left > 0 {
			s.failf("%s has %d units open", f.Bid, t.open)
		}
		first := slices.IndexFunc(have.Fills, func(g orderbook.Fill) bool { return g.Bid == f.Bid })
		if whole(&t.bid) && !splittable(&t.bid) && f.Start != have.Fills[first].Start {
			s.failf("the leases of %s start at different minutes", f.Bid)
		}
		s.checkGroup(f.Bid, have.Dropped)
		s.checkBidPriority(f, have.Fills[:i])
	}
	for _, id := range have.Dropped {
		t := s.tallies[id]
		if t.leaves = true; t.bid.Group == 0 || s.groups[t.bid.Group] == 0 {
			s.failf("%s was dropped", id)
		}
		s.saw(true, "sibling dropped")
		s.saw(t.leases > 0, "sibling dropped that was partly filled")
	}
}

func (s *session) checkFill(f orderbook.Fill) {
	t, o := s.tallies[f.Bid], s.offers[f.Offer]
	listed := s.model.offer(f.Offer)
	if listed == nil {
		s.failf("%s is not in the book: %s", f.Offer, describeFill(f))
	}
	bid := &t.bid
	carbon := carbonCost(bid.CarbonPrice, f.Carbon)
	if f.Price%corehour.Tick != 0 || f.Price < o.Price || f.Price+carbon > bid.Limit {
		s.failf("the price is off the tick, below %s or past %s less carbon %s: %s", o.Price, bid.Limit, carbon, describeFill(f))
	}
	if f.Carbon > bid.MaxCarbon || f.Carbon != s.model.rate(listed, f.Start, f.End.Sub(f.Start)) {
		s.failf("the carbon is past %d or not that of the hours: %s", bid.MaxCarbon, describeFill(f))
	}
	if f.Start < max(s.model.now, bid.EarliestStart, o.From) || f.End > min(bid.LatestEnd, o.To) {
		s.failf("outside of a window: %s", describeFill(f))
	}
	s.saw(bid.Arrival < o.Arrival, "bid sets price")
	s.saw(bid.Arrival > o.Arrival, "offer sets price")
	t.leases++
	t.filled += int64(f.Units) * int64(f.End-f.Start)
	if t.leases > bid.MaxLeases || f.Units < o.MinFill {
		s.failf("too many leases or below the offer's minimum fill: %s", describeFill(f))
	}
	if splittable(bid) {
		s.checkPiece(t, f)
		return
	}
	if f.End.Sub(f.Start) != bid.Duration || f.Units > t.open || !whole(bid) && f.Units < min(bid.MinFill, t.open) {
		s.failf("not of the bid's duration, below its minimum fill or above what is open: %s", describeFill(f))
	}
	t.open -= f.Units
	s.saw(t.open > 0 && t.leases == bid.MaxLeases, "max leases")
}

func (s *session) checkPiece(t *tally, f orderbook.Fill) {
	d := f.End.Sub(f.Start)
	if f.Units != t.open || d < t.bid.MinPiece || d > t.left {
		s.failf("a piece has not all %d units, or is below %d or above %d minutes: %s", t.open, t.bid.MinPiece, t.left, describeFill(f))
	}
	for _, other := range t.pieces {
		if f.Start < other.To && f.End > other.From {
			s.failf("two pieces share a minute: %s", describeFill(f))
		}
	}
	t.pieces = append(t.pieces, orderbook.Span{From: f.Start, To: f.End})
	if t.left -= d; t.left > 0 && t.leases == t.bid.MaxLeases {
		s.failf("no piece is left for %d minutes: %s", t.left, describeFill(f))
	}
	s.saw(t.left == 0 && len(t.pieces) > 2, "three pieces")
}

// checkGroup checks that no two bids of a group are ever complete.
func (s *session) checkGroup(id corehour.BidID, dropped []corehour.BidID) {
	t := s.tallies[id]
	if t.bid.Group == 0 || t.open > 0 && t.left > 0 {
		return
	}
	if other := s.groups[t.bid.Group]; other != 0 && other != id {
		s.failf("%s and %s of one group are complete", other, id)
	}
	s.groups[t.bid.Group] = id
	s.saw(len(dropped) > 1, "several siblings dropped")
	for _, rests := range s.model.bids {
		if rests.Group == t.bid.Group {
			s.failf("%s rests though %s of its group is complete", rests.ID, id)
		}
	}
}

// sameTerms reports whether two bids differ in nothing that matters to an offer
// but in when they came and how much they want.
func sameTerms(x, y orderbook.Bid) bool {
	x.ID, x.Arrival, x.Units, x.Group, x.PostOnly, x.MaxLeases, x.TimeInForce = y.ID, y.Arrival, y.Units, y.Group, y.PostOnly, y.MaxLeases, y.TimeInForce
	return slices.Equal(x.Providers.Allow, y.Providers.Allow) && slices.Equal(x.Providers.Deny, y.Providers.Deny) &&
		describeBid(x) == describeBid(y)
}

// checkBidPriority checks that a resting bid was not passed by a later one of the
// same terms. Bids with a minimum or that want all or pieces may have to be.
func (s *session) checkBidPriority(f orderbook.Fill, earlier []orderbook.Fill) {
	t := s.tallies[f.Bid]
	bid, o := t.bid, s.offers[f.Offer]
	plain := !whole(&bid) && !splittable(&bid) && bid.MinFill == 1
	// What a bid takes of other offers, or of older ones, is not in turn.
	if !plain || o.Arrival < bid.Arrival || slices.ContainsFunc(earlier, func(g orderbook.Fill) bool { return g.Offer != f.Offer }) {
		return
	}
	for _, other := range s.model.bids {
		passed := s.tallies[other.ID]
		if other.Arrival < bid.Arrival && other.Units >= o.MinFill && sameTerms(passed.bid, bid) {
			s.failf("%s came before %s, has the same terms and was passed: %s", other.ID, bid.ID, describeFill(f))
		}
	}
	s.seen["bid priority kept"]++
}

// checkOfferPriority checks that a plain incoming bid did not pass an offer for a
// later one of the same terms.
func (s *session) checkOfferPriority(t *tally, fills []orderbook.Fill) {
	if whole(&t.bid) || splittable(&t.bid) || t.bid.MinFill > 1 {
		return
	}
	for _, f := range fills {
		sold := s.offers[f.Offer]
		for _, o := range s.model.offers {
			a, b := o.Offer, sold
			a.ID, a.Arrival, a.Units, a.PostOnly = b.ID, b.Arrival, b.Units, b.PostOnly
			if o.Arrival >= sold.Arrival || a != b || a.Carbon.Zone != orderbook.NoZone {
				continue
			}
			if free, _ := s.book.Free(s.offerRefs[o.ID], f.Start, f.End); free >= o.MinFill {
				s.failf("%s came before %s, has the same terms and was passed: %s", o.ID, sold.ID, describeFill(f))
			}
			s.seen["offer priority kept"]++
		}
	}
}

// checkState checks what always holds between commands.
func (s *session) checkState() {
	if b, ok := s.book.(*orderbook.Book); ok {
		if err := b.Check(); err != nil {
			s.failf("the index is broken: %v", err)
		}
	}
	now := s.model.now
	for i, o := range s.model.offers {
		if !s.isTurn(i, len(s.model.offers)) {
			continue
		}
		ref := s.offerRefs[o.ID]
		if !s.book.HasOffer(ref) {
			s.failf("%s is not in the book", o.ID)
		}
		// What is sold is summed from the leases, not from the model.
		sold := make([]corehour.Units, o.To-o.From)
		for _, l := range s.leases {
			if l.offer == o.ID {
				for minute := max(l.start, now); minute < l.end; minute++ {
					sold[minute-o.From] += l.units
				}
			}
		}
		units := s.offers[o.ID].Units
		for minute := max(now, o.From); minute < o.To; minute++ {
			// Most minutes are as the ones before them; the others are all asked for.
			if at := minute - o.From; minute > max(now, o.From) && minute+1 < o.To && sold[at] == sold[at-1] && sold[at] == sold[at+1] && minute%7 > 0 {
				continue
			}
			free, ok := s.book.Free(ref, minute, minute+1)
			taken := sold[minute-o.From]
			if !ok || free < 0 || taken > units || free+taken != units {
				s.failf("%s at %d: %d free (%t) and %d sold of %d units", o.ID, minute, free, ok, taken, units)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.offers)) {
		if s.model.offer(id) != nil {
			continue
		}
		if ref := s.offerRefs[id]; ref != 0 {
			if _, ok := s.book.Free(ref, now, now+1); ok || s.book.HasOffer(ref) {
				s.failf("%s is in the book", id)
			}
			s.staleOffers = append(s.staleOffers, ref)
		}
		delete(s.offers, id)
		delete(s.offerRefs, id)
	}
	s.checkBids()
}

// checkBids checks that filled + open + cancelled = original for every bid, that
// none is in the book that should not, and that none rests that could have a
// lease.
func (s *session) checkBids() {
	for _, id := range slices.Sorted(maps.Keys(s.tallies)) {
		t, resting, ref := s.tallies[id], s.model.bid(id), s.bidRefs[id]
		open, left, ok := s.book.Open(ref)
		if ok != (resting != nil) {
			s.failf("%s rests: %t", id, ok)
		}
		all := int64(t.bid.Units) * int64(t.bid.Duration)
		if t.filled+t.cancelled+int64(t.open)*int64(t.left) != all {
			s.failf("%s: %d of %d unit-minutes filled, %d cancelled, %d units for %d minutes open", id, t.filled, all, t.cancelled, t.open, t.left)
		}
		if ok {
			if open != t.open || left != t.left || open <= 0 || left <= 0 {
				s.failf("%s: %d units for %d minutes open, want %d for %d", id, open, left, t.open, t.left)
			}
			continue
		}
		if !t.leaves && t.open > 0 && t.left > 0 && t.leases < t.bid.MaxLeases {
			s.failf("%s left the book with %d units for %d minutes open", id, t.open, t.left)
		}
		if ref != 0 {
			s.staleBids = append(s.staleBids, ref)
		}
		delete(s.tallies, id)
		delete(s.bidRefs, id)
	}
	for i, bid := range s.model.bids {
		if s.isTurn(i, len(s.model.bids)) {
			s.checkIdle(bid)
		}
	}
}

// isTurn picks some orders of a crowd in turn, and all of fewer.
func (s *session) isTurn(i, of int) bool {
	const most = 40
	return of <= most || (i+len(s.log)*most)%of < most
}

// checkIdle checks that a resting bid could have no lease, from any minute: more
// than the starts that count. All-or-none bids are another matter: their search
// is greedy.
func (s *session) checkIdle(bid *orderbook.Bid) {
	if whole(bid) {
		return
	}
	for _, o := range s.model.offers {
		if !meets(bid, o) || o.MinFill > bid.Units {
			continue
		}
		need := max(o.MinFill, atLeast(bid))
		for start := max(o.From, bid.EarliestStart, s.model.now); start < min(o.To, bid.LatestEnd); start++ {
			if !s.model.fits(bid, o, start, need) {
				continue
			}
			if _, allowed := s.model.effective(bid, o, start); allowed {
				s.failf("%s rests and could have a lease of %s from %d", bid.ID, o.ID, start)
			}
		}
	}
}

// mustBeSeen is what the random sessions must reach.
func mustBeSeen() []string {
	all := []string{
		"bid filled at once", "bid filled by several leases", "bid partly filled", "bid rests", "max leases",
		"bid sets price", "offer sets price", "bid priority kept", "offer priority kept",
		"all-or-none from several offers", "all-or-none from new and rested offers", "fill-or-kill filled", "fill-or-kill killed",
		"rest of an immediate bid cancelled", "bid filled from new capacity", "new capacity goes to several bids",
		"refilled from another offer", "turns alternate", "released", "released to a bid",
		"bid filled by several pieces", "bid rests with a piece taken", "three pieces", "all pieces or none",
		"piece from new capacity", "piece from another offer", "all pieces from new capacity",
		"waits for a clean hour", "lease over several hours of a zone", "reconsidered", "cleaner hour filled a bid",
		"cleaner hour filled an all-or-none bid", "cleaner hour filled a piece",
		"post-only bid refused", "post-only bid rests", "post-only offer refused", "post-only offer listed", "post-only amendment refused",
		"sibling dropped", "several siblings dropped", "sibling dropped that was partly filled", "siblings dropped by new capacity",
		"bid reduced", "reduced bid filled", "reduced all-or-none bid filled", "reduced splittable bid filled", "bid amended",
		"offer reduced", "offer sold too much to be reduced", "offer amended", "offer's window amended", "amended offer filled a bid",
		"amended offer does not cover what is sold", "bid cancelled", "offer cancelled", "expired", "restored", "restored with a piece taken",
		"quoted", "quoted several leases", "levels of offers", "levels of bids", "several offers on a level", "several bids on a level",
		"regions changed", "stale bid", "stale offer", "crowd purged",
	}
	for _, o := range overlooked {
		all = append(all, "decides: "+o.condition)
	}
	return all
}
