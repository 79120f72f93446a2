package metering_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

// modelLease is what the naive model believes of a lease.
type modelLease struct {
	provider corehour.AccountID
	units    int64
	begin    corehour.Instant
	end      corehour.Instant
	status   corehour.LeaseStatus
	endedAt  corehour.Instant
	closed   bool
	records  []metering.Record // in the order of acceptance
}

func (l *modelLease) ended() bool {
	return l.status != corehour.StatusMatched && l.status != corehour.StatusActive
}

// model remembers everything and looks at all of it each time.
type model struct {
	leases map[corehour.LeaseID]*modelLease
	ids    []corehour.LeaseID
	known  map[corehour.AccountID]map[string]metering.Record
	used   []metering.Record // everything ever reported, to be repeated
	facts  []corehour.Event  // everything the exchange ever said, to be repeated
}

// report is the rules once more, in another shape: it walks the lease's hours
// and sums up what was accepted instead of keeping sums.
func (m *model) report(provider corehour.AccountID, r metering.Record, now corehour.Instant) string {
	if before, ok := m.known[provider][r.RecordID]; ok {
		if before == r {
			return "repeated"
		}
		return "record_id_reused"
	}
	l := m.leases[r.Lease]
	switch {
	case l == nil || l.provider != provider:
		return "unknown_lease"
	case l.closed, l.status == corehour.StatusFailed, l.status == corehour.StatusSettled:
		return "usage_closed"
	case l.status == corehour.StatusMatched:
		return "lease_not_active"
	case r.To <= r.From:
		return "bad_interval"
	}
	last := l.end
	if l.status == corehour.StatusCompleted {
		last = l.endedAt
	}
	if r.From < l.begin || r.To > last {
		return "outside_lease"
	}
	begin := l.begin
	for begin+60*minute <= r.From {
		begin += 60 * minute
	}
	end := begin + 60*minute
	if r.To > end {
		return "spans_hours"
	}
	if r.To > now+2*minute {
		return "in_future"
	}
	sum := r.Used
	for _, a := range l.records {
		if a.From >= begin && a.To <= end {
			sum += a.Used
		}
	}
	if r.Used < 0 || int64(r.Used) > l.units*int64(r.To-r.From) || int64(sum) > l.units*int64(min(end, last)-begin) {
		return "exceeds_capacity"
	}
	l.records = append(l.records, r)
	m.known[provider][r.RecordID] = r
	return "accepted"
}

// machine drives metering and the model together.
type machine struct {
	w    *world
	m    *model
	base corehour.LeaseID // ids of this run are above it
	// outcomes counts what records met with, over all runs.
	outcomes map[string]int
}

var modelProviders = []corehour.AccountID{"p-0", "p-1"}

// check compares a run's outcome; names of records carry the base, because one
// database serves all runs.
func (s *machine) check(t *rapid.T) {
	leases, err := readFeed(s.w.feed())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range s.m.ids {
		l := s.m.leases[id]
		feed := leases[id]
		if feed == nil {
			feed = &leaseFeed{}
		}
		var sum corehour.CPUTime
		for _, r := range l.records {
			sum += r.Used
			e, ok := feed.records[r.RecordID]
			if !ok || e.From != r.From || e.To != r.To || e.Used != r.Used || e.Provider != l.provider {
				t.Fatalf("%s: accepted %+v, the feed says %+v (%t)", id, r, e, ok)
			}
		}
		if len(feed.records) != len(l.records) || feed.used != sum || (feed.closed != nil) != l.closed {
			t.Fatalf("%s: the feed has %d records, %d us, closed %t; the model %d, %d us, %t", id,
				len(feed.records), feed.used, feed.closed != nil, len(l.records), sum, l.closed)
		}
		s.checkStored(t, id, l, sum)
	}
}

func (s *machine) checkStored(t *rapid.T, id corehour.LeaseID, l *modelLease, sum corehour.CPUTime) {
	u := s.w.usage(id)
	if u.Status != l.status || u.Closed != l.closed || u.Used != sum || u.Records != int64(len(l.records)) {
		t.Fatalf("%s: usage is %+v, the model %+v", id, u, l)
	}
	hours := map[corehour.Instant]corehour.CPUTime{}
	for _, r := range l.records {
		hours[l.begin+(r.From-l.begin)/(60*minute)*(60*minute)] += r.Used
	}
	if len(hours) != len(u.Hours) {
		t.Fatalf("%s: %d hours, the model has %d", id, len(u.Hours), len(hours))
	}
	for _, h := range u.Hours {
		if h.Used != hours[h.Hour.Instant()] {
			t.Fatalf("%s, hour %s: %d us, the model %d us", id, h.Hour, h.Used, hours[h.Hour.Instant()])
		}
	}
	for i, v := range s.w.records(id) {
		if v.Record != l.records[i] {
			t.Fatalf("%s: record %d is %+v, the model's %+v", id, i, v.Record, l.records[i])
		}
	}
}

// pick is one of the run's leases.
func (s *machine) pick(t *rapid.T) (corehour.LeaseID, *modelLease) {
	id := rapid.SampledFrom(s.m.ids).Draw(t, "lease")
	return id, s.m.leases[id]
}

func (s *machine) fact(e corehour.Event) {
	s.m.facts = append(s.m.facts, e)
	s.w.take(e)
}

// match makes a lease, at first one of each provider.
func (s *machine) match(t *rapid.T) {
	id := s.base + corehour.LeaseID(len(s.m.ids)) + 1
	units := rapid.Int64Range(1, 3).Draw(t, "units")
	from := start.Add(corehour.Minutes(rapid.IntRange(0, 90).Draw(t, "start")))
	to := from.Add(corehour.Minutes(rapid.SampledFrom([]int{130, 180, 61, 60, 59, 1}).Draw(t, "length")))
	provider := modelProviders[len(s.m.ids)%len(modelProviders)]
	s.m.ids = append(s.m.ids, id)
	s.m.leases[id] = &modelLease{
		provider: provider, units: units, begin: from.Instant(), end: to.Instant(), status: corehour.StatusMatched,
	}
	s.fact(s.w.matched(id, provider, corehour.Units(units), from, to))
}

// begin starts a lease, the first one that waits unless chance wants another.
func (s *machine) begin(t *rapid.T) {
	id, l := s.pick(t)
	for i := 0; i < len(s.m.ids) && l.status != corehour.StatusMatched && !rarely(t, "again", 3); i++ {
		id = s.m.ids[i]
		l = s.m.leases[id]
	}
	if l.status == corehour.StatusMatched {
		l.status = corehour.StatusActive
	}
	s.fact(s.w.started(id))
}

func (s *machine) end(t *rapid.T) {
	id, l := s.pick(t)
	status, when := corehour.StatusCompleted, l.end
	if l.status == corehour.StatusMatched {
		status, when = corehour.StatusFailed, l.begin
	} else if rapid.Bool().Draw(t, "early") {
		when = l.begin + corehour.Instant(rapid.Int64Range(0, int64(l.end-l.begin)).Draw(t, "ended at"))
	}
	if !l.ended() {
		l.status, l.endedAt = status, when
	}
	s.fact(s.w.ended(id, status, when))
}

func (s *machine) settle(t *rapid.T) {
	id, l := s.pick(t)
	if !l.ended() {
		t.Skip("the exchange settles what has ended")
	}
	l.status = corehour.StatusSettled
	s.fact(s.w.settled(id))
}

// again is the bus handing over what it handed over before.
func (s *machine) again(t *rapid.T) {
	from := rapid.IntRange(0, len(s.m.facts)-1).Draw(t, "from")
	s.w.take(s.m.facts[from:]...)
}

func (s *machine) pass(t *rapid.T) {
	s.w.clock.set(s.w.clock.now() + corehour.Instant(rapid.SampledFrom([]int64{60, 30, 7, 90, 1}).Draw(t, "minutes"))*minute)
}

// rarely is true once in 2^bits draws; rapid's numbers lean towards their ends.
func rarely(t *rapid.T, what string, bits int) bool {
	for range bits {
		if !rapid.Bool().Draw(t, what) {
			return false
		}
	}
	return true
}

// record is a record that is mostly reasonable, or an old one, perhaps altered.
func (s *machine) record(t *rapid.T, provider corehour.AccountID) metering.Record {
	if len(s.m.used) > 0 && rarely(t, "repeat", 2) {
		r := rapid.SampledFrom(s.m.used).Draw(t, "old")
		if rarely(t, "altered", 2) {
			r.Used++
		}
		return r
	}
	id, l := s.pick(t)
	if !rarely(t, "stranger", 4) {
		for l.provider != provider {
			id = s.base + (id-s.base)%corehour.LeaseID(len(s.m.ids)) + 1
			l = s.m.leases[id]
		}
	} else if rapid.Bool().Draw(t, "nobody") {
		id = s.base
	}
	r := metering.Record{RecordID: fmt.Sprintf("r-%d-%d", s.base, len(s.m.used)), Lease: id}
	// Mostly within one lease-hour, where the lease is long enough.
	hour := l.begin + corehour.Instant(rapid.Int64Range(0, int64(l.end-l.begin-1)/int64(60*minute)).Draw(t, "hour"))*60*minute
	from := rapid.Int64Range(0, 59).Draw(t, "from")
	r.From = hour + corehour.Instant(from)*minute
	r.To = r.From + corehour.Instant(rapid.Int64Range(1, 60-from).Draw(t, "length"))*minute
	r.To = max(min(r.To, l.end), r.From+1)
	if rarely(t, "odd", 2) {
		r.From += corehour.Instant(rapid.SampledFrom([]int64{0, -1, 1, -61 * int64(minute)}).Draw(t, "odd from"))
		r.To += corehour.Instant(rapid.SampledFrom([]int64{int64(60 * minute), 1, -1, -60 * int64(minute)}).Draw(t, "odd to"))
	}
	if full := l.units * int64(r.To-r.From); full > 0 {
		r.Used = corehour.CPUTime(rapid.SampledFrom([]int64{full / 2, full / 3, 0, 1, full, full, full + 1, -1}).Draw(t, "used"))
	}
	return r
}

func (s *machine) report(t *rapid.T) {
	provider := rapid.SampledFrom(modelProviders).Draw(t, "provider")
	batch := make([]metering.Record, rapid.IntRange(1, 12).Draw(t, "size"))
	want := make([]string, len(batch))
	for i := range batch {
		batch[i] = s.record(t, provider)
		want[i] = s.m.report(provider, batch[i], s.w.clock.now())
		s.m.used = append(s.m.used, batch[i])
	}
	for i, r := range s.w.report(provider, batch...) {
		got := string(r.Status)
		if r.Status == metering.StatusRejected {
			got = string(r.Code)
		}
		if got != want[i] {
			t.Fatalf("record %d of the batch, %+v: got %s (%s), the model says %s", i, batch[i], got, r.Message, want[i])
		}
		s.outcomes[got]++
	}
}

func (s *machine) close(t *rapid.T) {
	provider := rapid.SampledFrom(modelProviders).Draw(t, "provider")
	id, l := s.pick(t)
	want := "repeated"
	switch {
	case l.provider != provider:
		want = "unknown_lease"
	case !l.ended():
		want = "lease_not_ended"
	case !l.closed:
		want = "accepted"
		l.closed = true
	}
	r := s.w.close(provider, id)[0]
	if got := string(r.Status); got != want && string(r.Code) != want {
		t.Fatalf("closing %s for %s: got %+v, the model says %s", id, provider, r, want)
	}
}

func (s *machine) closeDue(t *rapid.T) {
	want := 0
	for _, l := range s.m.leases {
		over := l.status != corehour.StatusCompleted ||
			s.w.clock.now()-l.endedAt >= corehour.Instant(grace.Microseconds())
		if l.ended() && !l.closed && over {
			l.closed = true
			want++
		}
	}
	if got := s.w.closeDue(); got != want {
		t.Fatalf("%d were closed, the model closed %d", got, want)
	}
}

// finish ends and closes all, so that the next run finds nothing that is due.
func (s *machine) finish(t *rapid.T) {
	for _, id := range s.m.ids {
		l := s.m.leases[id]
		if !l.ended() {
			l.status, l.endedAt = corehour.StatusCompleted, l.end
		}
		s.w.take(s.w.started(id), s.w.ended(id, corehour.StatusCompleted, l.end))
	}
	s.w.clock.set(at(1_000_000))
	s.closeDue(t)
	s.check(t)
}

func TestMetering_AgreesWithANaiveModel(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		runs, outcomes := corehour.LeaseID(0), map[string]int{}
		rapid.Check(t, func(t *rapid.T) {
			runs++
			s := &machine{w: w, base: runs * 1_000, outcomes: outcomes, m: &model{
				leases: map[corehour.LeaseID]*modelLease{},
				known:  map[corehour.AccountID]map[string]metering.Record{},
			}}
			for _, p := range modelProviders {
				s.m.known[p] = map[string]metering.Record{}
			}
			// A run that failed, which rapid then makes smaller, may have left some.
			w.clock.set(at(1_000_000))
			w.closeDue()
			w.clock.set(at(0))
			for range modelProviders {
				s.match(t)
				s.match(t)
				s.begin(t)
				s.begin(t)
				s.pass(t)
			}
			t.Repeat(map[string]func(*rapid.T){
				"match": s.match, "begin": s.begin, "end": s.end, "settle": s.settle, "again": s.again, "pass": s.pass,
				"report": s.report, "report more": s.report, "report yet more": s.report,
				"close": s.close, "close due": s.closeDue,
			})
			s.finish(t)
		})
		w.mustAgree()
		if t.Failed() || runs < 100 {
			return
		}
		// Where the draws miss a rule, agreeing on it proves nothing.
		for _, outcome := range []string{
			"accepted", "repeated", "record_id_reused", "unknown_lease", "usage_closed", "lease_not_active",
			"bad_interval", "outside_lease", "spans_hours", "in_future", "exceeds_capacity",
		} {
			if outcomes[outcome] == 0 {
				t.Errorf("%s never came up in %d runs: %v", outcome, runs, outcomes)
			}
		}
		t.Logf("outcomes: %v", outcomes)
	})
}

// What the other tests rely on to find a broken feed must find one.
func TestReadFeed_FindsWhatMayNeverStandInAFeed(t *testing.T) {
	w := &world{t: t, clock: &testClock{}}
	usage := func(sequence int64, id string, lease corehour.LeaseID) corehour.Event {
		e := w.event(corehour.EventUsageAccepted, "", corehour.UsageAccepted{Provider: prov, RecordID: id, Lease: lease, Used: 5})
		e.Sequence = sequence
		return e
	}
	closed := func(sequence, records int64, used corehour.CPUTime) corehour.Event {
		e := w.event(corehour.EventUsageClosed, "", corehour.UsageClosed{Lease: 1, Records: records, Used: used})
		e.Sequence = sequence
		return e
	}
	for name, events := range map[string][]corehour.Event{
		"a gap":                {usage(1, "a", 1), usage(3, "b", 1)},
		"a record twice":       {usage(1, "a", 1), usage(2, "a", 2)},
		"closed twice":         {closed(1, 0, 0), closed(2, 0, 0)},
		"usage after closing":  {closed(1, 0, 0), usage(2, "a", 1)},
		"a wrong count":        {usage(1, "a", 1), closed(2, 2, 5)},
		"a wrong sum":          {usage(1, "a", 1), closed(2, 1, 6)},
		"something unexpected": {{Sequence: 1, Type: corehour.EventLeaseEnded}},
	} {
		if _, err := readFeed(events); err == nil {
			t.Errorf("%s was not found", name)
		}
	}
	if _, err := readFeed([]corehour.Event{usage(1, "a", 1), usage(2, "b", 2), usage(3, "c", 1), closed(4, 2, 10)}); err != nil {
		t.Errorf("a good feed: %v", err)
	}
}
