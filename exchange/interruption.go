package exchange

import "github.com/corehour/corehour"

// interruptLease announces an interruption. A second announcement does not move
// the first: the consumer has arranged itself with it.
func (s *State) interruptLease(c InterruptLease) Reply {
	l, reply := s.delivered(c.Provider, c.Lease)
	switch {
	case l == nil:
		return reply
	case l.interruptAt != 0 && l.interruptAt == c.At:
		reply.Repeat = true
		return reply
	case l.status.Over():
		return l.wrongStatus()
	case !l.Interruptible:
		return reject(CodeNotInterruptible, "lease", "the lease is firm; a provider that cannot deliver it fails it")
	case l.interruptAt != 0:
		return reject(CodeWrongStatus, "lease", "the interruption is announced for "+l.interruptAt.String())
	case c.At >= l.End:
		return reject(CodeOutOfRange, "at", "a lease is interrupted before its end at "+l.End.String())
	case c.At < s.startable() || c.At.Instant() < s.now+s.rules.InterruptionNotice.Instant():
		return reject(CodeNoticeTooShort, "at", "with the notice that is due, the first possible minute is "+
			(s.now+s.rules.InterruptionNotice.Instant()).CeilMinute().String())
	}
	l.interruptAt = c.At
	s.schedule(c.At.Instant(), leaseInterrupts, uint64(l.ID))
	s.emit(corehour.EventInterruptionAnnounced, l.ID.String(), corehour.InterruptionAnnounced{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, At: c.At,
	})
	return reply
}

// interrupt ends a lease at the minute that was announced. Nothing is owed for the
// rest, by neither side; cover is for a bid that asked for it.
func (s *State) interrupt(l *lease) {
	terms := l.bid
	l.cause = corehour.CauseInterrupted
	s.endEarly(l, corehour.StatusInterrupted)
	s.coverLease(l, terms)
}
