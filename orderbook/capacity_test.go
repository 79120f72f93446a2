package orderbook

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

const (
	testFrom = corehour.Minute(10)
	testTo   = corehour.Minute(50)
)

// TestCapacity_AgreesWithOneNumberPerMinute compares every question with plain
// loops over an array of minutes.
func TestCapacity_AgreesWithOneNumberPerMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute := rapid.IntRange(int(testFrom), int(testTo))
		units := corehour.Units(rapid.IntRange(1, 8).Draw(t, "units"))
		c := testCapacity(units)
		free := slices.Repeat([]corehour.Units{units}, int(testTo))
		now := testFrom
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			a, b := minute.Draw(t, "a"), minute.Draw(t, "b")
			from, to := max(now, corehour.Minute(min(a, b))), corehour.Minute(max(a, b))
			if from < to {
				span := free[from:to]
				if rapid.Bool().Draw(t, "reserve") {
					if most := slices.Min(span); most > 0 {
						changed := corehour.Units(rapid.IntRange(1, int(most)).Draw(t, "n"))
						c.add(from, to, -changed)
						for i := range span {
							span[i] -= changed
						}
					}
				} else if most := units - slices.Max(span); most > 0 {
					changed := corehour.Units(rapid.IntRange(1, int(most)).Draw(t, "n"))
					c.add(from, to, changed)
					for i := range span {
						span[i] += changed
					}
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "pass") == 0 {
				now = min(testTo-1, now+corehour.Minute(rapid.IntRange(0, 5).Draw(t, "minutes")))
				c.trim(now)
			}
			checkSteps(t, &c, free, now)
			checkRuns(t, &c, free, now)
			checkLevels(t, &c, free, now)
			checkReach(t, &c, free, now)
		}
	})
}

func testCapacity(units corehour.Units) capacity {
	return capacity{steps: []step{{testFrom, units}}, to: testTo, units: units}
}

func checkSteps(t *rapid.T, c *capacity, free []corehour.Units, now corehour.Minute) {
	for i := range c.steps {
		if i > 0 && (c.steps[i-1].at >= c.steps[i].at || c.steps[i-1].free == c.steps[i].free) {
			t.Fatalf("steps are not sorted and distinct: %v", c.steps)
		}
	}
	if len(c.steps) > 1 && c.steps[1].at <= now {
		// Only trim forgets, so steps before now may stay until it is called.
		c.trim(now)
	}
	for m := now; m < testTo; m++ {
		if have := c.fewest(m, m+1); have != free[m] {
			t.Fatalf("%d free at %d, want %d: %v", have, m, free[m], c.steps)
		}
	}
	if have, want := c.fewest(now, testTo), slices.Min(free[now:]); have != want {
		t.Fatalf("%d free from %d, want %d", have, now, want)
	}
}

// checkRuns compares the runs of starts of a lease with those of plain loops,
// the pieces that a bid has taken left out.
func checkRuns(t *rapid.T, c *capacity, free []corehour.Units, now corehour.Minute) {
	terms := terms{
		first: now + corehour.Minute(rapid.IntRange(0, 30).Draw(t, "first")),
		end:   now + corehour.Minute(rapid.IntRange(0, 60).Draw(t, "end")),
		d:     corehour.Minutes(rapid.IntRange(1, 45).Draw(t, "duration")),
	}
	need := corehour.Units(rapid.IntRange(1, 9).Draw(t, "need"))
	from := corehour.Minute(rapid.IntRange(int(testFrom), int(testTo)).Draw(t, "from"))
	to := corehour.Minute(rapid.IntRange(int(from), int(testTo)).Draw(t, "to"))
	for at := now; rapid.IntRange(0, 2).Draw(t, "taken") == 0; {
		at += corehour.Minute(rapid.IntRange(0, 20).Draw(t, "gap"))
		length := corehour.Minute(rapid.IntRange(1, 10).Draw(t, "length"))
		terms.taken = append(terms.taken, Span{at, at + length})
		at += length
	}
	fits := func(s corehour.Minute) bool {
		end := s.Add(terms.d)
		if s < max(terms.first, from, now) || end > min(terms.end, to) {
			return false
		}
		for _, span := range terms.taken {
			if s < span.To && span.From < end {
				return false
			}
		}
		return slices.Min(free[s:end]) >= need
	}
	var want []run
	for s := now; s < testTo; s++ {
		if !fits(s) {
			continue
		}
		if n := len(want); n > 0 && want[n-1].last == s-1 {
			want[n-1].last = s
		} else {
			want = append(want, run{s, s})
		}
	}
	if have := c.runsIn(nil, &terms, from, to, need); !slices.Equal(have, want) {
		t.Fatalf("runs of %+v in [%d, %d) for %d are %v, want %v: %v", terms, from, to, need, have, want, c.steps)
	}
}

func checkLevels(t *rapid.T, c *capacity, free []corehour.Units, now corehour.Minute) {
	d := corehour.Minutes(rapid.IntRange(1, int(testTo-now)).Draw(t, "duration"))
	last := testTo.Add(-d)
	low := corehour.Minute(rapid.IntRange(int(now), int(last)).Draw(t, "low"))
	high := corehour.Minute(rapid.IntRange(int(low), int(last)).Draw(t, "high"))
	var queue []int
	have := c.levels(nil, &queue, low, high, d)
	var want []level
	for m := low; m <= high; m++ {
		if fewest := slices.Min(free[m:m.Add(d)]); len(want) == 0 || want[len(want)-1].free != fewest {
			want = append(want, level{m, fewest})
		}
	}
	if !slices.Equal(have, want) {
		t.Fatalf("levels(%d, %d, %d) = %v, want %v: %v", low, high, d, have, want, c.steps)
	}
}

// checkReach checks that every possible lease that shares a minute with the
// range is inside of the bounds and needs no more than most.
func checkReach(t *rapid.T, c *capacity, free []corehour.Units, now corehour.Minute) {
	from := corehour.Minute(rapid.IntRange(int(now), int(testTo-1)).Draw(t, "from"))
	to := corehour.Minute(rapid.IntRange(int(from+1), int(testTo)).Draw(t, "to"))
	need := corehour.Units(rapid.IntRange(1, 8).Draw(t, "need"))
	most, low, high := c.reach(from, to, need)
	if most != slices.Max(free[from:to]) {
		t.Fatalf("most of [%d, %d) is %d: %v", from, to, most, c.steps)
	}
	for start := now; start < to; start++ {
		for end := max(start, from) + 1; end <= testTo; end++ {
			fewest := slices.Min(free[start:end])
			if fewest >= need && (fewest > most || start < low || end > high) {
				t.Fatalf("reach(%d, %d, %d) = %d, %d, %d leaves out %d units over [%d, %d): %v",
					from, to, need, most, low, high, fewest, start, end, c.steps)
			}
		}
	}
}

// TestCapacity_BrokenPromisePanicsWithItsName: selling too much or giving back
// what was never taken is a programmer's error, and trading must not go on.
func TestCapacity_BrokenPromisePanicsWithItsName(t *testing.T) {
	for _, test := range []struct {
		name, want string
		do         func(c *capacity)
	}{
		{"oversold", "never oversold", func(c *capacity) { c.add(10, 20, -3); c.add(19, 21, -2) }},
		{"more than offered", "never more than offered", func(c *capacity) { c.add(10, 20, -3); c.add(19, 21, 2) }},
		{"before the window", "within the offer's window", func(c *capacity) { c.add(9, 20, -1) }},
		{"after the window", "within the offer's window", func(c *capacity) { c.add(40, 51, -1) }},
		{"the forgotten past", "within the offer's window", func(c *capacity) {
			c.add(10, 20, -1)
			c.trim(20)
			c.add(19, 21, 1)
		}},
		{"nothing", "within the offer's window", func(c *capacity) { c.add(20, 20, -1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := testCapacity(4)
			wantPanic(t, test.want, func() { test.do(&c) })
		})
	}
}
