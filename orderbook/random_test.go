package orderbook_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

const commandsPerSequence = 2_000

// TestBook_AgreesWithNaiveModelOnRandomSequences makes 100 sequences of 2,000
// commands; -rapid.checks makes more. On failure it prints rapid's seed and the
// shortest sequence of commands found that still fails.
func TestBook_AgreesWithNaiveModelOnRandomSequences(t *testing.T) {
	seen := map[string]int{}
	commands := rapid.SliceOfN(rapid.Uint64(), commandsPerSequence, commandsPerSequence)
	rapid.Check(t, func(t *rapid.T) {
		s := newSession(t, rapid.Uint64().Draw(t, "shape"))
		for _, seed := range commands.Draw(t, "commands") {
			// Each command is one number, so that rapid can shorten the sequence by
			// making numbers zero without changing what follows.
			if seed != 0 {
				random := rand.New(rand.NewPCG(seed, seed))
				s.step(random.IntN)
			}
		}
		for what, n := range s.seen {
			seen[what] += n
		}
	})
	// A generator that stops reaching a rule would make this test say nothing.
	for _, what := range []string{
		"bid filled at once", "bid filled by several leases", "bid filled from new capacity", "bid rests",
		"all-or-none from several offers", "all-or-none from new and rested offers", "refilled from another offer",
		"released", "released to a bid", "max leases", "bid sets price", "restored", "bid cancelled", "offer cancelled",
	} {
		if seen[what] < 10 {
			t.Errorf("%q happened only %d times", what, seen[what])
		}
	}
	t.Logf("%v", seen)
}

// FuzzBook reads commands from bytes, one for each choice. Inputs are long, so
// run it with -fuzzminimizetime=10x, or most of the time goes into shortening.
func FuzzBook(f *testing.F) {
	for seed := range uint64(48) {
		random := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 12
		data = data[:min(len(data), limit)]
		next := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b) % n
		}
		s := newSession(t, uint64(next(256)))
		for len(data) > 0 {
			s.step(next)
		}
	})
}

// failer is a testing.T or a rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// choose picks a number in [0, n).
type choose func(n int) int

func pick[T any](c choose, values ...T) T { return values[c(len(values))] }

// lease is a fill that has not ended.
type lease struct {
	offer      corehour.OfferID
	units      corehour.Units
	start, end corehour.Minute
}

// tally is what became of a bid's units.
type tally struct {
	bid    orderbook.Bid // as it was placed
	filled corehour.Units
	leases int
}

// session runs commands on the book and on the model and compares them.
type session struct {
	t       failer
	book    *orderbook.Book
	model   *model
	units   corehour.Units // scale of quantities
	price   corehour.Price // scale of prices
	plain   bool           // few hard conditions, so that the market is full
	arrival uint64
	leases  []lease
	tallies map[corehour.BidID]*tally
	offers  map[corehour.OfferID]orderbook.Offer
	seen    map[string]int
	log     []any
}

// newSession starts with an empty book. The shape says how large its figures
// are (with the largest ones a sum of units x price exceeds 64 bits) and whether
// most pairs can meet.
func newSession(t failer, shape uint64) *session {
	return &session{
		t: t, book: orderbook.New(), model: &model{},
		units: []corehour.Units{1, 1, 60_000}[shape%3], price: corehour.Tick * []corehour.Price{1, 50_000_000_000}[shape/3%2],
		plain:   shape/6%2 == 0,
		tallies: map[corehour.BidID]*tally{}, offers: map[corehour.OfferID]orderbook.Offer{}, seen: map[string]int{},
	}
}

const (
	mostOffers  = 9
	mostBids    = 14
	mostMinutes = 40
)

// step makes one command and checks everything that always holds.
func (s *session) step(c choose) {
	switch n := c(100); {
	case n < 42 && len(s.model.bids) < mostBids:
		s.placeBid(s.randomBid(c))
	case n < 58 && len(s.model.offers) < mostOffers:
		s.placeOffer(s.randomOffer(c))
	case n < 76 && len(s.leases) > 0:
		s.release(c)
	case n < 86:
		s.pass(corehour.Minute(c(4)))
	case n < 92 && len(s.model.bids) > 0:
		s.cancelBid(s.model.bids[c(len(s.model.bids))].ID)
	case n < 95 && len(s.model.offers) > 0:
		s.cancelOffer(s.model.offers[c(len(s.model.offers))].ID)
	case n < 97:
		s.restore(c)
	default:
		s.cancelUnknown()
	}
	s.checkState()
}

func (s *session) randomOffer(c choose) orderbook.Offer {
	s.arrival++
	from := max(0, s.model.now+corehour.Minute(c(12))-3)
	units := corehour.Units(1+c(16)) * s.units
	o := orderbook.Offer{
		ID: corehour.OfferID(s.arrival), Arrival: s.arrival,
		Provider: orderbook.ProviderIndex(c(4)), Org: orderbook.OrgIndex(c(3)), Region: pick[orderbook.RegionIndex](c, 0, 1, 64, 255),
		Units: units, From: from, To: from + 1 + corehour.Minute(c(mostMinutes)),
		Price:  corehour.Price(1+c(6)) * s.price,
		Carbon: pick[corehour.CarbonRate](c, 0, 0, 500, 1_000, 3_000, 3_001), SLA: corehour.SLA(1 + c(3)),
		Interruptible: c(3) == 0,
		MinFill:       pick(c, 1, 1, 1+corehour.Units(c(int(units)))),
		MinDuration:   pick[corehour.Minutes](c, 1, 1, 1, 3, 6),
	}
	if s.plain {
		o.To = from + 1 + corehour.Minute(c(mostMinutes/2))
		o.MinDuration, o.Interruptible = 1, false
	}
	return o
}

func (s *session) randomBid(c choose) orderbook.Bid {
	s.arrival++
	earliest := max(0, s.model.now+corehour.Minute(c(12))-3)
	duration := corehour.Minutes(1 + c(10))
	units := corehour.Units(1+c(16)) * s.units
	bid := orderbook.Bid{
		ID: corehour.BidID(s.arrival), Arrival: s.arrival, Org: orderbook.OrgIndex(c(4)),
		Units: units, Duration: duration, EarliestStart: earliest,
		LatestEnd: earliest + corehour.Minute(duration) + corehour.Minute(pick(c, 0, c(8), c(mostMinutes))),
		Limit:     corehour.Price(2+c(8)) * s.price,
		Regions:   orderbook.RegionSet{AllowAll: c(4) > 0}, Providers: orderbook.ProviderSet{AllowAll: c(4) > 0},
		MaxCarbon:   pick[corehour.CarbonRate](c, orderbook.NoCarbonCap, orderbook.NoCarbonCap, 0, 999, 1_000, 3_000),
		CarbonPrice: pick[corehour.CarbonPrice](c, 0, 0, 333_333_333, 1_000_000_000, 2_000_000_000),
		MinSLA:      pick[corehour.SLA](c, 1, 1, 2, 3), Interruptible: c(3) > 0,
		MinFill: pick(c, 1, 1+corehour.Units(c(int(units)))), AllOrNone: c(4) == 0,
		MaxLeases:   pick(c, corehour.MaxLeasesPerBid, corehour.MaxLeasesPerBid, 1, 2, 3),
		TimeInForce: pick(c, corehour.GoodTillCancelled, corehour.GoodTillCancelled, corehour.GoodTillTime, corehour.ImmediateOrCancel, corehour.FillOrKill),
	}
	if s.plain {
		bid.Org, bid.MinSLA, bid.MaxCarbon = 3, corehour.SLABasic, orderbook.NoCarbonCap
		bid.Regions.AllowAll, bid.Providers.AllowAll = true, true
		return bid
	}
	for _, r := range []orderbook.RegionIndex{0, 1, 64, 255} {
		if !bid.Regions.AllowAll && c(2) == 0 {
			bid.Regions.Allow[r/64] |= 1 << (r % 64)
		}
		if c(8) == 0 {
			bid.Regions.Deny[r/64] |= 1 << (r % 64)
		}
	}
	for p := range orderbook.ProviderIndex(4) {
		if !bid.Providers.AllowAll && c(2) == 0 {
			bid.Providers.Allow = append(bid.Providers.Allow, p)
		}
		if c(8) == 0 {
			bid.Providers.Deny = append(bid.Providers.Deny, p)
		}
	}
	return bid
}

func (s *session) placeBid(bid orderbook.Bid) {
	s.log = append(s.log, bid)
	s.tallies[bid.ID] = &tally{bid: bid}
	s.compare(s.book.PlaceBid(s.model.now, bid), s.model.placeBid(bid))
	switch filled := s.tallies[bid.ID]; {
	case filled.filled == bid.Units && filled.leases > 1 && whole(&bid):
		s.seen["all-or-none from several offers"]++
	case filled.filled == bid.Units && filled.leases > 1:
		s.seen["bid filled by several leases"]++
	case filled.filled == bid.Units:
		s.seen["bid filled at once"]++
	case s.model.bid(bid.ID) != nil:
		s.seen["bid rests"]++
	}
}

func (s *session) placeOffer(o orderbook.Offer) {
	s.log = append(s.log, o)
	s.offers[o.ID] = o
	fills := s.model.placeOffer(o)
	s.compare(s.book.PlaceOffer(s.model.now, o), fills)
	s.sawNewCapacity(o.ID, fills)
}

// release ends a lease early: all of it, also what has passed, or its tail.
func (s *session) release(c choose) {
	i := c(len(s.leases))
	l := s.leases[i]
	from := l.start
	if c(4) > 0 {
		from = max(l.start, min(l.end, s.model.now+corehour.Minute(pick(c, 0, 0, c(6)))))
	}
	s.log = append(s.log, fmt.Sprintf("release %d units of %s over [%d, %d)", l.units, l.offer, from, l.end))
	end := l.end
	if s.leases[i].end = from; from == l.start {
		s.leases = slices.Delete(s.leases, i, i+1)
	}
	fills := s.model.release(l.offer, l.units, from, end)
	s.compare(s.book.Release(s.model.now, l.offer, l.units, from, end), fills)
	s.seen["released"]++
	if len(fills) > 0 {
		s.seen["released to a bid"]++
	}
	s.sawNewCapacity(l.offer, fills)
}

// pass lets time pass and does as the exchange: what can't match any more is
// cancelled.
func (s *session) pass(minutes corehour.Minute) {
	s.log = append(s.log, fmt.Sprintf("%d minutes pass", minutes))
	s.model.now += minutes
	// An empty release tells the book the time.
	s.compare(s.book.Release(s.model.now, 1<<40, 1, 0, 1), nil)
	for _, bid := range slices.Clone(s.model.bids) {
		if s.model.now > bid.LatestEnd {
			s.cancelBid(bid.ID)
		}
	}
	for _, o := range slices.Clone(s.model.offers) {
		if s.model.now > o.To {
			s.cancelOffer(o.ID)
		}
	}
	s.leases = slices.DeleteFunc(s.leases, func(l lease) bool { return l.end <= s.model.now })
}

func (s *session) cancelBid(id corehour.BidID) {
	s.log = append(s.log, "cancel "+id.String())
	want := s.model.bid(id).Units
	s.model.cancelBid(id)
	if open, ok := s.book.CancelBid(id); !ok || open != want {
		s.fatalf("cancel %s: %d, %t, want %d", id, open, ok, want)
	}
	s.seen["bid cancelled"]++
}

func (s *session) cancelOffer(id corehour.OfferID) {
	s.log = append(s.log, "cancel "+id.String())
	s.model.cancelOffer(id)
	if !s.book.CancelOffer(id) {
		s.fatalf("cancel %s: false", id)
	}
	s.seen["offer cancelled"]++
}

func (s *session) cancelUnknown() {
	if s.book.CancelOffer(1 << 40) {
		s.fatalf("an unknown offer was cancelled")
	}
	if open, ok := s.book.CancelBid(1 << 40); ok || open != 0 {
		s.fatalf("an unknown bid was cancelled")
	}
}

// restore goes on with a new book that was made of a snapshot, in any order.
func (s *session) restore(c choose) {
	s.log = append(s.log, "restore")
	s.book = orderbook.New()
	for _, i := range shuffled(c, len(s.model.offers)) {
		o := s.model.offers[i]
		s.book.RestoreOffer(o.Offer)
	}
	for _, i := range shuffled(c, len(s.leases)) {
		l := s.leases[i]
		s.book.RestoreLease(l.offer, l.units, l.start, l.end)
	}
	for _, i := range shuffled(c, len(s.model.bids)) {
		s.book.RestoreBid(*s.model.bids[i])
	}
	s.seen["restored"]++
}

func shuffled(c choose, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
		j := c(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func (s *session) sawNewCapacity(id corehour.OfferID, fills []orderbook.Fill) {
	if len(fills) > 0 {
		s.seen["bid filled from new capacity"]++
	}
	for _, f := range fills {
		if f.Offer == id {
			continue
		}
		if whole(&s.tallies[f.Bid].bid) {
			s.seen["all-or-none from new and rested offers"]++
		} else {
			s.seen["refilled from another offer"]++
		}
	}
}
