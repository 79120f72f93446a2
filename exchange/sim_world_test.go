package exchange

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// sim is one run of the simulation: nodes that are production code, on a log, a
// network, disks, a database, a bus and clocks that are not. One thread does
// everything, and one seed decides it: which of the things that could happen
// happens next, and what goes wrong.
type sim struct {
	seed    uint64
	random  *rand.Rand
	without protection
	traits  traits

	now   corehour.Instant // the true time; each node's clock is off from it
	began corehour.Instant
	steps int
	calm  bool // nothing goes wrong any more, all that is under way comes to its end
	depth int  // of things that happen meanwhile

	log      simLog
	net      []*message
	asked    []*asking // appends that have not been answered
	nodes    []*simNode
	store    *flakyStore
	bus      simBus
	clients  clients
	readers  readers
	answered uint64 // the newest sequence of the log of which a command was answered

	trace []byte
}

// protection names what is taken out of the system in a test of the simulation.
type protection string

const (
	nothing         protection = ""
	logSync         protection = "fsync of the log"
	markSync        protection = "fsync of the mark"
	chainOfHashes   protection = "check of the chain of hashes"
	keptAnswers     protection = "recall of kept answers"
	projectionSwap  protection = "compare-and-set of the projection"
	expectedAppend  protection = "expected sequence of an append"
	outboxCounting  protection = "the consumer's position in the outbox"
	currencyOfReads protection = "the append that a read waits for"
)

// traits are what a seed is prone to, in thousandths of the occasions. Most seeds
// have some faults often and others never, which finds more than a mean of all.
type traits struct {
	cluster                    bool
	lost, doubled              int // messages between a node and the log, and on the bus
	slow                       int // how often a writer gives up on an answer
	crash, powerCut, partition int // of the moments at which one may happen
	clockJump, snapshot        int
	database, disk, damage     int // writes that fail; snapshots that a power cut tears
	commands, lag              int
}

// failure is what a run has found.
type failure struct {
	kind string
	text string
}

func (f *failure) Error() string { return f.kind + ": " + f.text }

// The kinds of failures.
const (
	refusedToRun    = "a node refuses a good log"
	lostAnswer      = "an answered command is lost"
	twice           = "a command happened twice"
	otherAnswer     = "a repeat is answered differently"
	reordered       = "a node's commands are out of order"
	diverged        = "states diverge"
	badProjection   = "the projection is not what the log says"
	badLedger       = "the consumer's ledger is not what the log says"
	staleRead       = "a read is stale"
	unnoticed       = "damage of the log goes unnoticed"
	stuck           = "work does not come to an end"
	brokenInvariant = "an invariant does not hold"
	panicked        = "panic"
)

const (
	// simMostSteps bounds the part of a run in which things go wrong, where nodes are
	// down so much that the clients cannot send all that they want.
	simMostSteps = 12_000
	// simMostRest bounds how long it may take until nothing is under way any more.
	simMostRest = 100_000
)

func newSim(seed uint64, without protection, tables projectedStore) *sim {
	s := &sim{seed: seed, random: rand.New(rand.NewPCG(seed, 0x636f7265686f7572)), without: without}
	s.now = corehour.InstantOf(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC))
	s.began = s.now
	s.traits = s.drawTraits()
	s.store = &flakyStore{s: s, inside: tables}
	s.note("seed %d: %+v", seed, s.traits)
	return s
}

func (s *sim) drawTraits() traits {
	some := func(most int) int {
		if s.random.IntN(3) == 0 {
			return 0
		}
		return s.random.IntN(most + 1)
	}
	return traits{
		cluster: s.random.IntN(4) > 0, lost: some(150), doubled: some(150), slow: 5 + some(100), crash: some(600), powerCut: some(500),
		partition: some(600), clockJump: some(300), snapshot: some(500), database: some(300), disk: some(40), damage: some(600),
		commands: 30 + s.random.IntN(60), lag: s.random.IntN(4),
	}
}

// violate ends the run.
func (s *sim) violate(kind, format string, args ...any) {
	panic(&failure{kind: kind, text: fmt.Sprintf(format, args...)})
}

// note adds a line to the trace.
func (s *sim) note(format string, args ...any) {
	s.trace = fmt.Appendf(s.trace, "%5d ", s.steps)
	s.trace = fmt.Appendf(s.trace, format, args...)
	s.trace = append(s.trace, '\n')
}

func (s *sim) traceHash() Hash { return sha256.Sum256(s.trace) }

// lastLines is the end of the trace.
func (s *sim) lastLines(n int) string {
	lines := strings.SplitAfter(string(s.trace), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// chance is true in so many of a thousand cases, and never once the run is calm.
func (s *sim) chance(thousandths int) bool {
	return !s.calm && s.random.IntN(1000) < thousandths
}

func pick[T any](s *sim, from []T) T { return from[s.random.IntN(len(from))] }

// take removes an element at random; order means nothing in these lists.
func take[T any](s *sim, from *[]T) T {
	list := *from
	i := s.random.IntN(len(list))
	taken := list[i]
	list[i] = list[len(list)-1]
	*from = list[:len(list)-1]
	return taken
}

// run runs the whole seed; a failure is what it found.
func (s *sim) run() (found *failure) {
	defer func() {
		if r := recover(); r != nil {
			var ok bool
			if found, ok = r.(*failure); !ok {
				found = &failure{kind: panicked, text: fmt.Sprint(r)}
			}
			s.note("FAILED %s", found)
		}
	}()
	s.begin()
	for len(s.clients.orders) < s.traits.commands && s.steps < simMostSteps {
		s.step()
	}
	s.comeToRest()
	s.checkAll()
	s.damageTheLog()
	s.note("%d batches, state %s", len(s.log.batches), s.nodes[0].x.state.Hash())
	return nil
}

// begin puts the market into the log and starts the nodes.
func (s *sim) begin() {
	var entries []log.Entry
	for _, c := range smallMarket() {
		entries = append(entries, log.Entry{Kind: uint8(c.kind()), At: s.now, Body: marshal(c)})
	}
	payload, _ := log.Position{}.Encode("market", entries)
	s.log.batches, s.log.synced = [][]byte{payload}, 1
	nodes := 1
	if s.traits.cluster {
		nodes = 3
	}
	for i := range nodes {
		n := newSimNode(s, i)
		s.nodes = append(s.nodes, n)
		n.start()
	}
}

// step lets one thing happen.
func (s *sim) step() {
	s.steps++
	s.now += corehour.Instant(s.random.Int64N(int64(6 * corehour.MicrosPerSecond)))
	switch what := s.random.IntN(100); {
	case what < 12:
		s.clients.act(s)
	case what < 32:
		s.carry()
	case what < 35:
		s.giveUp()
	case what < 42:
		s.bus.act(s)
	case what < 50:
		s.readers.act(s)
	case what < 97:
		pick(s, s.nodes).act()
	default:
		s.misfortune()
	}
}

// misfortune is what happens to machines and cables.
func (s *sim) misfortune() {
	if s.depth > 0 {
		return // whoever is in the middle of something would have to be stopped there
	}
	n := pick(s, s.nodes)
	switch s.random.IntN(6) {
	case 0:
		if n.up && s.chance(s.traits.crash) {
			n.crash()
		}
	case 1:
		if s.chance(s.traits.powerCut) {
			n.cutPower()
		}
	case 2:
		if s.chance(s.traits.powerCut) {
			s.cutAllPower()
		}
	case 3:
		if n.cut {
			n.reconnect()
		} else if s.traits.cluster && s.chance(s.traits.partition) {
			n.disconnect()
		}
	case 4:
		if s.chance(s.traits.clockJump) {
			n.offset = corehour.Instant(s.random.Int64N(int64(40*corehour.MicrosPerMinute))) - 20*corehour.MicrosPerMinute
			s.note("%s: clock jumps, %d s off", n.name, n.offset/corehour.MicrosPerSecond)
		}
	case 5:
		if s.chance(s.traits.powerCut) {
			s.loseTheEnd()
		}
	}
}

// cutAllPower is a power cut in the whole room, the log's servers included.
func (s *sim) cutAllPower() {
	s.note("power cut everywhere")
	for _, n := range s.nodes {
		n.cutPower()
	}
	s.log.cutPower(s)
}

// meanwhile lets things happen while a node is in the middle of its recovery, or of
// a transaction.
func (s *sim) meanwhile() {
	if s.depth > 0 || !s.chance(150) {
		return
	}
	s.depth++
	for range 1 + s.random.IntN(40) {
		s.step()
	}
	s.depth--
}

// comeToRest repairs everything and lets all that is under way come to its end.
func (s *sim) comeToRest() {
	s.note("from here on nothing goes wrong")
	s.calm = true
	for _, n := range s.nodes {
		n.reconnect()
	}
	for end := s.steps + simMostRest; s.steps < end; {
		for range 25 {
			s.step()
		}
		if s.unfinished() == "" {
			return
		}
	}
	s.violate(stuck, "%s", s.unfinished())
}

// unfinished names what has not come to its end; empty is nothing.
func (s *sim) unfinished() string {
	switch {
	case len(s.net) > 0 || len(s.asked) > 0:
		return fmt.Sprintf("%d messages are under way, %d appends without answer", len(s.net), len(s.asked))
	case len(s.clients.waiting) > 0 || len(s.clients.again) > 0:
		return fmt.Sprintf("%d commands wait for their answer, %d to be sent again", len(s.clients.waiting), len(s.clients.again))
	case len(s.readers.waiting) > 0:
		return fmt.Sprintf("%d reads wait", len(s.readers.waiting))
	case len(s.bus.messages) > 0 || s.bus.taken < s.store.events():
		return fmt.Sprintf("the consumer has taken %d events of %d", s.bus.taken, s.store.events())
	}
	for _, n := range s.nodes {
		if why := n.unfinished(); why != "" {
			return n.name + " " + why
		}
	}
	return ""
}

var errSimulated = errors.New("simulated")

func cutOff() error { return unavailable("no connection to the log", errSimulated) }
