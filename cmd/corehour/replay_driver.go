package main

import (
	"container/heap"
	"context"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/swf"
	"github.com/corehour/corehour/metering"
)

// driver plays a trace on simulated time: it is every consumer and every
// provider at once. It hands the exchange, in one fixed order, a bid at each
// arrival, the acceptance and start of each lease when it starts, and its end
// when the job ended before the lease. So the same input gives the same log of
// everything that matching depends on, however fast the machine is.
//
// It does not wait for an answer before it sends the next command: a bid that
// arrives at t becomes leases that start at the next whole minute at the
// earliest, so everything up to there can be sent first. That is what keeps many
// commands in one append.
type driver struct {
	s     *service
	clock *manualClock
	usage *usageReporter
	trace *swf.Trace
	start corehour.Instant

	market  replayMarket
	jobs    map[corehour.BidID]int // jobs whose bid is or was open, by their bid
	pending []unanswered
	checks  []*exchange.Pending // commands that only must not be rejected
	// consequence is the earliest instant at which an unanswered command can have
	// an effect that the driver must act on.
	consequence corehour.Instant
	steps       steps
	order       uint64

	bids     int64
	rejected map[string]int64
	arrived  func(int) // progress
}

// unanswered is a command whose answer may hold fills.
type unanswered struct {
	pending *exchange.Pending
	job     int // of the bid, noJob for the end of a lease
}

const noJob = -1

// step is something that happens to a lease at an instant.
type step struct {
	at    corehour.Instant
	kind  stepKind
	order uint64 // in which it was planned
	lease leased
}

type stepKind uint8

// Of one instant, what ends comes before what starts.
const (
	stepEnd stepKind = iota
	stepHour
	stepStart
)

// leased is a fill and the job that runs on it.
type leased struct {
	exchange.Fill
	job int
}

type steps []step

func (s steps) Len() int { return len(s) }
func (s steps) Less(i, j int) bool {
	a, b := s[i], s[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.kind != b.kind {
		return a.kind < b.kind
	}
	return a.order < b.order
}
func (s steps) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

// Push is for container/heap.
func (s *steps) Push(x any) { *s = append(*s, x.(step)) }

// Pop is for container/heap.
func (s *steps) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

func (d *driver) plan(at corehour.Instant, kind stepKind, l leased) {
	d.order++
	heap.Push(&d.steps, step{at: at, kind: kind, order: d.order, lease: l})
}

// play runs the trace to its last step.
func (d *driver) play(ctx context.Context) error {
	next := 0
	for {
		arrival := d.arrivalOf(next)
		switch {
		case len(d.steps) > 0 && d.steps[0].at <= arrival:
			if settled, err := d.answeredBefore(ctx, d.steps[0].at); err != nil || !settled {
				if err != nil {
					return err
				}
				continue
			}
			if err := d.take(ctx, heap.Pop(&d.steps).(step)); err != nil {
				return err
			}
		case next < len(d.trace.Jobs):
			if settled, err := d.answeredBefore(ctx, arrival); err != nil || !settled {
				if err != nil {
					return err
				}
				continue
			}
			if err := d.bid(ctx, next, arrival); err != nil {
				return err
			}
			next++
			d.arrived(next)
		case len(d.pending) > 0:
			if err := d.answer(ctx); err != nil {
				return err
			}
		default:
			return d.check(ctx)
		}
	}
}

// never is after everything that a trace can hold.
const never = corehour.Instant(1) << 62

func (d *driver) arrivalOf(job int) corehour.Instant {
	if job >= len(d.trace.Jobs) {
		return never
	}
	return d.trace.Arrival(d.trace.Jobs[job], d.start)
}

// answeredBefore makes sure that nothing unanswered can matter by an instant. It
// reports false where answers came in, because they may have planned earlier steps.
func (d *driver) answeredBefore(ctx context.Context, at corehour.Instant) (bool, error) {
	if len(d.pending) == 0 || d.consequence > at && len(d.pending) < maxUnanswered {
		return true, nil
	}
	return false, d.answer(ctx)
}

// maxUnanswered bounds the commands that the driver has under way.
const maxUnanswered = 2048

// answer waits for every answer and plans what follows.
func (d *driver) answer(ctx context.Context) error {
	for _, u := range d.pending {
		reply, err := u.pending.Wait(ctx)
		if err != nil {
			return err
		}
		if reply.Rejected() {
			if u.job == noJob {
				return fmt.Errorf("the end of a lease was rejected: %s: %s", reply.Code, reply.Message)
			}
			d.rejected[string(reply.Code)]++
			continue
		}
		if u.job != noJob {
			d.bids++
			d.jobs[reply.Bid] = u.job
		}
		for _, f := range reply.Fills {
			d.plan(f.Start.Instant(), stepStart, leased{Fill: f, job: d.jobs[f.Bid]})
		}
	}
	d.pending = d.pending[:0]
	return d.check(ctx)
}

// check waits for the commands whose answers hold nothing to act on.
func (d *driver) check(ctx context.Context) error {
	for _, p := range d.checks {
		reply, err := p.Wait(ctx)
		if err != nil {
			return err
		}
		if reply.Rejected() {
			return fmt.Errorf("a step of a lease was rejected: %s: %s", reply.Code, reply.Message)
		}
	}
	d.checks = d.checks[:0]
	return nil
}

// await remembers a command whose fills start at the next whole minute at the
// earliest.
func (d *driver) await(p *exchange.Pending, job int, at corehour.Instant) {
	earliest := at.CeilMinute().Instant()
	if len(d.pending) == 0 || earliest < d.consequence {
		d.consequence = earliest
	}
	d.pending = append(d.pending, unanswered{pending: p, job: job})
}

func (d *driver) bid(ctx context.Context, index int, arrival corehour.Instant) error {
	job := d.trace.Jobs[index]
	d.clock.advance(arrival)
	earliest, latest := job.Window(arrival)
	p, err := d.s.exchange.Enqueue(ctx, exchange.PlaceBid{
		Product: replayProduct, Consumer: job.Consumer(), Units: corehour.Units(job.Units), Duration: job.Duration(),
		EarliestStart: earliest, LatestEnd: latest, Interruptible: true, ClientID: fmt.Sprintf("job-%d", job.ID),
		Limit: swf.LimitPrice(job.User, d.market.lowest, d.market.highest),
	})
	if err != nil {
		return err
	}
	d.await(p, index, arrival)
	return nil
}

// take carries out one step of a lease.
func (d *driver) take(ctx context.Context, s step) error {
	d.clock.advance(s.at)
	switch s.kind {
	case stepStart:
		return d.startLease(ctx, s.lease)
	case stepEnd:
		if err := d.endLease(ctx, s.lease, s.at); err != nil {
			return err
		}
	}
	return d.usage.report(ctx, d.usageUntil(s))
}

func (d *driver) startLease(ctx context.Context, l leased) error {
	for _, cmd := range [...]exchange.Command{
		exchange.AcceptLease{Provider: l.Provider, Lease: l.Lease}, exchange.StartLease{Provider: l.Provider, Lease: l.Lease},
	} {
		if err := d.send(ctx, cmd); err != nil {
			return err
		}
	}
	begin := l.Start.Instant()
	end := begin + d.trace.Jobs[l.job].RunsFor(l.End.Sub(l.Start))
	for hour := begin + leaseHour; hour < end; hour += leaseHour {
		d.plan(hour, stepHour, l)
	}
	d.plan(end, stepEnd, l)
	return nil
}

// send enqueues a command whose answer holds nothing to act on.
func (d *driver) send(ctx context.Context, cmd exchange.Command) error {
	p, err := d.s.exchange.Enqueue(ctx, cmd)
	if err != nil {
		return err
	}
	if d.checks = append(d.checks, p); len(d.checks) >= maxUnanswered {
		return d.check(ctx)
	}
	return nil
}

const leaseHour = 60 * corehour.MicrosPerMinute

// endLease ends a lease whose job was done before it. Only an end that leaves
// whole minutes can free capacity that others wait for.
func (d *driver) endLease(ctx context.Context, l leased, at corehour.Instant) error {
	if at >= l.End.Instant() {
		return nil // it completes by itself
	}
	end := exchange.EndLease{Account: l.Provider, Lease: l.Lease, EndedAt: at}
	if at.CeilMinute() == l.End {
		return d.send(ctx, end)
	}
	p, err := d.s.exchange.Enqueue(ctx, end)
	if err != nil {
		return err
	}
	d.await(p, noJob, at)
	return nil
}

// usageUntil is the record of the lease-hour, or the part of it, that ends with
// a step.
func (d *driver) usageUntil(s step) usageItem {
	l := s.lease
	hours := (s.at - l.Start.Instant() - 1) / leaseHour
	from := l.Start.Instant() + hours*leaseHour
	return usageItem{
		provider: l.Provider, final: s.kind == stepEnd,
		record: metering.Record{
			RecordID: fmt.Sprintf("%s:%d", l.Lease, hours), Lease: l.Lease, From: from, To: s.at,
			Used: corehour.CPUTime(int64(l.Units) * int64(s.at-from)),
		},
	}
}
