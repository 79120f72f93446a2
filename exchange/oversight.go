package exchange

import "github.com/corehour/corehour"

// overseen is what the rules need to know of a lease beyond its status. All of it
// stays zero while there are no rules.
type overseen struct {
	started bool
	due     corehour.Instant // when the step that is awaited is late; zero: never
	cause   corehour.EndCause

	// Heartbeats (heartbeats.go).
	lookAt    corehour.Instant // when its silence is looked at next; zero: it is not watched
	heard     corehour.Instant // its last heartbeat, or its start
	suspectAt corehour.Instant // since when it is suspect; zero: it is not
	beats     int              // in a row, since it is suspect

	interruptAt corehour.Minute // what was announced; zero: nothing

	// The hold (failure.go).
	released corehour.Money // of the hold, before the settlement; returned is part of it
	returned corehour.Money // to the bond that had paid into the hold
	cut      corehour.Money // of charges, because the hold had been released

	endedAs  corehour.LeaseStatus // while it is disputed
	resolved bool                 // a dispute is over; there is no second one
	bid      *bid                 // whose terms a cover would have; nil: it would not be covered
}

// passing is one stretch of time that passes at once: from the newest instant of
// the state to that of a command. Its deadlines happen at their own instants.
type passing struct {
	from, to corehour.Instant
	noticed  bool // that the exchange was away
}

// setLeaseRules replaces the rules. A lease keeps the deadlines that it was
// matched with.
func (s *State) setLeaseRules(c SetLeaseRules) Reply {
	if refusal := checkRules(&c.Rules); refusal.Rejected() {
		return refusal
	}
	if s.rulesSet && s.rules == c.Rules {
		return Reply{}
	}
	s.rules, s.rulesSet = c.Rules, true
	s.emit(corehour.EventLeaseRulesSet, "lease-rules", c.Rules)
	s.reviewControl()
	return Reply{}
}

func checkRules(r *corehour.LeaseRules) Reply {
	for _, d := range [...]struct {
		field string
		value corehour.Seconds
	}{
		{"accept_within_seconds", r.AcceptWithin}, {"start_within_seconds", r.StartWithin},
		{"heartbeat_every_seconds", r.HeartbeatEvery}, {"suspect_after_seconds", r.SuspectAfter},
		{"fail_after_seconds", r.FailAfter}, {"outage_after_seconds", r.OutageAfter},
		{"interruption_notice_seconds", r.InterruptionNotice},
	} {
		if d.value < 0 || d.value > corehour.MaxRuleSeconds {
			return reject(CodeOutOfRange, d.field, "a duration of the rules is 0 to 2678400 seconds")
		}
	}
	for _, share := range [...]struct {
		field string
		value corehour.BasisPoints
	}{
		{"mass_share_bps", r.MassShare}, {"bond_share_bps", r.BondShare}, {"credit_basic_bps", r.CreditBasic},
		{"credit_standard_bps", r.CreditStandard}, {"credit_premium_bps", r.CreditPremium},
	} {
		if share.value < 0 || share.value > corehour.WholeShare {
			return reject(CodeOutOfRange, share.field, "a share is 0 to 10000 basis points")
		}
	}
	switch {
	case r.RecoverBeats < 0 || r.RecoverBeats > corehour.MaxRecoverBeats:
		return reject(CodeOutOfRange, "recover_beats", "a lease recovers after at most 100 heartbeats")
	case r.MassLeast < 0 || r.MassLeast > corehour.MaxMassLeast:
		return reject(CodeOutOfRange, "mass_least", "a count is 0 to 1000000")
	case r.CoverExtra < 0 || r.CoverExtra > corehour.MaxCoverExtra:
		return reject(CodeOutOfRange, "cover_extra_bps", "cover costs at most 100000 basis points more")
	case r.SuspectAfter > 0 && r.SuspectAfter < r.HeartbeatEvery:
		return reject(CodeOutOfRange, "suspect_after_seconds", "a lease is not suspect before its next heartbeat is due")
	case r.FailAfter > 0 && r.FailAfter < r.SuspectAfter:
		// So all leases that fall silent together are suspect before the first of
		// them fails, which is what the mass guard needs.
		return reject(CodeOutOfRange, "fail_after_seconds", "a suspect lease fails no sooner than it became suspect")
	}
	return Reply{}
}

// oversee gives a new lease its deadlines and remembers the bid that it may have
// to be covered with. A lease may start within the minute of its match, and its
// provider needs its time to accept it then too, so neither deadline is sooner
// for a start that is near.
func (s *State) oversee(l *lease, b *bid) {
	r := &s.rules
	if r.AcceptWithin > 0 {
		l.AcceptBy = l.MatchedAt + r.AcceptWithin.Instant()
	}
	if r.StartWithin > 0 {
		l.StartBy = max(l.Start.Instant()+r.StartWithin.Instant(), l.AcceptBy)
	}
	if l.AcceptBy > 0 {
		s.await(l, l.AcceptBy)
	} else {
		s.await(l, l.StartBy)
	}
	if r.Cover && (!l.Interruptible || b.CoverInterrupted) {
		l.bid = b
		b.running++
	}
}

// awaitStart exchanges the deadline to accept for that to start. One that an
// outage has put off may be past the latter.
func (s *State) awaitStart(l *lease) {
	due := l.StartBy
	if due > 0 && due <= s.now {
		due = s.now + s.rules.StartWithin.Instant()
	}
	s.await(l, due)
}

// await sets the instant at which a lease fails unless it is a step further; zero
// is none. A lease that would fail after its end fails at its end.
func (s *State) await(l *lease, due corehour.Instant) {
	l.due = 0
	if due > s.now && due < l.End.Instant() {
		l.due = due
		s.schedule(due, leaseStepDue, uint64(l.ID))
	}
}

// leaseIsDue is a deadline of a lease. What stands in the heap for a lease that
// has another deadline by now, or none, is passed over.
func (s *State) leaseIsDue(due deadline) {
	l := s.leases[corehour.LeaseID(due.id)]
	if l == nil || l.status.Over() {
		return
	}
	switch {
	case due.kind == leaseStepDue && l.due == due.at:
		s.stepIsLate(l)
	case due.kind == leaseSilenceDue && l.lookAt == due.at:
		s.lookAtSilence(l)
	case due.kind == leaseInterrupts && l.interruptAt.Instant() == due.at:
		s.interrupt(l)
	}
}

// stepIsLate fails a lease whose provider did not accept or start it in time.
func (s *State) stepIsLate(l *lease) {
	allowed, cause := s.rules.StartWithin, corehour.CauseNotStarted
	if l.status == corehour.StatusMatched && l.AcceptBy > 0 {
		allowed, cause = s.rules.AcceptWithin, corehour.CauseNotAccepted
	}
	if s.wasAway() {
		s.await(l, s.passing.to+allowed.Instant())
		return
	}
	s.fail(l, cause)
}

// wasAway reports whether a deadline is carried out so late that the exchange
// cannot have been there when it passed: a running exchange lets time pass within
// a second of every deadline. Then no provider could be heard either.
func (s *State) wasAway() bool {
	p := &s.passing
	if s.rules.OutageAfter == 0 || p.to-s.now <= s.rules.OutageAfter.Instant() {
		return false
	}
	if !p.noticed {
		p.noticed = true
		s.emit(corehour.EventOutageNoticed, "exchange", corehour.OutageNoticed{From: p.from, To: p.to})
	}
	return true
}

// dismiss lets go of a lease that has ended.
func (s *State) dismiss(l *lease) {
	l.due = 0
	if l.bid != nil {
		if l.bid.running--; l.bid.running == 0 {
			delete(s.closed, l.bid.ID)
		}
		l.bid = nil
	}
	s.unwatch(l)
}
