package exchange

import (
	"container/heap"
	"fmt"

	"github.com/corehour/corehour"
)

// apply is the state machine: it lets time pass to the command's instant, then
// carries the command out, and returns the answer. The events of both are in
// s.events, in order, until the next call. It reads nothing but its arguments.
//
// Time never goes back: an instant before the newest one counts as the newest.
func (s *State) apply(at corehour.Instant, cmd Command, body []byte) Reply {
	s.events = s.events[:0]
	s.advance(max(at, s.now))
	key, keyed := s.keyOf(cmd)
	if !keyed {
		return s.execute(cmd)
	}
	if reply, repeated := s.recall(key, body); repeated {
		return reply
	}
	if len(s.kept) >= MaxKeptReplies {
		return reject(CodeTooMany, "client_id", "the exchange keeps no more client ids and references")
	}
	reply := s.execute(cmd)
	if !reply.passing() {
		s.keep(key, body, reply)
	}
	return reply
}

func (s *State) execute(cmd Command) Reply {
	switch c := cmd.(type) {
	case Tick:
		return Reply{}
	case DefineProduct:
		return s.defineProduct(c)
	case DefineRegion:
		return s.defineRegion(c)
	case SetFee:
		return s.setFee(c)
	case OpenAccount:
		return s.openAccount(c)
	case Deposit:
		return s.deposit(c)
	case PayOut:
		return s.payOut(c)
	case PlaceOffer:
		return s.placeOffer(c)
	case CancelOffer:
		return s.cancelOffer(c)
	case PlaceBid:
		return s.placeBid(c)
	case CancelBid:
		return s.cancelBid(c)
	case AcceptLease:
		return s.acceptLease(c)
	case StartLease:
		return s.startLease(c)
	case EndLease:
		return s.endLease(c)
	case PostCharge:
		return s.postCharge(c)
	case SettleLease:
		return s.settleLease(c)
	case DefineZone:
		return s.defineZone(c)
	case SetIntensity:
		return s.setIntensity(c)
	case PlaceBidGroup:
		return s.placeBidGroup(c)
	case AmendBid:
		return s.amendBid(c)
	case AmendOffer:
		return s.amendOffer(c)
	case CancelAll:
		return s.cancelAll(c)
	case SetCredit:
		return s.setCredit(c)
	case SetLimits:
		return s.setLimits(c)
	case Halt:
		return s.haltTrading(c)
	case Resume:
		return s.resumeTrading(c)
	case OpenSession:
		return s.openSession(c)
	case Heartbeat:
		return s.heartbeat(c)
	case CloseSession:
		return s.closeSession(c)
	}
	if c, ok := cmd.(leaseCommand); ok {
		return c.execute(s)
	}
	panic(fmt.Sprintf("exchange: command %T has no execution", cmd))
}

// deadline is something that happens because time passes.
type deadline struct {
	at   corehour.Instant
	kind deadlineKind
	id   uint64
}

type deadlineKind uint8

// The kinds are in the order in which they happen at one instant: leases end and
// bids leave before offers do, and what a session still has then goes last.
const (
	leaseEnds deadlineKind = iota
	bidExpires
	bidWindowPasses
	offerWindowPasses
	sessionTimesOut
	leaseStepDue
	leaseSilenceDue
	leaseInterrupts
)

// deadlines is a heap by (instant, kind, id). What has been settled or cancelled
// meanwhile, or has another deadline by now, stays in it and is passed over when
// its time comes.
type deadlines []deadline

func (d deadlines) Len() int { return len(d) }
func (d deadlines) Less(i, j int) bool {
	a, b := d[i], d[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.kind != b.kind {
		return a.kind < b.kind
	}
	return a.id < b.id
}
func (d deadlines) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

// Push is for container/heap.
func (d *deadlines) Push(x any) { *d = append(*d, x.(deadline)) }

// Pop is for container/heap.
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

func (s *State) schedule(at corehour.Instant, kind deadlineKind, id uint64) {
	heap.Push(&s.deadlines, deadline{at: at, kind: kind, id: id})
}

// NextDeadline is the next instant at which something may happen on its own.
func (s *State) NextDeadline() (corehour.Instant, bool) {
	if len(s.deadlines) == 0 {
		return 0, false
	}
	return s.deadlines[0].at, true
}

// advance lets time pass. Each deadline happens at its own instant, so that the
// result does not depend on which command came next.
func (s *State) advance(to corehour.Instant) {
	s.passing = passing{from: s.now, to: to}
	for len(s.deadlines) > 0 && s.deadlines[0].at <= to {
		due := heap.Pop(&s.deadlines).(deadline)
		s.now = max(s.now, due.at)
		switch due.kind {
		case leaseEnds:
			s.leaseReachedItsEnd(corehour.LeaseID(due.id))
		case bidExpires, bidWindowPasses:
			s.bidIsDue(due)
		case offerWindowPasses:
			if o := s.offers[corehour.OfferID(due.id)]; o != nil && offerDeadline(o) == due.at {
				s.closeOffer(o, corehour.CloseWindowPassed)
			}
		case sessionTimesOut:
			s.sessionIsDue(due)
		case leaseStepDue, leaseSilenceDue, leaseInterrupts:
			s.leaseIsDue(due)
		}
	}
	s.now = max(s.now, to)
}

func (s *State) bidIsDue(due deadline) {
	b := s.bids[corehour.BidID(due.id)]
	switch {
	case b == nil:
	case due.kind == bidExpires && b.ExpiresAt == due.at:
		s.closeBid(b, corehour.CloseExpired)
	case due.kind == bidWindowPasses && bidDeadline(b) == due.at:
		s.closeBid(b, corehour.CloseWindowPassed)
		s.coverLater(b)
	}
}
