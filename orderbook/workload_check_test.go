package orderbook_test

import "testing"

// TestWorkload_PlainOnesAgreeWithReference runs W1 to W3 at sizes that every test
// run can afford; the benchmarks do the same at full size.
func TestWorkload_PlainOnesAgreeWithReference(t *testing.T) {
	for name, script := range map[string]*loadScript{
		"W1 from an empty book":     loadW1(0, 4_000, 0),
		"W1 on 2,000 orders":        loadW1(2_000, 4_000, 0),
		"W1 with 3 organisations":   loadW1(0, 4_000, 3),
		"W1 with 100 organisations": loadW1(500, 4_000, 100),
		"W2":                        loadW2(2_000, 2_000),
		"W3":                        loadW3(3_000),
	} {
		t.Run(name, func(t *testing.T) {
			run := newLoadRun(script)
			run.setup(t)
			run.run(script.ops, len(script.setup))
			run.finish(t)
			checkSpread(t, script)
		})
	}
}

// checkSpread: a workload that stopped trading, cancelling or resting would
// measure something else than it says.
func checkSpread(t *testing.T, s *loadScript) {
	t.Helper()
	if s.wantOps.fills+s.wantAfter.fills < 300 {
		t.Errorf("only %d and %d fills", s.wantOps.fills, s.wantAfter.fills)
	}
	counts := map[loadKind]int{}
	for _, op := range s.ops {
		counts[op.kind]++
	}
	if len(s.ops) > 1_000 && counts[loadCancel] < len(s.ops)/4 {
		t.Errorf("only %d cancels of %d operations", counts[loadCancel], len(s.ops))
	}
}

// TestWorkload_SteadyMarketDoesNotAllocate: the second half of a market that
// neither grows nor shrinks has all the memory it needs. A table that doubles
// because the market did reach a new size is within one in a thousand.
func TestWorkload_SteadyMarketDoesNotAllocate(t *testing.T) {
	const most = 0.001
	for name, script := range map[string]*loadScript{
		"W1": loadW1(2_000, 20_000, 0), "W1 with 100 organisations": loadW1(2_000, 20_000, 100), "W2": loadW2(2_000, 20_000),
	} {
		run, rounds := newLoadRun(script), loadRounds{}
		run.setup(t)
		run.throughput(rounds)
		run.finish(t)
		if allocations := rounds["allocs/op"][0]; allocations > most {
			t.Errorf("%s: an operation makes %v allocations, want none", name, allocations)
		}
	}
}
