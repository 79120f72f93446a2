package exchange

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// The seeds that are run without being told; make simulate tells by the two
// variables.
const (
	simFirstSeed = 1
	simSeeds     = 1000

	simFromVariable  = "COREHOUR_SIM_FROM"
	simSeedsVariable = "COREHOUR_SIM_SEEDS"

	// simEverySQLite is which seeds run on a real SQLite, too.
	simEverySQLite = 100
	// simShownLines is how much of the trace of a failure is shown.
	simShownLines = 60
	simReportedAt = 1000 // seeds between two lines of progress
)

// TestSimulation runs the core on simulated I/O, seed by seed; docs/testing.md says
// what it covers and how a seed is replayed.
func TestSimulation(t *testing.T) {
	from, seeds := simSetting(t, simFromVariable, simFirstSeed), simSetting(t, simSeedsVariable, simSeeds)
	lanes := min(uint64(runtime.GOMAXPROCS(0)), seeds)
	for lane := range lanes {
		t.Run("lane "+strconv.FormatUint(lane+1, 10), func(t *testing.T) {
			t.Parallel()
			for i := lane; i < seeds; i += lanes {
				simulate(t, from+i, seeds == 1 && testing.Verbose())
				if (i+1)%simReportedAt == 0 {
					t.Logf("%d of %d seeds", i+1, seeds)
				}
			}
		})
	}
}

func simSetting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// simulate runs a seed, and where it is its turn again on SQLite, where every step
// must be the same.
func simulate(t *testing.T, seed uint64, whole bool) {
	t.Helper()
	s := newSim(seed, nothing, newSimTables())
	found := s.run()
	if whole {
		t.Log("\n" + string(s.trace))
	}
	if found != nil {
		t.Fatalf("seed %d: %v\n%s\nreplay it with: make simulate SEEDS=1 FROM=%d", seed, found, s.lastLines(simShownLines), seed)
	}
	if seed%simEverySQLite != 0 {
		return
	}
	again := newSim(seed, nothing, newSimSQL(t))
	if found := again.run(); found != nil || again.traceHash() != s.traceHash() {
		t.Fatalf("seed %d on SQLite: %v\n%s\nreplay it with: make simulate SEEDS=1 FROM=%d", seed, found, again.lastLines(simShownLines), seed)
	}
}

func TestSimulation_SameSeedIsTheSameRun(t *testing.T) {
	for seed := uint64(simFirstSeed); seed < simFirstSeed+10; seed++ {
		one, two, other := newSim(seed, nothing, newSimTables()), newSim(seed, nothing, newSimTables()), newSim(seed+1, nothing, newSimTables())
		for _, s := range []*sim{one, two, other} {
			if found := s.run(); found != nil {
				t.Fatalf("seed %d: %v", s.seed, found)
			}
		}
		if one.traceHash() != two.traceHash() {
			t.Fatalf("seed %d ran in two ways", seed)
		}
		if one.traceHash() == other.traceHash() {
			t.Fatalf("seeds %d and %d ran in the same way", seed, seed+1)
		}
	}
}

// simSabotageSeeds bounds how long a missing protection may go unnoticed.
const simSabotageSeeds = 400

// TestSimulation_FailsWithoutAProtection takes out one protection at a time: some
// seed must fail, for the reason that is to be expected, and the same seed must
// not fail with it.
func TestSimulation_FailsWithoutAProtection(t *testing.T) {
	for _, c := range []struct {
		without protection
		kinds   []string
	}{
		{logSync, []string{refusedToRun, lostAnswer}},
		{markSync, []string{unnoticed}},
		{chainOfHashes, []string{unnoticed, diverged}},
		{keptAnswers, []string{otherAnswer, diverged}},
		{projectionSwap, []string{badProjection, badLedger}},
		{expectedAppend, []string{refusedToRun}},
		{outboxCounting, []string{badLedger}},
		{currencyOfReads, []string{staleRead}},
	} {
		t.Run(string(c.without), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(simFirstSeed); seed < simFirstSeed+simSabotageSeeds; seed++ {
				found := newSim(seed, c.without, newSimTables()).run()
				if found == nil {
					continue
				}
				if !slices.Contains(c.kinds, found.kind) {
					t.Fatalf("seed %d without %s: %v", seed, c.without, found)
				}
				if found := newSim(seed, nothing, newSimTables()).run(); found != nil {
					t.Fatalf("seed %d fails without any sabotage: %v", seed, found)
				}
				t.Logf("seed %d without %s: %v", seed, c.without, found)
				return
			}
			t.Fatalf("%d seeds do not notice that there is no %s", simSabotageSeeds, c.without)
		})
	}
}
