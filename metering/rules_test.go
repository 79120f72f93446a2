package metering

import (
	"math"
	"testing"

	"github.com/corehour/corehour"
)

const (
	testStart = corehour.Minute(28_401_150) // not a full hour of the wall clock
	minute    = corehour.MicrosPerMinute
	second    = corehour.MicrosPerSecond
)

// at is an instant so many minutes after the test lease's start.
func at(minutes corehour.Instant) corehour.Instant { return testStart.Instant() + minutes*minute }

// testLease is 4 units for 150 minutes: lease-hours of 60, 60 and 30 minutes.
func testLease(change func(*lease)) *lease {
	l := &lease{
		id: 7, provider: "prov", units: 4, start: testStart, end: testStart.Add(150), status: corehour.StatusActive,
	}
	if change != nil {
		change(l)
	}
	return l
}

func endedAt(at corehour.Instant) func(*lease) {
	return func(l *lease) {
		l.status = corehour.StatusCompleted
		l.endedAt = &at
	}
}

// cutOff is a lease that was started and did not get to its end.
func cutOff(s corehour.LeaseStatus, at corehour.Instant) func(*lease) {
	return func(l *lease) { l.status, l.started, l.endedAt = s, true, &at }
}

func status(s corehour.LeaseStatus) func(*lease) { return func(l *lease) { l.status = s } }

// cpu is the CPU time of so many units for so many minutes.
func cpu(units, minutes int64) corehour.CPUTime {
	return corehour.CPUTime(units * minutes * int64(minute))
}

func TestCheck_EachRuleHasItsCodeAndField(t *testing.T) {
	tests := []struct {
		name     string
		lease    func(*lease)
		hourSum  corehour.CPUTime
		from, to corehour.Instant
		used     corehour.CPUTime
		now      corehour.Instant // zero: long after the lease
		code     corehour.Code
		field    string
	}{
		{name: "a whole lease-hour at full capacity", from: at(0), to: at(60), used: cpu(4, 60)},
		{name: "the last, shorter hour at full capacity", from: at(120), to: at(150), used: cpu(4, 30)},
		{name: "idle", from: at(0), to: at(60), used: 0},
		{name: "one microsecond", from: at(1), to: at(1) + 1, used: 4},
		{name: "just up to a lease-hour's end", from: at(59), to: at(60), used: 1},
		{name: "just from a lease-hour's beginning", from: at(60), to: at(61), used: 1},
		{name: "two intervals of the same time within the hour's capacity", from: at(0), to: at(30), used: cpu(4, 30), hourSum: cpu(4, 30)},

		{name: "usage closed", lease: func(l *lease) { l.closed = true }, from: at(0), to: at(1), code: CodeUsageClosed, field: "lease"},
		{name: "a completed lease whose usage is closed", lease: func(l *lease) { endedAt(at(90))(l); l.closed = true }, from: at(0), to: at(1), code: CodeUsageClosed, field: "lease"},
		{name: "never delivered", lease: status(corehour.StatusFailed), from: at(0), to: at(1), code: CodeUsageClosed, field: "lease"},
		{name: "failed on its way", lease: cutOff(corehour.StatusFailed, at(90)), from: at(80), to: at(90), used: cpu(4, 10)},
		{name: "interrupted on its way", lease: cutOff(corehour.StatusInterrupted, at(90)), from: at(80), to: at(90), used: cpu(4, 10)},
		{name: "past a failure", lease: cutOff(corehour.StatusFailed, at(90)), from: at(89), to: at(91), code: CodeOutsideLease, field: "to"},
		{name: "interrupted before it was started", lease: status(corehour.StatusInterrupted), from: at(0), to: at(1), code: CodeUsageClosed, field: "lease"},
		{name: "settled", lease: status(corehour.StatusSettled), from: at(0), to: at(1), code: CodeUsageClosed, field: "lease"},
		{name: "only matched", lease: status(corehour.StatusMatched), from: at(0), to: at(1), code: CodeLeaseNotActive, field: "lease"},
		{name: "provisioning", lease: status(corehour.StatusProvisioning), from: at(0), to: at(1), code: CodeLeaseNotActive, field: "lease"},

		{name: "empty interval", from: at(5), to: at(5), code: CodeBadInterval, field: "to"},
		{name: "interval backwards", from: at(5), to: at(4), code: CodeBadInterval, field: "to"},
		{name: "all of time backwards", from: math.MaxInt64, to: math.MinInt64, code: CodeBadInterval, field: "to"},
		{name: "before the lease", from: at(0) - 1, to: at(1), code: CodeOutsideLease, field: "from"},
		{name: "all of time", from: math.MinInt64, to: math.MaxInt64, code: CodeOutsideLease, field: "from"},
		{name: "after the lease", from: at(149), to: at(150) + 1, code: CodeOutsideLease, field: "to"},
		{name: "until the end of time", from: at(149), to: math.MaxInt64, code: CodeOutsideLease, field: "to"},
		{name: "wholly after the lease", from: at(150), to: at(151), code: CodeOutsideLease, field: "to"},
		{name: "up to an early end", lease: endedAt(at(90) + 30*second), from: at(90), to: at(90) + 30*second, used: cpu(2, 1)},
		{name: "past an early end", lease: endedAt(at(90) + 30*second), from: at(90), to: at(90) + 30*second + 1, code: CodeOutsideLease, field: "to"},
		{name: "a lease that ended as it began", lease: endedAt(at(0)), from: at(0), to: at(1), code: CodeOutsideLease, field: "to"},
		{name: "an end said to be after the planned end changes nothing", lease: endedAt(at(200)), from: at(149), to: at(151), code: CodeOutsideLease, field: "to"},
		{name: "across two lease-hours", from: at(59), to: at(60) + 1, code: CodeSpansHours, field: "to"},
		{name: "a full hour, but not the lease's", from: at(30), to: at(90), code: CodeSpansHours, field: "to"},
		{name: "within the clocks' skew", from: at(0), to: at(32), now: at(30)},
		{name: "in the future", from: at(0), to: at(32) + 1, now: at(30), code: CodeInFuture, field: "to"},

		{name: "below zero", from: at(0), to: at(60), used: -1, code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "far below zero", from: at(0), to: at(60), used: math.MinInt64, code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "one microsecond more than all units", from: at(0), to: at(10), used: cpu(4, 10) + 1, code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "absurd", from: at(0), to: at(10), used: math.MaxInt64, code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "just what the hour has left", from: at(0), to: at(60), used: cpu(4, 20), hourSum: cpu(4, 40)},
		{name: "one microsecond more than the hour has left", from: at(0), to: at(60), used: cpu(4, 20) + 1, hourSum: cpu(4, 40), code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "the last hour has less", from: at(120), to: at(150), used: 1, hourSum: cpu(4, 30), code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "an hour cut by an early end has less", lease: endedAt(at(70)), from: at(60), to: at(70), used: 1, hourSum: cpu(4, 10), code: CodeExceedsCapacity, field: "cpu_us"},
		{name: "an hour that an early end left overfull", lease: endedAt(at(70)), from: at(60), to: at(70), used: 0, hourSum: cpu(4, 11), code: CodeExceedsCapacity, field: "cpu_us"},

		{name: "the lease is named before the interval", lease: status(corehour.StatusMatched), from: at(5), to: at(4), used: -1, code: CodeLeaseNotActive, field: "lease"},
		{name: "the interval is named before the use", from: at(5), to: at(4), used: -1, code: CodeBadInterval, field: "to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := tt.now
			if now == 0 {
				now = at(10_000)
			}
			no := check(testLease(tt.lease), tt.hourSum, &Record{RecordID: "r", Lease: 7, From: tt.from, To: tt.to, Used: tt.used}, now)
			if no == nil {
				no = &refusal{}
			}
			if no.code != tt.code || no.field != tt.field {
				t.Fatalf("got code %q field %q (%s), want %q %q", no.code, no.field, no.message, tt.code, tt.field)
			}
			if (no.code == "") != (no.message == "") {
				t.Errorf("code %q has message %q", no.code, no.message)
			}
		})
	}
}

func TestCheck_LargestLeaseNeverOverflows(t *testing.T) {
	l := testLease(func(l *lease) {
		l.units = corehour.MaxUnits
		l.end = l.start.Add(corehour.MaxDuration)
	})
	var sum corehour.CPUTime
	for hour := l.start; hour < l.end; hour = hour.Add(corehour.MinutesPerHour) {
		most := l.hourCapacity(hour)
		full := Record{RecordID: "r", Lease: l.id, From: hour.Instant(), To: hour.Add(60).Instant(), Used: most}
		if no := check(l, 0, &full, l.end.Instant()); no != nil {
			t.Fatalf("hour %s: %s", hour, no.message)
		}
		full.Used++
		if no := check(l, 0, &full, l.end.Instant()); no == nil || no.code != CodeExceedsCapacity {
			t.Fatalf("hour %s: one more than %d was accepted", hour, most)
		}
		if sum += most; sum < 0 {
			t.Fatalf("the lease's sum overflows in hour %s", hour)
		}
	}
}

func TestHourOf_CountsFromTheLeasesStart(t *testing.T) {
	l := testLease(nil)
	for from, want := range map[corehour.Instant]corehour.Minute{
		at(0): testStart, at(60) - 1: testStart, at(60): testStart.Add(60), at(119): testStart.Add(60), at(120): testStart.Add(120),
	} {
		if got := l.hourOf(from); got != want {
			t.Errorf("hour of %s: got %s, want %s", from, got, want)
		}
	}
}

func TestContent_EveryFieldButTheNameCounts(t *testing.T) {
	base := Record{RecordID: "a", Lease: 1, From: 2, To: 3, Used: 4}
	renamed := base
	renamed.RecordID = "b"
	if base.content() != renamed.content() {
		t.Error("the name is part of the content")
	}
	seen := map[string]bool{base.content(): true}
	for _, r := range []Record{
		{"a", 9, 2, 3, 4}, {"a", 1, 9, 3, 4}, {"a", 1, 2, 9, 4}, {"a", 1, 2, 3, 9}, {"a", 2, 1, 3, 4},
	} {
		if c := r.content(); seen[c] {
			t.Errorf("%+v has the content of another record", r)
		} else {
			seen[c] = true
		}
	}
	// The stored form may never change: a repeat must be recognised years later.
	const want = "60a2d4aad986e133a328658ea0ae23c69bb0a82ace625aa76b3260f874a0cf87"
	if got := base.content(); got != want {
		t.Errorf("content is %s, want %s", got, want)
	}
}

func TestStatus_NeverMovesBackwards(t *testing.T) {
	started := leaseFact{event: &corehour.Event{Type: corehour.EventLeaseStarted}, lease: 7}
	completed := leaseFact{event: &corehour.Event{Type: corehour.EventLeaseEnded}, lease: 7,
		ended: &corehour.LeaseEnded{Status: corehour.StatusCompleted, EndedAt: at(90)}}
	failed := leaseFact{event: &corehour.Event{Type: corehour.EventLeaseEnded}, lease: 7,
		ended: &corehour.LeaseEnded{Status: corehour.StatusFailed, EndedAt: at(0)}}
	settled := leaseFact{event: &corehour.Event{Type: corehour.EventLeaseSettled}, lease: 7}
	for _, tt := range []struct {
		name  string
		facts []leaseFact
		want  corehour.LeaseStatus
	}{
		{"started", []leaseFact{started}, corehour.StatusActive},
		{"started twice", []leaseFact{started, started}, corehour.StatusActive},
		{"started after its end", []leaseFact{started, completed, started}, corehour.StatusCompleted},
		{"failed", []leaseFact{failed, started}, corehour.StatusFailed},
		{"ended twice keeps the first", []leaseFact{completed, failed}, corehour.StatusCompleted},
		{"settled last", []leaseFact{started, completed, settled, completed, started}, corehour.StatusSettled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := testLease(status(corehour.StatusMatched))
			for i := range tt.facts {
				if _, _, err := tt.facts[i].apply(l); err != nil {
					t.Fatal(err)
				}
			}
			if l.status != tt.want {
				t.Errorf("got %s, want %s", l.status, tt.want)
			}
			if tt.want == corehour.StatusCompleted && *l.endedAt != at(90) {
				t.Errorf("ended at %s", *l.endedAt)
			}
		})
	}
}
