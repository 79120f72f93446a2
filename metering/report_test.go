package metering_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

func rec(id string, lease corehour.LeaseID, from, to corehour.Instant, used corehour.CPUTime) metering.Record {
	return metering.Record{RecordID: id, Lease: lease, From: at(from), To: at(to), Used: used}
}

// mustBe compares results with the wanted statuses; a wanted rejection is its code.
func mustBe(t *testing.T, results []metering.Result, want ...string) {
	t.Helper()
	if len(results) != len(want) {
		t.Fatalf("got %d results, want %d", len(results), len(want))
	}
	for i, r := range results {
		got := string(r.Status)
		if r.Status == metering.StatusRejected {
			got = string(r.Code)
			if r.Code == "" || r.Field == "" || r.Message == "" {
				t.Errorf("result %d is rejected without a code, field or message: %+v", i, r)
			}
		} else if r.Code != "" || r.Field != "" || r.Message != "" {
			t.Errorf("result %d is %s with a reason: %+v", i, r.Status, r)
		}
		if got != want[i] {
			t.Errorf("result %d: got %s (%s), want %s", i, got, r.Message, want[i])
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// onDatabases runs a behaviour on SQLite and on PostgreSQL.
func onDatabases(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testenv.Databases(t, func(t *testing.T, db *database.DB) { fn(t, newWorld(t, db)) })
}

func TestReport_AcceptedRecordIsStoredSummedAndTold(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		mustBe(t, w.report(prov, rec("a", 7, 60, 75, cpu(3, 15))), "accepted")

		events := w.feed()
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		e := events[0]
		if e.Type != corehour.EventUsageAccepted || e.Subject != "lease-7" || e.Time != at(150) {
			t.Errorf("event is %+v", e)
		}
		const data = `{"provider":"prov","record_id":"a","lease":"lease-7","from":"2024-01-01T01:30:00Z",` +
			`"to":"2024-01-01T01:45:00Z","hour":"2024-01-01T01:30:00Z","cpu_us":2700000000}`
		if string(e.Data) != data {
			t.Errorf("event says %s\nwant %s", e.Data, data)
		}
		u := w.usage(7)
		if u.Provider != prov || u.Consumer != "cons" || u.Units != 4 || u.Start != start || u.End != start.Add(150) ||
			u.Status != corehour.StatusActive || u.EndedAt != nil || u.Closed {
			t.Errorf("usage is %+v", u)
		}
		if len(u.Hours) != 1 || u.Hours[0] != (metering.HourUsage{Hour: start.Add(60), Records: 1, Used: cpu(3, 15)}) {
			t.Errorf("hours are %+v", u.Hours)
		}
		stored := w.records(7)
		want := metering.RecordView{Record: rec("a", 7, 60, 75, cpu(3, 15)), Hour: start.Add(60), ReceivedAt: at(150), Sequence: e.Sequence}
		if len(stored) != 1 || stored[0] != want {
			t.Errorf("records are %+v", stored)
		}
		if n := w.committed.Load(); n != 1 {
			t.Errorf("the bus was woken %d times", n)
		}
		w.mustAgree()
	})
}

func TestReport_RepeatedRecordChangesNothing(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		r := rec("a", 7, 0, 10, cpu(1, 10))
		mustBe(t, w.report(prov, r), "accepted")
		mustBe(t, w.report(prov, r), "repeated")
		// It stays a repeat when it could not be accepted any more.
		w.take(w.ended(7, corehour.StatusCompleted, at(5)))
		mustBe(t, w.report(prov, r), "repeated")
		w.close(prov, 7)
		w.service = w.node(nil)
		mustBe(t, w.report(prov, r), "repeated")
		if got := len(w.mustAgree()[7].records); got != 1 {
			t.Errorf("%d records", got)
		}
		if n := w.committed.Load(); n != 2 {
			t.Errorf("the bus was woken %d times, not for the record and the closing", n)
		}
	})
}

func TestReport_RecordIDBelongsToItsFirstContentForever(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.lease(8, prov)
		w.lease(9, other)
		w.clock.set(at(150))
		mustBe(t, w.report(prov, rec("a", 7, 0, 10, cpu(1, 10))), "accepted")
		mustBe(t, w.report(prov,
			rec("a", 7, 0, 10, cpu(1, 10)+1),
			rec("a", 7, 0, 11, cpu(1, 10)),
			rec("a", 7, 1, 10, cpu(1, 9)),
			rec("a", 8, 0, 10, cpu(1, 10)),
			rec("a", 99, 0, 10, cpu(1, 10)),
		), "record_id_reused", "record_id_reused", "record_id_reused", "record_id_reused", "record_id_reused")
		// The names of another provider are its own.
		mustBe(t, w.report(other, rec("a", 9, 0, 10, cpu(2, 10))), "accepted")
		w.mustAgree()
	})
}

func TestReport_DuplicatesWithinABatchActOneAfterAnother(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		mustBe(t, w.report(prov,
			rec("a", 7, 0, 10, cpu(1, 10)),
			rec("a", 7, 0, 10, cpu(1, 10)),
			rec("a", 7, 0, 10, cpu(2, 10)),
			rec("b", 7, 0, 10, cpu(5, 10)), // rejected, so its name is still free
			rec("b", 7, 0, 10, cpu(1, 10)),
		), "accepted", "repeated", "record_id_reused", "exceeds_capacity", "accepted")
		w.mustAgree()
	})
}

func TestReport_EachRecordStandsAlone(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.take(w.matched(8, prov, 4, start, start.Add(150)))
		w.clock.set(at(100))
		mustBe(t, w.report(prov,
			rec("ok-1", 7, 0, 60, cpu(4, 60)),
			rec("", 7, 60, 61, 0),
			rec("with space", 7, 60, 61, 0),
			rec(strings.Repeat("x", corehour.MaxNameBytes+1), 7, 60, 61, 0),
			rec("backwards", 7, 61, 60, 0),
			rec("early", 7, -1, 1, 0),
			rec("spans", 7, 59, 61, 0),
			rec("future", 7, 100, 103, 0),
			rec("too-much", 7, 60, 61, cpu(4, 1)+1),
			rec("hour-is-full", 7, 0, 60, 1),
			rec("waiting", 8, 0, 1, 0),
			rec("nobody", 0, 0, 1, 0),
			rec("huge", 1<<63+7, 0, 1, 0),
			rec("ok-2", 7, 60, 100, cpu(1, 40)),
		), "accepted", "invalid_record_id", "invalid_record_id", "invalid_record_id", "bad_interval", "outside_lease",
			"spans_hours", "in_future", "exceeds_capacity", "exceeds_capacity", "lease_not_active", "unknown_lease",
			"unknown_lease", "accepted")
		if got := len(w.mustAgree()[7].records); got != 2 {
			t.Errorf("%d records", got)
		}
	})
}

func TestReport_RejectedRecordMayComeAgain(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		r := rec("a", 7, 0, 10, cpu(1, 10))
		w.clock.set(at(5))
		mustBe(t, w.report(prov, r), "unknown_lease")
		w.take(w.matched(7, prov, 4, start, start.Add(150)))
		mustBe(t, w.report(prov, r), "lease_not_active")
		w.take(w.started(7))
		mustBe(t, w.report(prov, r), "in_future")
		w.clock.set(at(10))
		mustBe(t, w.report(prov, r), "accepted")
	})
}

func TestReport_ForeignLeaseLooksLikeNone(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, other)
		w.lease(9, prov)
		w.clock.set(at(150))
		ask := func(provider corehour.AccountID, lease corehour.LeaseID) string {
			r := w.report(provider, rec("x", lease, 0, 10, cpu(9, 10)))[0]
			c := w.close(provider, lease)[0]
			r.Lease, c.Lease = 0, 0
			b, err := json.Marshal([]metering.Result{r, c})
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for _, state := range []func(){
			func() {},
			func() { w.take(w.ended(7, corehour.StatusCompleted, at(100))) },
			func() { w.close(other, 7) },
		} {
			state()
			for _, provider := range []corehour.AccountID{prov, "never-had-a-lease"} {
				foreign, none := ask(provider, 7), ask(provider, 12345)
				if foreign != none || !strings.Contains(none, "unknown_lease") {
					t.Errorf("%s: a foreign lease answers %s, none %s", provider, foreign, none)
				}
			}
		}
		if u := w.usage(7); u.Records != 0 {
			t.Errorf("%d records were accepted from a stranger", u.Records)
		}
	})
}

func TestReport_HourNeverExceedsItsCapacityAcrossBatches(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		mustBe(t, w.report(prov, rec("a", 7, 120, 150, cpu(4, 20))), "accepted")
		mustBe(t, w.report(prov, rec("b", 7, 120, 150, cpu(4, 10)+1), rec("c", 7, 120, 150, cpu(4, 9)),
			rec("d", 7, 120, 150, cpu(4, 1)+1), rec("e", 7, 120, 150, cpu(4, 1))),
			"exceeds_capacity", "accepted", "exceeds_capacity", "accepted")
		mustBe(t, w.report(prov, rec("f", 7, 120, 121, 1), rec("g", 7, 119, 120, 1)), "exceeds_capacity", "accepted")
		w.mustAgree()
	})
}

func TestReport_EndedLeaseTakesLateUsageWithinItsTime(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.take(w.ended(7, corehour.StatusCompleted, at(70)))
		w.clock.set(at(100))
		mustBe(t, w.report(prov, rec("a", 7, 60, 70, cpu(4, 10)), rec("b", 7, 60, 71, 1)), "accepted", "outside_lease")
		w.close(prov, 7)
		mustBe(t, w.report(prov, rec("c", 7, 0, 10, 1)), "usage_closed")
		w.mustAgree()
	})
}

func TestReport_BatchOfTheLargestSizeOverManyLeases(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		const leases = 250
		var events []corehour.Event
		for id := corehour.LeaseID(1); id <= leases; id++ {
			events = append(events, w.matched(id, prov, 4, start, start.Add(150)), w.started(id))
		}
		w.take(events[:len(events)/2]...)
		w.take(events[len(events)/2:]...)
		w.clock.set(at(150))
		records := make([]metering.Record, metering.MaxBatch)
		for i := range records {
			hour := corehour.Instant(i / leases % 3 * 50)
			records[i] = rec(fmt.Sprintf("r-%d", i), corehour.LeaseID(i%leases+1), hour, hour+5, corehour.CPUTime(i+1))
		}
		for _, want := range []metering.Status{metering.StatusAccepted, metering.StatusRepeated} {
			for i, r := range w.report(prov, records...) {
				if r.Status != want {
					t.Fatalf("record %d is %s (%s), want %s", i, r.Status, r.Code, want)
				}
			}
		}
		var sum corehour.CPUTime
		for _, l := range w.mustAgree() {
			sum += l.used
		}
		if want := corehour.CPUTime(metering.MaxBatch * (metering.MaxBatch + 1) / 2); sum != want {
			t.Errorf("the sum is %d, want %d", sum, want)
		}
	})
}

func TestReport_WhatIsNoBatchIsRefusedWhole(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	w.lease(7, prov)
	w.clock.set(at(150))
	many := make([]metering.Record, metering.MaxBatch+1)
	for i := range many {
		many[i] = rec(fmt.Sprintf("r-%d", i), 7, 0, 1, 0)
	}
	for _, tt := range []struct {
		name     string
		provider corehour.AccountID
		records  []metering.Record
		kind     corehour.Kind
		code     corehour.Code
		field    string
	}{
		{"nothing in it", prov, nil, corehour.KindInvalid, corehour.CodeInvalid, "records"},
		{"one too many", prov, many, corehour.KindTooLarge, corehour.CodeTooManyItems, "records"},
		{"no provider", "", many[:1], corehour.KindInvalid, corehour.CodeInvalid, "provider"},
		{"no name", "a b", many[:1], corehour.KindInvalid, corehour.CodeInvalid, "provider"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.service.Report(w.ctx, tt.provider, tt.records)
			mustFail(t, err, tt.kind, tt.code, tt.field)
		})
	}
	if len(w.feed()) != 0 {
		t.Error("something was accepted")
	}
}

// A batch whose transaction fails leaves nothing behind and is not announced.
func TestReport_FailureOfTheDatabaseAcceptsNothing(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.clock.set(at(150))
		w.exec(`ALTER TABLE usage_hours RENAME TO usage_hours_away`)
		r := rec("a", 7, 0, 10, 1)
		_, err := w.service.Report(w.ctx, prov, []metering.Record{r})
		mustFail(t, err, corehour.KindInternal, corehour.CodeInternal, "")
		w.exec(`ALTER TABLE usage_hours_away RENAME TO usage_hours`)
		if len(w.feed()) != 0 || w.committed.Load() != 0 {
			t.Error("something was accepted")
		}
		mustBe(t, w.report(prov, r), "accepted")
		w.mustAgree()
	})
}

func TestRecords_PagesInTheOrderOfAcceptance(t *testing.T) {
	onDatabases(t, func(t *testing.T, w *world) {
		w.lease(7, prov)
		w.lease(8, prov)
		w.clock.set(at(150))
		for i := range 7 {
			mustBe(t, w.report(prov, rec(fmt.Sprintf("r-%d", 9-i), 7, 0, 1, 0), rec(fmt.Sprintf("s-%d", i), 8, 0, 1, 0)),
				"accepted", "accepted")
		}
		var got []string
		var after int64
		for {
			page, err := w.service.Records(w.ctx, 7, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				got = append(got, r.RecordID)
				after = r.Sequence
			}
		}
		if s := strings.Join(got, " "); s != "r-9 r-8 r-7 r-6 r-5 r-4 r-3" {
			t.Errorf("pages hold %s", s)
		}
	})
}

func TestQueries_WhatCannotBeAskedIsRefused(t *testing.T) {
	w := newWorld(t, testenv.SQLite(t))
	w.lease(7, prov)
	_, err := w.service.LeaseUsage(w.ctx, 8)
	mustFail(t, err, corehour.KindNotFound, corehour.CodeUnknownLease, "")
	_, err = w.service.Records(w.ctx, 8, 0, 1)
	mustFail(t, err, corehour.KindNotFound, corehour.CodeUnknownLease, "")
	for _, limit := range []int{-1, 0, metering.MaxPage + 1} {
		_, err = w.service.Records(w.ctx, 7, 0, limit)
		mustFail(t, err, corehour.KindInvalid, corehour.CodeInvalid, "limit")
	}
	_, err = w.service.Records(w.ctx, 7, -1, 1)
	mustFail(t, err, corehour.KindInvalid, corehour.CodeInvalid, "after")
	u := w.usage(7)
	if b, _ := json.Marshal(u.Hours); string(b) != "[]" {
		t.Errorf("no hours are written as %s", b)
	}
}

func TestNew_RefusesAnIncompleteConfig(t *testing.T) {
	db := testenv.SQLite(t)
	for name, change := range map[string]func(*metering.Config){
		"database":    func(c *metering.Config) { c.DB = nil },
		"clock":       func(c *metering.Config) { c.Clock = nil },
		"logger":      func(c *metering.Config) { c.Logger = nil },
		"committed":   func(c *metering.Config) { c.Committed = nil },
		"grace":       func(c *metering.Config) { c.Grace = -1 },
		"close every": func(c *metering.Config) { c.CloseEvery = 0 },
	} {
		c := metering.Config{
			DB: db, Clock: corehour.SystemClock{}, CloseEvery: time.Second, Committed: func() {},
			Logger: slog.New(slog.DiscardHandler),
		}
		if _, err := metering.New(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := metering.New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
