package metering

import (
	"fmt"
	"math"
	"time"

	"github.com/corehour/corehour"
)

// MaxClockSkew is how far the end of a record may lie ahead of this node's
// clock, because no two clocks agree.
const MaxClockSkew = 2 * time.Minute

const leaseHour = corehour.Instant(corehour.MinutesPerHour) * corehour.MicrosPerMinute

// lease is what metering knows of a lease.
type lease struct {
	id          corehour.LeaseID
	provider    corehour.AccountID
	providerOrg corehour.OrgID
	consumer    corehour.AccountID
	consumerOrg corehour.OrgID
	units       corehour.Units
	start, end  corehour.Minute
	status      corehour.LeaseStatus
	started     bool              // it was delivered, if only for a while
	endedAt     *corehour.Instant // nil while it has not ended
	closed      bool
}

// ended reports whether delivery is over and usage may be closed.
func (l *lease) ended() bool {
	return l.status.Over()
}

// delivered reports whether a lease that is not settled has anything that may be
// reported: it was started, whatever it ended as.
func (l *lease) delivered() bool {
	return l.started || l.status == corehour.StatusActive || l.status == corehour.StatusCompleted
}

// until is when the lease's delivery ended or is to end.
func (l *lease) until() corehour.Instant {
	if l.endedAt != nil {
		return min(*l.endedAt, l.end.Instant())
	}
	return l.end.Instant()
}

// hourOf is the beginning of the lease-hour that an instant falls in; the
// instant must not be before the lease's start.
func (l *lease) hourOf(at corehour.Instant) corehour.Minute {
	hours := (at - l.start.Instant()) / leaseHour
	return l.start.Add(corehour.Minutes(hours) * corehour.MinutesPerHour)
}

// hourCapacity is the most that all records of a lease-hour may sum up to:
// units x the lease's time within it. Leases beyond about 2.5 billion CPU-hours
// get a lower limit, so that the sum over a lease's hours always fits a CPUTime.
func (l *lease) hourCapacity(hour corehour.Minute) corehour.CPUTime {
	begin := hour.Instant()
	within := min(l.until(), begin+leaseHour) - begin
	hours := int64((l.end.Sub(l.start) + corehour.MinutesPerHour - 1) / corehour.MinutesPerHour)
	return min(capacity(l.units, within), corehour.CPUTime(math.MaxInt64/hours))
}

// capacity is the CPU time that units can use at most in at most an hour, which
// keeps the product far within int64.
func capacity(units corehour.Units, d corehour.Instant) corehour.CPUTime {
	return corehour.CPUTime(int64(units) * int64(d))
}

// refusal says why a record or a closing is rejected.
type refusal struct {
	code    corehour.Code
	field   string
	message string
}

func refuse(code corehour.Code, field, format string, args ...any) *refusal {
	return &refusal{code: code, field: field, message: fmt.Sprintf(format, args...)}
}

// unknownLease is the one answer for a lease that does not exist and for one of
// another provider, so that nobody learns of the other's leases.
func unknownLease() *refusal {
	return refuse(CodeUnknownLease, fieldLease, "you have no such lease")
}

// check decides on a record by what is known of its lease, what the record's
// lease-hour already sums up to, and the time. It answers nil where the record
// is to be accepted. The order of the rules is part of the contract: the first
// one broken names the code.
func check(l *lease, hourSum corehour.CPUTime, r *Record, now corehour.Instant) *refusal {
	if no := checkLease(l); no != nil {
		return no
	}
	if no := checkInterval(l, r, now); no != nil {
		return no
	}
	return checkUsed(l, hourSum, r)
}

// checkLease decides whether the lease takes usage at all.
func checkLease(l *lease) *refusal {
	switch {
	case l.closed, l.status == corehour.StatusSettled, l.ended() && !l.delivered():
		return refuse(CodeUsageClosed, fieldLease, "the usage of this lease is closed")
	case l.delivered():
		return nil
	}
	return refuse(CodeLeaseNotActive, fieldLease, "this lease has not been started")
}

// checkInterval compares before it calculates: a record may carry any int64.
func checkInterval(l *lease, r *Record, now corehour.Instant) *refusal {
	if r.From >= r.To {
		return refuse(CodeBadInterval, fieldTo, "the interval must end after it begins")
	}
	if r.From < l.start.Instant() {
		return refuse(CodeOutsideLease, fieldFrom, "the lease began at %s", l.start)
	}
	if until := l.until(); r.To > until {
		return refuse(CodeOutsideLease, fieldTo, "the lease ends at %s", until)
	}
	if end := l.hourOf(r.From).Instant() + leaseHour; r.To > end {
		return refuse(CodeSpansHours, fieldTo,
			"a record stays within one hour of the lease; this one's ends at %s", end)
	}
	if r.To > now+corehour.Instant(MaxClockSkew.Microseconds()) {
		return refuse(CodeInFuture, fieldTo, "the interval has not passed yet; it is %s", now)
	}
	return nil
}

// checkUsed holds the record against physics: no more than all units for the
// whole interval, nor, together with the hour's other records, for the whole hour.
func checkUsed(l *lease, hourSum corehour.CPUTime, r *Record) *refusal {
	if r.Used < 0 {
		return refuse(CodeExceedsCapacity, fieldUsed, "used CPU time is not below zero")
	}
	if most := capacity(l.units, r.To-r.From); r.Used > most {
		return refuse(CodeExceedsCapacity, fieldUsed,
			"%d units use at most %d us of CPU time in this interval", l.units, most)
	}
	// Both are at most a lease-hour's capacity, so the difference is safe.
	if left := l.hourCapacity(l.hourOf(r.From)) - hourSum; r.Used > left {
		return refuse(CodeExceedsCapacity, fieldUsed,
			"with what was reported before, at most %d us of CPU time are left in this hour of the lease", max(left, 0))
	}
	return nil
}
