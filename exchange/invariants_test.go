package exchange

import "github.com/corehour/corehour"

// fataler is a test, or one that rapid drives.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkSought holds what a bid says it seeks against its book, and the pieces of
// a splittable bid against what is left of it.
func checkSought(t fataler, s *State, b *bid) {
	t.Helper()
	open, left, ok := s.bookOf(b.Product).Open(b.ref)
	if !ok || open != b.open || left != b.left {
		t.Fatalf("%s seeks %d x %d min, its book says %d x %d min (%t)", b.ID, b.open, b.left, open, left, ok)
	}
	covered, end := corehour.Minutes(0), corehour.Minute(0)
	for _, piece := range b.taken {
		if piece.From < end || piece.To.Sub(piece.From) < b.MinPiece {
			t.Fatalf("the pieces of %s overlap or are too short: %v", b.ID, b.taken)
		}
		end = piece.To
		covered += piece.To.Sub(piece.From)
	}
	if covered+b.left != b.Duration || b.MinPiece == 0 && covered > 0 {
		t.Fatalf("%s has pieces of %d min and %d left of %d", b.ID, covered, b.left, b.Duration)
	}
}

// checkInvariants are DESIGN's sentences about the state alone.
func checkInvariants(t fataler, s *State) {
	t.Helper()
	held := make(map[corehour.AccountID]corehour.Money)
	for _, b := range s.bids {
		if want := corehour.Cost(b.Limit, b.open, b.left); b.hold != want || b.open < 1 || b.open > b.Units {
			t.Fatalf("%s has %d of %d open for %d min and holds %s, want %s", b.ID, b.open, b.Units, b.left, b.hold, want)
		}
		checkSought(t, s, b)
		held[b.Consumer] += b.hold
	}
	type minute struct {
		offer corehour.OfferID
		at    corehour.Minute
	}
	sold := make(map[minute]corehour.Units)
	for _, l := range s.leases {
		held[l.Consumer] += l.unspent()
		if l.unspent() < 0 || l.feePaid != l.charged.Share(l.Fee) {
			t.Fatalf("%s was charged %s of %s, fee %s", l.ID, l.charged, l.Hold, l.feePaid)
		}
		o := s.offers[l.Offer]
		if o == nil || l.status.Over() {
			continue
		}
		// The minute that has begun was sold under the terms of then.
		from := max(l.Start, s.startable())
		for m := from; m < min(l.End, from+10_000); m++ {
			if sold[minute{o.ID, m}] += l.Units; sold[minute{o.ID, m}] > o.Units {
				t.Fatalf("%s is oversold at %s", o.ID, m)
			}
		}
	}
	for _, o := range s.offers {
		for _, w := range o.withdrawn {
			for m := w.From; m < min(w.To, w.From+10_000); m++ {
				if sold[minute{o.ID, m}] += w.Units; sold[minute{o.ID, m}] > o.Units && m >= s.startable() {
					t.Fatalf("%s is oversold at %s by what was withdrawn", o.ID, m)
				}
			}
		}
	}
	checkOversight(t, s)
	total := s.fees
	for _, a := range s.accounts {
		if a.available < -a.granted || a.held < 0 || a.bond < 0 || a.held != held[a.id] {
			t.Fatalf("account %s: available %s held %s, its orders and leases may cost %s", a.id, a.available, a.held, held[a.id])
		}
		total += a.available + a.held + a.bond
	}
	if total != s.deposited {
		t.Fatalf("accounts and fees add up to %s, deposited was %s", total, s.deposited)
	}
	checkRisk(t, s)
}

// checkOversight counts again what the state counts of leases and covers.
func checkOversight(t fataler, s *State) {
	t.Helper()
	var c control
	running := make(map[corehour.AccountID]corehour.Money)
	owing := make(map[corehour.AccountID]int)
	users := make(map[corehour.BidID]int)
	for _, l := range s.leases {
		if !l.status.Over() {
			running[l.Provider] += l.Hold
		} else if l.due != 0 || l.lookAt != 0 || l.bid != nil {
			t.Fatalf("%s is %s and still overseen", l.ID, l.status)
		}
		if l.lookAt != 0 {
			c.watched++
		}
		if l.suspectAt != 0 {
			c.suspect++
		}
		if l.bid != nil {
			users[l.Bid]++
		}
	}
	if c.watched != s.control.watched || c.suspect != s.control.suspect {
		t.Fatalf("%d of %d leases are suspect, the state counts %d of %d", c.suspect, c.watched, s.control.suspect, s.control.watched)
	}
	resting := 0
	for _, b := range s.bids {
		if b.running != users[b.ID] {
			t.Fatalf("%s has %d leases to cover, it says %d", b.ID, users[b.ID], b.running)
		}
		if b.cover != nil {
			resting++
			owing[b.cover.payer]++
			if s.covers[coverRank{b.cover.arrival, b.cover.turn}] != b {
				t.Fatalf("%s is not among the covers", b.ID)
			}
		}
	}
	for id, b := range s.closed {
		if b.running < 1 || b.running != users[id] || s.bids[id] != nil {
			t.Fatalf("%s is kept for %d leases, it says %d", id, users[id], b.running)
		}
	}
	if resting != len(s.covers) {
		t.Fatalf("%d covers rest, the state knows %d", resting, len(s.covers))
	}
	for _, a := range s.accounts {
		if a.running != running[a.id] || a.owing != owing[a.id] {
			t.Fatalf("%s delivers for %s and owes %d covers, it says %s and %d", a.id, running[a.id], owing[a.id], a.running, a.owing)
		}
	}
}
