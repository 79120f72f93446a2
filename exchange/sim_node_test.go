package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// simNode is a machine with a node on it. The node is production code; the
// simulation is its goroutines: it decides which stage takes its next step.
type simNode struct {
	s         *sim
	name      string
	file      *simFile
	snapshots *simSnapshots
	offset    corehour.Instant // of its clock
	drift     corehour.Instant // and how many thousandths it is too fast

	up       bool
	epoch    int // counts its starts
	x        *Exchange
	w        *writer
	next     uint64 // of the log, that is delivered next
	answered uint64 // the newest sequence of which it answered a command

	projecting bool // a transaction is under way

	cut      bool
	cutSince int // step
}

// simBuffer is more than the simulation ever puts between two stages, so that
// nothing waits in its only thread.
const simBuffer = 1 << 10

func newSimNode(s *sim, i int) *simNode {
	return &simNode{
		s: s, name: fmt.Sprintf("node-%d", i+1), file: newSimFile(s), snapshots: &simSnapshots{s: s},
		drift: corehour.Instant(s.random.IntN(41)) - 20,
	}
}

// Now is the node's clock.
func (n *simNode) Now() time.Time {
	return time.UnixMicro(int64(n.s.now + n.offset + (n.s.now-n.s.began)*n.drift/1000))
}

func (n *simNode) config() Config {
	c := Config{
		Clock: n, Writer: n.name, Logger: slog.New(slog.DiscardHandler),
		Projected: func(events []corehour.Event) { n.s.bus.publish(n.s, events) },
	}
	if n.s.traits.cluster {
		c.Log.URL = "simulated"
	}
	return c
}

// start recovers the node as production does. Where it cannot, it is tried again later.
func (n *simNode) start() {
	n.epoch++
	n.s.note("%s: starts", n.name)
	x, err := n.open(simLink{n})
	if err != nil {
		n.s.note("%s: did not start: %v", n.name, err)
		if !errors.Is(err, errSimulated) {
			n.s.violate(refusedToRun, "%s: %v", n.name, err)
		}
		return
	}
	n.x, n.up, n.next = x, true, x.at.Sequence+1
	window := appendsInFlight
	if n.s.traits.cluster {
		window = 1
	}
	n.w = newWriter(x, window)
	n.s.note("%s: stands at %d", n.name, x.at.Sequence)
}

// open is Open on simulated parts.
func (n *simNode) open(l commandLog) (*Exchange, error) {
	load := log.LoadMark
	if !n.file.formed {
		load = log.FormatMark
	}
	mark, err := load(n.file)
	if err != nil {
		return nil, err
	}
	n.file.formed = true
	x := newExchange(n.config(), disk{log: l, mark: mark, snapshots: n.snapshots, store: n.s.store})
	x.acks = make(chan ack, simBuffer)
	x.toMark, x.toApply = make(chan appended, simBuffer), make(chan appended, simBuffer)
	x.forgetful = n.s.without == keptAnswers
	if n.s.without == chainOfHashes {
		x.chain = unchecked
	}
	return x, x.recover(context.Background())
}

// unchecked is log.Position.Follow without the checks.
func unchecked(at log.Position, sequence uint64, payload []byte) (log.Batch, log.Position, error) {
	b, err := log.Decode(payload)
	if err != nil {
		return b, at, log.Corrupt(sequence, err.Error())
	}
	return b, log.Position{Sequence: sequence, Hash: log.HashOf(payload), Commands: at.Commands + uint64(len(b.Entries))}, nil
}

// act lets one stage of the node take a step, or starts it where it is down.
func (n *simNode) act() {
	s := n.s
	if !n.up {
		if s.depth == 0 && (s.calm || s.random.IntN(4) == 0) {
			n.start()
		}
		return
	}
	switch what := s.random.IntN(100); {
	case what < 22:
		n.write()
	case what < 44:
		if s.random.IntN(1+s.traits.lag) == 0 {
			n.deliver()
		}
	case what < 50:
		if n.w.doubtful {
			s.note("%s: looks what is in the log", n.name)
			n.check(n.w.resolve(context.Background()))
		}
	case what < 66:
		if len(n.x.toMark) > 0 {
			n.x.markNext(<-n.x.toMark)
			n.check(nil)
		}
	case what < 82:
		n.apply()
	case what < 94:
		n.project()
	case what < 97:
		n.tick()
	default:
		if s.chance(s.traits.snapshot) {
			err := n.x.snapshot()
			s.note("%s: snapshot at %d: %v", n.name, n.x.at.Sequence, err)
		}
	}
}

// write gathers what has queued and appends what may be appended.
func (n *simNode) write() {
	n.w.appendAll(context.Background())
	if len(n.x.queue) > 0 && n.w.order.room() {
		n.w.gather(<-n.x.queue, true)
		n.w.appendAll(context.Background())
	}
}

// heard takes in an answer of the log.
func (n *simNode) heard() {
	n.check(n.w.acknowledged(context.Background(), <-n.x.acks))
}

// deliver gives a node of a cluster the next batch of the log, or one it has had.
func (n *simNode) deliver() {
	s := n.s
	if !s.traits.cluster || n.cut || n.next > uint64(len(s.log.batches)) {
		return
	}
	if n.next > 1 && s.chance(s.traits.doubled) {
		n.next -= 1 + s.random.Uint64N(min(3, n.next-1))
	}
	sequence := n.next
	n.next++
	s.note("%s: batch %d delivered", n.name, sequence)
	n.check(n.w.delivered(context.Background(), sequence, s.log.batches[sequence-1]))
}

// apply applies the next batch that is marked.
func (n *simNode) apply() {
	if len(n.x.toApply) == 0 {
		return
	}
	next := <-n.x.toApply
	n.x.applyNext(next)
	if n.x.failure() == nil && len(next.pending) > 0 {
		n.answered = max(n.answered, next.at.Sequence)
		n.s.answered = max(n.s.answered, next.at.Sequence)
	}
	n.s.note("%s: applied %d", n.name, next.at.Sequence)
	n.check(nil)
	n.s.clients.listen(n.s)
	n.s.readers.listen(n.s)
}

// project writes what has been applied, or watches another node do it. That it
// takes over only after a second is a courtesy, so here it does at any time.
func (n *simNode) project() {
	if n.projecting {
		return
	}
	n.projecting = true
	defer func() { n.projecting = false }()
	p := n.x.projector
	if p.watching && n.s.random.IntN(4) > 0 {
		n.checkProjection(p.watch(context.Background()))
		return
	}
	batches, _ := p.gathered()
	if len(batches) == 0 {
		return
	}
	batches = batches[:1+n.s.random.IntN(len(batches))]
	wrote, err := p.attempt(context.Background(), batches)
	n.s.note("%s: projects %d to %d: %t %v", n.name, batches[0].at.Sequence, batches[len(batches)-1].at.Sequence, wrote, err)
	n.checkProjection(err)
}

func (n *simNode) checkProjection(err error) {
	if corehour.CodeOf(err) == CodeCorrupt {
		n.s.violate(refusedToRun, "%s: its projector: %v", n.name, err)
	}
}

// tick lets time pass where a deadline is due.
func (n *simNode) tick() {
	if due, some := n.x.state.NextDeadline(); some && due <= corehour.InstantOf(n.Now()) && !n.s.calm {
		n.s.clients.tick(n.s, n)
	}
}

// check looks whether the node has failed for good. On a good log only a disk
// makes it, and whoever watches over the process starts it again.
func (n *simNode) check(err error) {
	if err == nil {
		err = n.x.failure()
	}
	switch {
	case err == nil:
	case corehour.CodeOf(err) == CodeCorrupt:
		n.s.violate(refusedToRun, "%s: %v", n.name, err)
	default:
		n.s.note("%s: stops: %v", n.name, err)
		n.crash()
	}
}

// crash ends the process; what it has written stays.
func (n *simNode) crash() {
	n.s.note("%s: crashes", n.name)
	n.up = false
	n.epoch++
	if !n.s.traits.cluster { // its log is in the same process
		n.s.severNetwork()
	}
	n.s.clients.hangUp(n.s, n)
	n.s.readers.hangUp(n)
}

// cutPower ends the process and loses what was not synced.
func (n *simNode) cutPower() {
	if n.up {
		n.crash()
	}
	n.s.note("%s: power cut", n.name)
	n.file.cutPower()
	n.snapshots.cutPower()
	if !n.s.traits.cluster {
		n.s.log.cutPower(n.s)
	}
}

// unreachable is whether the log does not answer the node now.
func (n *simNode) unreachable() bool { return n.cut || n.s.chance(n.s.traits.lost/3) }

func (n *simNode) disconnect() {
	n.cut, n.cutSince = true, n.s.steps
	n.s.note("%s: is cut off from the log", n.name)
}

func (n *simNode) reconnect() {
	if n.cut {
		n.cut = false
		n.s.note("%s: is connected again", n.name)
	}
}

// unfinished names what the node has not done yet; empty is nothing.
func (n *simNode) unfinished() string {
	last := uint64(len(n.s.log.batches))
	switch {
	case !n.up:
		return "is down"
	case len(n.x.queue) > 0 || !n.w.order.idle() || n.w.doubtful:
		return fmt.Sprintf("has %d queued, %d in flight (doubtful: %t)", len(n.x.queue), len(n.w.order.sent), n.w.doubtful)
	case n.x.at.Sequence != last || n.w.order.tail.Sequence != last:
		return fmt.Sprintf("stands at %d of %d, knows %d", n.x.at.Sequence, last, n.w.order.tail.Sequence)
	case n.x.projector.at.Sequence != last:
		return fmt.Sprintf("has projected %d of %d", n.x.projector.at.Sequence, last)
	}
	return ""
}
