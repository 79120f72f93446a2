package exchange

import "github.com/corehour/corehour"

// Heartbeats are commands, so one costs a look at its lease and nothing else: the
// heap has one entry for each watched lease, which is looked at when the silence
// could have lasted long enough, and put back where a heartbeat has come since.

// control is what is known of the control plane through which heartbeats come. It
// is presumed lost while too many of the watched leases are suspect.
type control struct {
	lost     bool
	regained corehour.Instant // when it last was not lost any more
	watched  int              // active leases that are watched
	suspect  int              // of these
}

func (s *State) leaseHeartbeat(c LeaseHeartbeat) Reply {
	switch {
	case s.accountNamed[c.Provider] == nil:
		return reject(CodeUnknownAccount, "provider", "there is no such account")
	case len(c.Leases) < 1 || len(c.Leases) > MaxHeartbeats:
		return reject(CodeOutOfRange, "leases", "a heartbeat is for 1 to 4096 leases")
	}
	var reply Reply
	for _, id := range c.Leases {
		l := s.leases[id]
		if l == nil || l.Provider != c.Provider || l.status != corehour.StatusActive {
			reply.NotRunning = append(reply.NotRunning, id)
			continue
		}
		s.hear(l)
	}
	return reply
}

// hear takes a heartbeat. A lease that was started when heartbeats were not asked
// for is watched from its first one on.
func (s *State) hear(l *lease) {
	r := &s.rules
	silence := s.now - l.heard
	switch {
	case r.SuspectAfter == 0:
		return
	case l.lookAt == 0:
		s.watch(l)
		return
	case silence < r.HeartbeatEvery.Instant()/2:
		return // the same heartbeat once more
	}
	l.heard = s.now
	if l.suspectAt == 0 {
		return
	}
	if silence > r.SuspectAfter.Instant() {
		l.beats = 0
	}
	if l.beats++; l.beats >= r.RecoverBeats {
		s.recover(l)
		s.lookLater(l, s.now+r.SuspectAfter.Instant())
		s.reviewControl()
	}
}

// recover ends the suspicion.
func (s *State) recover(l *lease) {
	s.emit(corehour.EventLeaseRecovered, l.ID.String(), corehour.LeaseRecovered{
		Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, SuspectSince: l.suspectAt,
	})
	l.suspectAt, l.beats = 0, 0
	s.control.suspect--
}

// watch begins to expect heartbeats of an active lease.
func (s *State) watch(l *lease) {
	l.heard = s.now
	s.control.watched++
	s.lookLater(l, s.now+s.rules.SuspectAfter.Instant())
	s.reviewControl()
}

func (s *State) lookLater(l *lease, at corehour.Instant) {
	l.lookAt = at
	s.schedule(at, leaseSilenceDue, uint64(l.ID))
}

// unwatch ends the watch over a lease, if there is one.
func (s *State) unwatch(l *lease) {
	if l.lookAt == 0 {
		return
	}
	s.control.watched--
	if l.suspectAt != 0 {
		s.control.suspect--
	}
	l.lookAt, l.suspectAt, l.beats = 0, 0, 0
	s.reviewControl()
}

// lookAtSilence makes a lease suspect, or fails it, if it has been silent for long
// enough by now.
func (s *State) lookAtSilence(l *lease) {
	r := &s.rules
	if r.SuspectAfter == 0 {
		if l.suspectAt != 0 {
			s.recover(l)
		}
		s.unwatch(l)
		return
	}
	if due := s.silentTooLong(l); due > s.now {
		s.lookLater(l, due)
		return
	}
	if s.wasAway() {
		l.heard = s.passing.to
		s.lookLater(l, s.silentTooLong(l))
		return
	}
	switch {
	case l.suspectAt == 0:
		l.suspectAt, l.beats = s.now, 0
		s.control.suspect++
		s.emit(corehour.EventLeaseSuspected, l.ID.String(), corehour.LeaseSuspected{
			Lease: l.ID, Provider: l.Provider, Consumer: l.Consumer, LastHeard: l.heard,
		})
		s.lookLater(l, s.silentTooLong(l))
		s.reviewControl()
	case r.FailAfter == 0 || s.control.lost:
		s.lookLater(l, s.now+max(r.FailAfter, r.SuspectAfter).Instant())
	default:
		s.fail(l, corehour.CauseHeartbeatLost)
	}
}

// silentTooLong is when the next thing happens to a watched lease that stays
// silent. A suspect one has all its time again when the control plane is back, so
// that those which come back later than others do not all fail at that moment.
func (s *State) silentTooLong(l *lease) corehour.Instant {
	if l.suspectAt == 0 {
		return l.heard + s.rules.SuspectAfter.Instant()
	}
	after := s.rules.FailAfter
	if after == 0 {
		after = s.rules.SuspectAfter
	}
	return max(l.suspectAt, l.heard, s.control.regained) + after.Instant()
}

// reviewControl decides anew whether it is the control plane that is lost. All
// leases that fall silent together are suspect before the first of them can fail,
// because FailAfter is no shorter than SuspectAfter; and a lease that fails lowers
// the share, so that failures never lead to the presumption.
func (s *State) reviewControl() {
	c, r := &s.control, &s.rules
	over := r.MassShare > 0 && c.suspect >= max(1, r.MassLeast) &&
		int64(c.suspect)*int64(corehour.WholeShare) > int64(r.MassShare)*int64(c.watched)
	if over == c.lost {
		return
	}
	c.lost = over
	typ := corehour.EventControlLost
	if !over {
		typ, c.regained = corehour.EventControlRegained, s.now
	}
	s.emit(typ, "control", corehour.ControlChanged{Suspect: c.suspect, Watched: c.watched})
}
