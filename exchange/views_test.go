package exchange

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// scribe is a machine that carries out transcripts and projects their events.
type scribe struct {
	t  *testing.T
	m  *machine
	p  *projector
	x  *Exchange
	at log.Position
}

func newScribe(t *testing.T, db *database.DB) *scribe {
	t.Helper()
	b, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	c := Config{DB: db, Projected: func([]corehour.Event) {}, Log: log.Config{Dir: "none"}}
	x := newExchange(c, disk{store: sqlStore{db}})
	x.projector = newProjector(&c, x.disk.store, log.Position{})
	return &scribe{t: t, m: &machine{t: t, state: NewState()}, p: x.projector, x: x}
}

// run carries out a line and projects what came of it.
func (s *scribe) run(line string) {
	s.t.Helper()
	s.m.events = nil
	s.m.run(line)
	if s.x.state = s.m.state; len(s.m.events) == 0 {
		return
	}
	s.at.Sequence++
	if err := s.p.project(s.t.Context(), []projection{{at: s.at, events: s.m.events}}); err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	s.compare(line)
}

// compare reads everything that is live from the state and from the database.
func (s *scribe) compare(line string) {
	s.t.Helper()
	state := s.m.state
	for id, o := range state.offers {
		same(s, line, o.view(), func() ([]OfferView, error) { return s.x.offers(s.t.Context(), where("id", "=", int64(id)), 1) })
	}
	for id, b := range state.bids {
		same(s, line, b.view(), func() ([]BidView, error) { return s.x.bids(s.t.Context(), where("id", "=", int64(id)), 1) })
	}
	for id, l := range state.leases {
		same(s, line, l.view(), func() ([]LeaseView, error) { return s.x.leases(s.t.Context(), where("id", "=", int64(id)), 1) })
	}
}

func same[V any](s *scribe, line string, live V, query func() ([]V, error)) {
	s.t.Helper()
	rows, err := query()
	if err != nil || len(rows) != 1 {
		s.t.Fatalf("%s: %d rows, %v", line, len(rows), err)
	}
	if a, b := fmt.Sprintf("%+v", live), fmt.Sprintf("%+v", rows[0]); a != b && string(marshal(live)) != string(marshal(rows[0])) {
		s.t.Fatalf("%s: the state shows\n%s\nthe database\n%s", line, a, b)
	}
}

// TestViews_OfTheStateAreThoseOfTheDatabase carries out all transcripts and reads
// after each command what is live, from both.
func TestViews_OfTheStateAreThoseOfTheDatabase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScribe(t, testenv.SQLite(t))
			answer := false
			for line := range strings.Lines(string(text)) {
				switch {
				case line == "----\n":
					answer = true
				case line == "\n" || strings.HasPrefix(line, "#"):
					answer = false
				case !answer:
					s.run(strings.TrimSuffix(line, "\n"))
				}
			}
		})
	}
}
