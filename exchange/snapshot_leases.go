package exchange

import (
	"fmt"

	"github.com/corehour/corehour"
)

// overseenImage is what a leaseImage says of rules; it shares its numbers.
type overseenImage struct {
	Started     bool                 `cbor:"20,keyasint,omitempty"`
	Due         corehour.Instant     `cbor:"21,keyasint,omitempty"`
	Cause       corehour.EndCause    `cbor:"22,keyasint,omitempty"`
	LookAt      corehour.Instant     `cbor:"23,keyasint,omitempty"`
	Heard       corehour.Instant     `cbor:"24,keyasint,omitempty"`
	SuspectAt   corehour.Instant     `cbor:"25,keyasint,omitempty"`
	Beats       int                  `cbor:"26,keyasint,omitempty"`
	InterruptAt corehour.Minute      `cbor:"27,keyasint,omitempty"`
	Released    corehour.Money       `cbor:"28,keyasint,omitempty"`
	Returned    corehour.Money       `cbor:"29,keyasint,omitempty"`
	EndedAs     corehour.LeaseStatus `cbor:"30,keyasint,omitempty"`
	Resolved    bool                 `cbor:"31,keyasint,omitempty"`
	Covered     bool                 `cbor:"32,keyasint,omitempty"`
}

type coverImage struct {
	Payer   corehour.AccountID `cbor:"1,keyasint,omitempty"`
	Orgs    []corehour.OrgID   `cbor:"2,keyasint,omitempty"`
	Own     corehour.Price     `cbor:"3,keyasint,omitempty"`
	Arrival uint64             `cbor:"4,keyasint,omitempty"`
	Turn    uint16             `cbor:"5,keyasint,omitempty"`
	Unseen  bool               `cbor:"6,keyasint,omitempty"`
}

func (c *cover) image() *coverImage {
	if c == nil {
		return nil
	}
	return &coverImage{Payer: c.payer, Orgs: c.orgs, Own: c.own, Arrival: c.arrival, Turn: c.turn, Unseen: c.unseen}
}

func (img *coverImage) cover() *cover {
	if img == nil {
		return nil
	}
	return &cover{payer: img.Payer, orgs: img.Orgs, own: img.Own, arrival: img.Arrival, turn: img.Turn, unseen: img.Unseen}
}

func (l *lease) image() overseenImage {
	return overseenImage{
		Started: l.started && !delivers(l.status), Due: l.due, Cause: l.cause, LookAt: l.lookAt, Heard: l.heard, SuspectAt: l.suspectAt,
		Beats: l.beats, InterruptAt: l.interruptAt, Released: l.released, Returned: l.returned, EndedAs: l.endedAs,
		Resolved: l.resolved, Covered: l.bid != nil,
	}
}

// overseen is the image's part of a lease, but for its bid. What charges were cut
// by follows from them, and that it was started from most statuses.
func (img *leaseImage) overseen() overseen {
	o := overseen{
		started: img.Started || delivers(img.Status), due: img.Due, cause: img.Cause, lookAt: img.LookAt, heard: img.Heard, suspectAt: img.SuspectAt,
		beats: img.Beats, interruptAt: img.InterruptAt, released: img.Released, returned: img.Returned, endedAs: img.EndedAs,
		resolved: img.Resolved,
	}
	for _, c := range img.Charges {
		o.cut += c.Cut
	}
	return o
}

// delivers reports whether a lease of this status has been started for sure.
func delivers(status corehour.LeaseStatus) bool {
	return status == corehour.StatusActive || status == corehour.StatusCompleted
}

func (s *State) encodeOversight(img *image) {
	if s.rulesSet {
		img.Rules = &s.rules
	}
	img.ControlLost, img.Regained = s.control.lost, s.control.regained
	for _, id := range sortedKeys(s.closed) {
		img.Closed = append(img.Closed, s.closed[id].image())
	}
}

func (s *State) decodeOversight(img *image) {
	if img.Rules != nil {
		s.rules, s.rulesSet = *img.Rules, true
	}
	s.control = control{lost: img.ControlLost, regained: img.Regained}
}

// restoreOversight schedules the deadlines of leases, and counts what follows from
// leases and bids.
func (s *State) restoreOversight(img *image) error {
	for i := range img.Closed {
		b := img.Closed[i].bid()
		s.closed[b.ID] = b
	}
	for i := range img.Leases {
		l := s.leases[img.Leases[i].Lease.ID]
		provider := s.accountNamed[l.Provider]
		if provider == nil {
			return fmt.Errorf("state image: %s names what does not exist", l.ID)
		}
		if !l.status.Over() {
			provider.running += l.Hold
			s.rescheduleLease(l)
		}
		if !img.Leases[i].Covered {
			continue
		}
		if l.bid = s.bids[l.Bid]; l.bid == nil {
			l.bid = s.closed[l.Bid]
		}
		if l.bid == nil {
			return fmt.Errorf("state image: the bid of %s is missing", l.ID)
		}
		l.bid.running++
	}
	return nil
}

func (s *State) rescheduleLease(l *lease) {
	if l.due != 0 {
		s.schedule(l.due, leaseStepDue, uint64(l.ID))
	}
	if l.interruptAt != 0 {
		s.schedule(l.interruptAt.Instant(), leaseInterrupts, uint64(l.ID))
	}
	if l.lookAt != 0 {
		s.schedule(l.lookAt, leaseSilenceDue, uint64(l.ID))
		s.control.watched++
		if l.suspectAt != 0 {
			s.control.suspect++
		}
	}
}

// restoreWithdrawn takes units out of an offer again that failed or were
// interrupted.
func (s *State) restoreWithdrawn(o *offer) {
	for _, w := range o.withdrawn {
		if from := max(w.From, s.startable()); from < w.To {
			s.bookOf(o.Product).RestoreLease(o.ref, w.Units, from, w.To)
		}
	}
}
