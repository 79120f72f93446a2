package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/corehour/corehour/exchange/log"
)

// simLog is the log of a cluster: whoever expects its end right appends, and what
// is appended is on disk before anybody hears of it.
type simLog struct {
	batches [][]byte
	synced  int // so many survive a power cut
}

func (l *simLog) append(s *sim, payload []byte, previous uint64) error {
	if uint64(len(l.batches)) != previous && s.without != expectedAppend {
		return log.ErrMoved
	}
	l.batches = append(l.batches, payload)
	if s.without != logSync || s.random.IntN(20) == 0 {
		l.synced = len(l.batches)
	}
	if last := uint64(len(l.batches)); last != previous+1 {
		return log.Corrupt(previous+1, fmt.Sprintf("the log acknowledged the batch as %d", last))
	}
	return nil
}

// cutPower loses what was not synced. A batch that was torn fails the log's own
// checksum and is not there. What was on its way has arrived or not; nobody hears.
func (l *simLog) cutPower(s *sim) {
	if lost := len(l.batches) - l.synced; lost > 0 {
		kept := l.synced + s.random.IntN(lost+1)
		s.note("log: %d unsynced batches lost", len(l.batches)-kept)
		l.batches = slices.Clip(l.batches[:kept])
		l.synced = kept
	}
	s.severNetwork()
}

// severNetwork ends what is under way: requests have arrived or not, and nobody
// hears of it.
func (s *sim) severNetwork() {
	for _, m := range s.net {
		if !m.back && s.random.IntN(2) == 0 {
			_ = s.log.append(s, m.payload, m.previous) // refused or not, its sender is not told
		}
	}
	s.net = nil
}

// message is a request to append under way to the log, or its answer under way
// back.
type message struct {
	*asking
	back bool
	err  error
}

type asking struct {
	from     *simNode
	epoch    int // of the sender: a node that has crashed since hears nothing
	payload  []byte
	previous uint64
	done     func(error)
	answered bool
}

// carry lets one message arrive, in whatever order, once, twice or never.
func (s *sim) carry() {
	if len(s.net) == 0 {
		return
	}
	m := take(s, &s.net)
	if s.chance(s.traits.lost) {
		s.note("%s: lost %s", m.from.name, m)
		return
	}
	if s.chance(s.traits.doubled) {
		s.net = append(s.net, m)
	}
	if m.from.cut && (m.back || s.random.IntN(2) == 0) { // a request may have passed the place of the cut before
		s.note("%s: cut off, lost %s", m.from.name, m)
		return
	}
	if m.back {
		m.asking.answer(s, m.err)
		return
	}
	err := s.log.append(s, m.payload, m.previous)
	s.note("log: %s of %s: %v", m, m.from.name, err)
	s.net = append(s.net, &message{asking: m.asking, back: true, err: err})
}

func (m *message) String() string {
	way := "append"
	if m.back {
		way = "answer"
	}
	return fmt.Sprintf("%s %d", way, m.previous+1)
}

// giveUp is the timeout of an append; its message may still arrive.
func (s *sim) giveUp() {
	if len(s.asked) == 0 {
		return
	}
	r := pick(s, s.asked)
	underWay := slices.ContainsFunc(s.net, func(m *message) bool { return m.asking == r })
	if underWay && !s.chance(s.traits.slow) {
		return
	}
	s.note("%s: no answer to append %d", r.from.name, r.previous+1)
	r.answer(s, unavailable("the log did not acknowledge", errSimulated))
}

// answer tells the writer of a node what became of its append, once.
func (r *asking) answer(s *sim, err error) {
	if r.answered {
		return
	}
	r.answered = true
	s.asked = slices.DeleteFunc(s.asked, func(other *asking) bool { return other == r })
	if !r.from.up || r.from.epoch != r.epoch {
		return
	}
	r.done(err)
	r.from.heard()
}

// simLink is a node's connection to the log.
type simLink struct{ n *simNode }

// Append sends a batch on its way.
func (l simLink) Append(payload []byte, previous uint64, done func(error)) {
	r := &asking{from: l.n, epoch: l.n.epoch, payload: payload, previous: previous, done: done}
	l.n.s.note("%s: appends %d", l.n.name, previous+1)
	l.n.s.asked = append(l.n.s.asked, r)
	l.n.s.net = append(l.n.s.net, &message{asking: r})
}

func (l simLink) Bounds(context.Context) (first, last uint64, err error) {
	if !l.n.up { // others append and project between the two questions of a recovery
		l.n.s.meanwhile()
	}
	if l.n.unreachable() {
		return 0, 0, cutOff()
	}
	return 1, uint64(len(l.n.s.log.batches)), nil
}

func (l simLink) At(_ context.Context, sequence uint64) ([]byte, error) {
	if l.n.unreachable() {
		return nil, cutOff()
	}
	if sequence < 1 || sequence > uint64(len(l.n.s.log.batches)) {
		return nil, log.Corrupt(sequence, "the batch is missing from the log")
	}
	return l.n.s.log.batches[sequence-1], nil
}

func (l simLink) Read(_ context.Context, from, to uint64, each func(sequence uint64, payload []byte) error) error {
	for next := from; next <= to; next++ {
		if !l.n.up {
			l.n.s.meanwhile()
		}
		if l.n.unreachable() {
			return cutOff()
		}
		if next > uint64(len(l.n.s.log.batches)) {
			return log.Corrupt(next, "the batch is missing from the log")
		}
		if err := each(next, l.n.s.log.batches[next-1]); err != nil {
			return err
		}
	}
	return nil
}

// Follow is not how the simulation delivers batches: simNode.deliver does.
func (l simLink) Follow(context.Context, uint64, func(uint64, []byte) error) error {
	panic("the simulation delivers batches itself")
}

func (l simLink) Close() {}
