package orderbook_test

import "testing"

// loadJudged is how many operations the naive model does in a moment.
const loadJudged = 800

// TestWorkload_PlainOnesAgreeWithReference runs W1 to W3 at sizes that every test
// run can afford, and at which an index has some depth; the benchmarks do the same
// at full size.
func TestWorkload_PlainOnesAgreeWithReference(t *testing.T) {
	for name, script := range map[string]*loadScript{
		"W1 from an empty book":     loadW1(0, 100_000, 0),
		"W1 on 20,000 orders":       loadW1(20_000, 20_000, 0),
		"W1 with 3 organisations":   loadW1(0, 4_000, 3),
		"W1 with 100 organisations": loadW1(500, 40_000, 100),
		"W2":                        loadW2(40_000, 40_000),
		"W3":                        loadW3(10_000, 20),
	} {
		t.Run(name, func(t *testing.T) {
			run := newLoadRun(script)
			run.setup(t)
			run.run(script.ops, len(script.setup))
			run.finish(t)
			checkSpread(t, script)
			if name != "W1 with 3 organisations" && name != "W1 with 100 organisations" {
				newLoadFloor(script).run(t, script)
			}
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
	if !s.ops[0].sweeps() && counts[loadCancel] < len(s.ops)/4 {
		t.Errorf("only %d cancels of %d operations", counts[loadCancel], len(s.ops))
	}
}

// TestWorkload_ReferenceAgreesWithNaiveModel closes the circle: the reference that
// judges the benchmarks is itself judged by the model of the rules.
func TestWorkload_ReferenceAgreesWithNaiveModel(t *testing.T) {
	for name, script := range map[string]*loadScript{
		"W1 from an empty book":     loadW1(0, 8*loadJudged, 0),
		"W1 with 3 organisations":   loadW1(0, 8*loadJudged, 3),
		"W1 with 100 organisations": loadW1(loadJudged/2, 4*loadJudged, 100),
		"W2":                        loadW2(loadJudged/2, loadJudged),
		"W3":                        loadW3(2_000, 2),
	} {
		t.Run(name, func(t *testing.T) { judge(t, script) })
	}
}

// TestWorkload_SteadyMarketDoesNotAllocate: in the second half of a market that
// has the memory it needs. The few that are allowed are those of the runtime, and
// of tables that double.
func TestWorkload_SteadyMarketDoesNotAllocate(t *testing.T) {
	const most = 0.001
	for name, script := range map[string]*loadScript{
		"W1":                        loadSteadyW1(20_000, 60_000, 0),
		"W1 with 100 organisations": loadSteadyW1(20_000, 60_000, 100),
		"W2":                        loadW2(2_000, 60_000),
	} {
		run, rounds := newLoadRun(script), loadRounds{}
		run.setup(t)
		run.throughput(t, rounds)
		run.finish(t)
		if allocations := rounds["allocs/op"][0]; allocations > most {
			t.Errorf("%s: an operation makes %v allocations, want none", name, allocations)
		}
	}
}

// TestWorkload_HopelessBidsMatchNothing: and bids like them, but for what makes
// them hopeless, match.
func TestWorkload_HopelessBidsMatchNothing(t *testing.T) {
	worst := newLoadWorst(newLoadMarket(t).seeded(9), 4_000)
	const each = 25
	for _, how := range append([]loadHopeless{loadHopeful}, append(loadHopelessIssue, loadHopelessOwn...)...) {
		matched := 0
		for range each {
			bid := worst.bid(how)
			ref, out := worst.book.PlaceBid(worst.now, &bid)
			if len(out.Fills) > 0 {
				matched++
			}
			worst.book.CancelBid(ref)
		}
		if how == loadHopeful && matched < each/2 || how != loadHopeful && matched > 0 {
			t.Errorf("%s: %d of %d bids matched", how, matched, each)
		}
	}
}

// TestWorkload_ArrivingOffersLeaveTheBookAsItWas: W6 measures every offer against
// the same resting bids.
func TestWorkload_ArrivingOffersLeaveTheBookAsItWas(t *testing.T) {
	waiting := newLoadWaiting(t, newLoadMarket(t).seeded(10), 10_000)
	fills := 0
	for i := range 1_000 {
		o := waiting.arriving(i%2 == 0)
		waiting.arrival++
		o.Arrival = waiting.arrival
		ref, out := waiting.book.PlaceOffer(waiting.now, &o)
		if i%2 == 1 && len(out.Fills) > 0 {
			t.Fatalf("an offer above every limit has %d fills", len(out.Fills))
		}
		fills += len(out.Fills)
		waiting.restore(t, ref, waiting.slots(nil, out.Fills))
	}
	if fills == 0 {
		t.Error("no offer traded")
	}
	for i := range waiting.bids {
		if open, left, ok := waiting.book.Open(waiting.refs[i]); !ok || open != waiting.bids[i].Units || left != waiting.bids[i].Duration {
			t.Fatalf("bid %d has %d open for %d minutes, %t; want %d for %d",
				i, open, left, ok, waiting.bids[i].Units, waiting.bids[i].Duration)
		}
	}
}
