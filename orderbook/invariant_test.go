package orderbook_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// compare takes the fills of a command: they must be the model's, in its order,
// and each must keep its bid's and its offer's word.
func (s *session) compare(have, want []orderbook.Fill) {
	if !slices.Equal(have, want) {
		s.fatalf("the book made\n%s\nthe model\n%s", lines(have), lines(want))
	}
	for _, f := range have {
		l := lease{f.Offer, f.Units, f.Start, f.End}
		s.leases = append(s.leases, l)
		s.checkFill(f)
	}
	// All leases of an all-or-none bid come of one command and start together.
	for _, f := range have {
		bid := s.tallies[f.Bid]
		if whole(&bid.bid) && (bid.filled != bid.bid.Units || f.Start != have[slices.IndexFunc(have, func(g orderbook.Fill) bool { return g.Bid == f.Bid })].Start) {
			s.fatalf("%s is not filled as a whole in one minute", f.Bid)
		}
	}
}

func (s *session) checkFill(f orderbook.Fill) {
	bid, o := s.tallies[f.Bid], s.offers[f.Offer]
	if s.model.offer(f.Offer) == nil {
		s.fatalf("%s is not in the book: %v", f.Offer, f)
	}
	if bid.bid.Arrival < o.Arrival {
		s.seen["bid sets price"]++
	}
	carbon := corehour.CarbonCost(bid.bid.CarbonPrice, o.Carbon)
	if f.Price%corehour.Tick != 0 || f.Price < o.Price || f.Price+carbon > bid.bid.Limit {
		s.fatalf("price %s of %v is off the tick, below %s or past %s less carbon %s", f.Price, f, o.Price, bid.bid.Limit, carbon)
	}
	if f.Start < s.model.now || f.Start < max(bid.bid.EarliestStart, o.From) || f.End > min(bid.bid.LatestEnd, o.To) ||
		f.End.Sub(f.Start) != bid.bid.Duration {
		s.fatalf("%v does not fit its windows", f)
	}
	before := bid.bid.Units - bid.filled
	if f.Units < o.MinFill || !whole(&bid.bid) && f.Units < min(bid.bid.MinFill, before) || f.Units > before {
		s.fatalf("%v is below a minimum fill or above what is open", f)
	}
	if bid.filled += f.Units; bid.leases == bid.bid.MaxLeases {
		s.fatalf("%s has more leases than it allows", f.Bid)
	}
	if bid.leases++; bid.leases == bid.bid.MaxLeases && bid.filled < bid.bid.Units {
		s.seen["max leases"]++
	}
}

// checkState checks what always holds between commands.
func (s *session) checkState() {
	now := s.model.now
	for _, o := range s.model.offers {
		if !s.book.HasOffer(o.ID) {
			s.fatalf("%s is not in the book", o.ID)
		}
		// What is sold is summed from the leases, not from the model.
		sold := make([]corehour.Units, o.To-o.From)
		for _, l := range s.leases {
			if l.offer == o.ID {
				for minute := l.start; minute < l.end; minute++ {
					sold[minute-o.From] += l.units
				}
			}
		}
		for minute := max(now, o.From); minute < o.To; minute++ {
			free, ok := s.book.Free(o.ID, minute, minute+1)
			taken := sold[minute-o.From]
			if !ok || free < 0 || taken > o.Units || free+taken != o.Units {
				s.fatalf("%s at %d: %d free (%t) and %d sold of %d units", o.ID, minute, free, ok, taken, o.Units)
			}
		}
	}
	for id := range s.offers {
		if s.model.offer(id) == nil {
			if _, ok := s.book.Free(id, now, now+1); ok || s.book.HasOffer(id) {
				s.fatalf("%s is in the book", id)
			}
			delete(s.offers, id)
		}
	}
	s.checkBids()
}

// checkBids checks that filled + open = original for every resting bid, that no
// other is in the book, and that none rests that could have a lease.
func (s *session) checkBids() {
	for id, bid := range s.tallies {
		resting := s.model.bid(id)
		open, ok := s.book.Open(id)
		if ok != (resting != nil) {
			s.fatalf("%s rests: %t", id, ok)
		}
		if !ok {
			delete(s.tallies, id)
			continue
		}
		if open+bid.filled != bid.bid.Units || open != resting.Units || open <= 0 {
			s.fatalf("%s: %d open and %d filled of %d units", id, open, bid.filled, bid.bid.Units)
		}
		if whole(resting) {
			continue
		}
		for _, o := range s.model.offers {
			if !meets(resting, o) {
				continue
			}
			for start := max(o.From, s.model.now); start < o.To; start++ {
				if s.model.could(resting, o, start) {
					s.fatalf("%s rests and could have a lease of %s from %d", id, o.ID, start)
				}
			}
		}
	}
}

func (s *session) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\nafter\n%s", fmt.Sprintf(format, args...), lines(s.log))
}

func lines[T any](values []T) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "  %+v\n", v)
	}
	return b.String()
}
