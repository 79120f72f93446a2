package swf

import (
	"crypto/sha256"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"pgregory.net/rapid"
)

func TestTrace_JobsAreSortedBySubmitTimeThenLine(t *testing.T) {
	t.Parallel()
	trace := readText(t, job(3, 50)+job(1, 20)+job(9, 20)+job(4, 0)+job(2, 20))
	var ids []string
	for _, j := range trace.Jobs {
		ids = append(ids, strconv.FormatInt(j.ID, 10))
	}
	if got := strings.Join(ids, " "); got != "4 1 9 2 3" {
		t.Errorf("the order is %s", got)
	}
}

func TestTrace_JobsACenturyAfterTheFirstAreRefused(t *testing.T) {
	t.Parallel()
	trace := readText(t, job(1, MaxSpanSeconds+6)+job(2, 5)+job(3, MaxSpanSeconds+5)+job(4, MaxSpanSeconds*2))
	checkRejected(t, trace, map[string]int64{ReasonSubmitTimeOutOfRange: 2})
	if len(trace.Jobs) != 2 || trace.Jobs[0].ID != 2 || trace.Jobs[1].ID != 3 {
		t.Errorf("accepted %+v", trace.Jobs)
	}
}

func TestTrace_ArrivalIsRelativeToTheFirstJob(t *testing.T) {
	t.Parallel()
	start := corehour.InstantOf(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, epoch := range []int{0, 749_458_803} {
		trace := readText(t, job(2, epoch+90)+job(1, epoch))
		first, second := trace.Arrival(trace.Jobs[0], start), trace.Arrival(trace.Jobs[1], start)
		if first != start || second.String() != "2024-01-01T00:01:30Z" {
			t.Errorf("arrivals are %s and %s", first, second)
		}
		from, to := trace.Jobs[1].Window(second)
		if from.String() != "2024-01-01T00:02Z" || to.String() != "2024-01-02T00:03Z" {
			t.Errorf("the window is %s to %s", from, to)
		}
	}
}

func TestJob_DurationIsRequestedElseRunTimeRoundedUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		requested, run int64
		want           corehour.Minutes
	}{
		{Unknown, 1, 1}, {Unknown, 60, 1}, {Unknown, 61, 2}, {60, 3600, 1}, {61, 1, 2}, {3600, 7200, 60},
	} {
		if got := (Job{RequestedTime: c.requested, RunTime: c.run}).Duration(); got != c.want {
			t.Errorf("requested %d, ran %d: %d minutes, want %d", c.requested, c.run, got, c.want)
		}
	}
}

func TestJob_UseIsCutOffAtTheEndOfTheLease(t *testing.T) {
	t.Parallel()
	j := Job{RunTime: 90, Units: 8}
	if got := j.Used(4, 2); got != 4*90_000_000 {
		t.Errorf("in two minutes it uses %d us", got)
	}
	if got := j.Used(8, 1); got != 8*60_000_000 {
		t.Errorf("in one minute it uses %d us", got)
	}
}

func TestJob_JobsWithoutAUserShareOneAccount(t *testing.T) {
	t.Parallel()
	if got := (Job{User: 17}).Consumer(); got != "user-17" || !corehour.ValidName(got) {
		t.Errorf("user 17 has the account %s", got)
	}
	if got := (Job{User: Unknown}).Consumer(); got != "user-unknown" || !corehour.ValidName(got) {
		t.Errorf("no user has the account %s", got)
	}
}

// TestLimitPrice_AgreesWithTheFormula computes the documented formula in exact
// fractions.
func TestLimitPrice_AgreesWithTheFormula(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.Int64Range(-1, 1<<40).Draw(t, "user")
		lowest := rapid.Int64Range(0, int64(corehour.MaxPrice)).Draw(t, "lowest")
		highest := rapid.Int64Range(lowest, int64(corehour.MaxPrice)).Draw(t, "highest")
		sum := sha256.Sum256([]byte("corehour-replay-user:" + strconv.FormatInt(user, 10)))
		q := new(big.Rat).SetFrac(new(big.Int).SetBytes(sum[:8]), new(big.Int).SetUint64(1<<64-1))
		exact := q.Mul(q, new(big.Rat).SetInt64(highest-lowest))
		exact.Add(exact, new(big.Rat).SetInt64(lowest))
		ticks := new(big.Int).Quo(exact.Num(), new(big.Int).Mul(exact.Denom(), big.NewInt(int64(corehour.Tick))))
		want := corehour.Price(ticks.Int64()) * corehour.Tick
		if got := LimitPrice(user, corehour.Price(lowest), corehour.Price(highest)); got != want {
			t.Fatalf("have %d, want %d", got, want)
		}
	})
}

// TestLimitPrice_IsTheSameEverywhere pins figures computed with sha256sum and Python fractions.
func TestLimitPrice_IsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for user, want := range map[int64]string{-1: "0.04522", 1: "0.053951", 2: "0.042063", 69: "0.04269"} {
		if got := LimitPrice(user, 6_710_000, 77_080_000).String(); got != want {
			t.Errorf("user %d: %s, want %s", user, got, want)
		}
	}
}

func TestLimitPrice_SpreadsOverTheRange(t *testing.T) {
	t.Parallel()
	const lowest, highest, users = 6_710_000, 77_080_000, 1_000
	var below [4]int
	for user := range int64(users) {
		p := LimitPrice(user, lowest, highest)
		if p < lowest || p > highest || !p.OnTick() {
			t.Fatalf("user %d: %s", user, p)
		}
		below[min(3, (p-lowest)*4/(highest-lowest))]++
	}
	for quarter, n := range below {
		if n < users/4-60 || n > users/4+60 {
			t.Errorf("%d of %d users in quarter %d", n, users, quarter)
		}
	}
}
