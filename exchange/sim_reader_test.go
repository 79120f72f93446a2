package exchange

import (
	"context"
	"slices"

	"github.com/corehour/corehour"
)

// readers ask nodes for what is true now.
type readers struct {
	waiting []*reader
	heard   []seen
}

// seen is what a reader was shown: what the replay of the log up to there must
// have, too.
type seen struct {
	sequence uint64
	glance   glance
}

// glance is a part of the state that most commands change.
type glance struct {
	bid   corehour.BidID
	lease corehour.LeaseID
	funds [2]funds
}

func glanceAt(s *State) glance {
	g := glance{bid: s.lastBid, lease: s.lastLease}
	for i, id := range [...]corehour.AccountID{"a", "d"} {
		if a := s.accountNamed[id]; a != nil {
			g.funds[i] = funds{a.available, a.held, a.bond}
		}
	}
	return g
}

// reader is a read under way: of the state, or then of the tables.
type reader struct {
	node    *simNode
	began   int            // step
	floor   uint64         // what had been answered when it began: a sequence of the log
	bid     corehour.BidID // and the newest bid of those answers
	pending *Pending       // nil once the node is current
	sql     bool
	want    uint64 // that the projection must have reached
}

// act lets a reader ask a node that is there, and answers those that wait.
func (r *readers) act(s *sim) {
	r.listen(s)
	n := pick(s, s.nodes)
	if !n.up || s.calm || len(r.waiting) > 8 || s.random.IntN(2) == 0 {
		return
	}
	reading := &reader{node: n, began: s.steps, floor: s.answered, bid: s.clients.bid, sql: s.random.IntN(3) == 0}
	if s.traits.cluster && s.without != currencyOfReads {
		p, err := n.x.enqueueReader(context.Background())
		if err != nil {
			s.violate(stuck, "%s takes no read: %v", n.name, err)
		}
		reading.pending = p
		r.waiting = append(r.waiting, reading)
		return
	}
	r.current(s, reading)
}

// current is the moment from which the node may answer.
func (r *readers) current(s *sim, reading *reader) {
	n := reading.node
	if n.cut && n.cutSince < reading.began {
		s.violate(staleRead, "%s answers a read though it was cut off all the time", n.name)
	}
	if n.x.state.lastBid < reading.bid || n.x.at.Sequence < reading.floor {
		s.violate(staleRead, "%s reads %s at %d, but %s of %d was answered before", n.name, n.x.state.lastBid, n.x.at.Sequence,
			reading.bid, reading.floor)
	}
	reading.pending = nil
	r.heard = append(r.heard, seen{n.x.at.Sequence, glanceAt(n.x.state)})
	if !reading.sql {
		return
	}
	reading.want = n.x.applied.Load()
	r.waiting = append(r.waiting, reading)
}

// listen answers the reads that can be.
func (r *readers) listen(s *sim) {
	waiting := r.waiting
	r.waiting = nil
	for _, reading := range waiting {
		switch {
		case reading.pending == nil:
			if reading.node.x.projector.at.Sequence < reading.want {
				r.waiting = append(r.waiting, reading)
				continue
			}
			r.readTables(s, reading)
		default:
			select {
			case o := <-reading.pending.done:
				if o.err == nil {
					r.current(s, reading)
				}
			default:
				r.waiting = append(r.waiting, reading)
			}
		}
	}
}

// readTables is a read of SQL after the projection is said to be there.
func (r *readers) readTables(s *sim, reading *reader) {
	at, err := s.store.inside.position(context.Background())
	if err != nil || at.Sequence < reading.floor {
		s.violate(staleRead, "%s reads tables of %d (%v), but %d was answered before", reading.node.name, at.Sequence, err, reading.floor)
	}
}

func (r *readers) hangUp(n *simNode) {
	r.waiting = slices.DeleteFunc(r.waiting, func(reading *reader) bool { return reading.node == n })
}
