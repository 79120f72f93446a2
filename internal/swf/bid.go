package swf

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/corehour/corehour"
)

// LatestEndSlack is how much longer than twice its duration a job may wait to
// have ended: a day.
const LatestEndSlack = corehour.MinutesPerDay

// Duration is the time a job asks for: its requested time, where unknown its
// run time, rounded up to the whole minute.
func (j Job) Duration() corehour.Minutes {
	return corehour.Minutes((knownOr(j.RequestedTime, j.RunTime) + 59) / 60)
}

// Consumer is the account of the job's user: user-17. Jobs without a user share
// the account user-unknown.
func (j Job) Consumer() corehour.AccountID {
	if j.User == Unknown {
		return "user-unknown"
	}
	return corehour.AccountID("user-" + strconv.FormatInt(j.User, 10))
}

// Arrival is when a job comes if the first one of the log comes at start. The
// log's own clock drops out, whether it begins at zero or at 1970.
func (t *Trace) Arrival(j Job, start corehour.Instant) corehour.Instant {
	return start + corehour.Instant(j.Submit-t.Jobs[0].Submit)*corehour.MicrosPerSecond
}

// Window is in which minutes a job that arrives at an instant may run: from its
// arrival to its arrival + 2 x duration + LatestEndSlack, whole minutes within.
func (j Job) Window(arrival corehour.Instant) (earliestStart, latestEnd corehour.Minute) {
	return arrival.CeilMinute(), arrival.FloorMinute().Add(2*j.Duration() + LatestEndSlack)
}

// RunsFor is how long the job really runs in a lease of some length: its run
// time, cut off at the lease's end.
func (j Job) RunsFor(lease corehour.Minutes) corehour.Instant {
	return corehour.Instant(min(j.RunTime, int64(lease)*60)) * corehour.MicrosPerSecond
}

// Used is the CPU time that the job uses on some of its units in a lease of some
// length.
func (j Job) Used(units corehour.Units, lease corehour.Minutes) corehour.CPUTime {
	return corehour.CPUTime(int64(units) * int64(j.RunsFor(lease)))
}

// LimitPrice is what a user pays at most per unit-hour in a replay:
//
//	lowest + q x (highest - lowest), rounded down to the tick
//
// where q in [0, 1] is fixed per user: the first eight bytes of the SHA-256 of
// "corehour-replay-user:<user>" as a big-endian number, divided by 2^64 - 1. The
// user is the number of the log, -1 for jobs without one. Logs do not say what
// their users would have paid; a hash spreads them evenly over the range of the
// price list and gives the same figure on every machine.
//
// Both prices are non-negative and lowest is at most highest.
func LimitPrice(user int64, lowest, highest corehour.Price) corehour.Price {
	if lowest < 0 || highest < lowest {
		panic("swf: limit price of an empty range of prices")
	}
	sum := sha256.Sum256([]byte("corehour-replay-user:" + strconv.FormatInt(user, 10)))
	hi, lo := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(highest-lowest))
	share, _ := bits.Div64(hi, lo, math.MaxUint64) // hi < highest - lowest < 2^63
	return (lowest + corehour.Price(share)).FloorToTick()
}
