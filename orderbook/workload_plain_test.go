package orderbook_test

import (
	"math/rand/v2"

	"github.com/corehour/corehour"
)

// loadKind is what an operation does.
type loadKind uint8

const (
	loadBid    loadKind = 0
	loadOffer  loadKind = 1
	loadCancel loadKind = 2
)

// loadOp is one operation of a plain workload. An order is numbered by its
// operation, from which its identifier and its arrival follow.
type loadOp struct {
	price  int32 // in ticks
	units  int32
	target int32 // of a cancel: the operation that placed the order
	kind   loadKind
	of     loadKind // of a cancel: what the order is
	org    uint8
}

// sweeps reports whether an order of W3 is to trade through many levels.
func (op *loadOp) sweeps() bool { return op.units >= loadLeastSweep }

// loadTick is a tick in nano-units.
const loadTick = int64(corehour.Tick)

// loadID is the identifier and the arrival of the order that an operation places.
func loadID(number int) uint64 { return uint64(number) + 1 }

// loadScript is a workload made before any clock runs: what is in the book
// first, the operations to measure, and some after these that show what is left
// in the book. For each part it has what the reference did.
type loadScript struct {
	setup, ops, after             []loadOp
	wantSetup, wantOps, wantAfter loadTally
	// What rests when the measured operations begin, and when they end.
	live, liveAfter int
}

// Figures of the plain workloads, in ticks and units.
const (
	loadMid        = 50_000
	loadBand       = 1_000  // W1: passive orders are within so many ticks of the mid
	loadMidEvery   = 16     // W1: in one of so many operations the mid moves a tick
	loadThrough    = 100    // W1: a marketable order's limit is up to so much better than the best price
	loadSpread     = 20_000 // W2, W3: levels of each side
	loadLargest    = 100    // units of an order
	loadLeastSweep = 5_000  // units of a sweep; an order has 50 on average
	loadMostSweep  = 40_000 // so that a sweep is below MaxLeasesPerBid fills
)

// The organisations of the main runs, where a bid never meets its own.
const (
	loadProvider uint8 = 1
	loadConsumer uint8 = 2
)

// loadMaker makes a script; its reference says what is in the book.
type loadMaker struct {
	random    *rand.Rand
	reference *loadReference
	orgs      int // 0: one of providers and one of consumers
	mid       int32
}

func newLoadMaker(seed uint64, orders, orgs int) *loadMaker {
	return &loadMaker{
		random: rand.New(rand.NewPCG(seed, 0)), reference: newLoadReference(orders), orgs: orgs, mid: loadMid,
	}
}

func (m *loadMaker) side() loadKind { return loadKind(m.random.IntN(2)) }

func (m *loadMaker) order(side loadKind, price, units int32) loadOp {
	op := loadOp{kind: side, price: price, units: units, org: loadConsumer}
	switch {
	case m.orgs > 0:
		op.org = uint8(m.random.IntN(m.orgs))
	case side == loadOffer:
		op.org = loadProvider
	}
	return op
}

// passive is an order within some ticks of the mid that does not trade: where the
// book has moved away from the mid it stands just before the best price.
func (m *loadMaker) passive(side loadKind, within int) loadOp {
	away := 1 + int32(m.random.IntN(within))
	price := m.mid - away
	if side == loadOffer {
		price = m.mid + away
	}
	if best, ok := m.reference.best(1 - side); ok {
		if side == loadBid {
			price = min(price, best-1)
		} else {
			price = max(price, best+1)
		}
	}
	return m.order(side, price, int32(1+m.random.IntN(loadLargest)))
}

// next is an operation of W1: half passive, 30% cancels, 20% marketable. With
// nothing to cancel or to trade with it is a passive one.
func (m *loadMaker) next() loadOp {
	if m.random.IntN(loadMidEvery) == 0 {
		m.mid += int32(2*m.random.IntN(2) - 1)
	}
	side := m.side()
	switch n := m.random.IntN(10); {
	case n >= 8:
		best, ok := m.reference.best(1 - side)
		if !ok {
			break
		}
		through := int32(m.random.IntN(loadThrough))
		if side == loadOffer {
			through = -through
		}
		return m.order(side, best+through, int32(1+m.random.IntN(loadLargest)))
	case n >= 5 && len(m.reference.live) > 0:
		return m.cancel()
	}
	return m.passive(side, loadBand)
}

func (m *loadMaker) cancel() loadOp {
	live := m.reference.live
	target := live[m.random.IntN(len(live))]
	return loadOp{kind: loadCancel, of: m.reference.orders[target].side, target: target}
}

// fill makes n operations and lets the reference do them.
func (m *loadMaker) fill(n int, next func() loadOp) ([]loadOp, loadTally) {
	m.reference.done = loadTally{}
	ops := make([]loadOp, 0, n)
	for range n {
		op := next()
		m.reference.do(op)
		ops = append(ops, op)
	}
	return ops, m.reference.done
}

// sweep is an order that trades through many levels of the other side.
func (m *loadMaker) sweep(side loadKind) loadOp {
	limit := m.mid + 2*loadSpread
	if side == loadOffer {
		limit = 1
	}
	return m.order(side, limit, int32(loadLeastSweep+m.random.IntN(loadMostSweep-loadLeastSweep)))
}

// sweeps are such orders of both sides by turns, until a side has not enough for
// another one.
func (m *loadMaker) sweeps() ([]loadOp, loadTally) {
	m.reference.done = loadTally{}
	var ops []loadOp
	for side := loadBid; m.reference.sides[1-side].units > loadMostSweep; side = 1 - side {
		op := m.sweep(side)
		m.reference.do(op)
		ops = append(ops, op)
	}
	return ops, m.reference.done
}

// rest fills the book with passive orders.
func (m *loadMaker) rest(s *loadScript, n, within int) {
	var made loadTally
	s.setup, made = m.fill(n, func() loadOp { return m.passive(m.side(), within) })
	if made.fills > 0 {
		panic("workload: passive orders do not trade")
	}
	s.live = len(m.reference.live)
}

// loadW1 is a market on one delivery hour, on top of so many resting orders.
func loadW1(resting, operations, orgs int) *loadScript {
	m, s := newLoadMaker(1, resting+operations, orgs), &loadScript{}
	m.rest(s, resting, loadBand)
	s.ops, s.wantOps = m.fill(operations, m.next)
	s.liveAfter = len(m.reference.live)
	s.after, s.wantAfter = m.sweeps()
	return s
}

// loadSteadyW1 is W1 in a book that was once larger, so that it has memory for all
// that a market which grows a little needs.
func loadSteadyW1(once, operations, orgs int) *loadScript {
	m, s := newLoadMaker(1, 2*once+operations, orgs), &loadScript{}
	m.rest(s, once, loadBand)
	cancels, gone := m.fill(once, m.cancel)
	s.setup, s.wantSetup = append(s.setup, cancels...), gone
	s.ops, s.wantOps = m.fill(operations, m.next)
	s.liveAfter = len(m.reference.live)
	s.after, s.wantAfter = m.sweeps()
	return s
}

// loadW2 is adds and cancels by turns in a book of many resting orders.
func loadW2(resting, operations int) *loadScript {
	m, s := newLoadMaker(2, resting+operations, 0), &loadScript{}
	m.rest(s, resting, loadSpread)
	adds := false
	s.ops, s.wantOps = m.fill(operations, func() loadOp {
		if adds = !adds; adds {
			return m.passive(m.side(), loadSpread)
		}
		return m.cancel()
	})
	s.liveAfter = len(m.reference.live)
	s.after, s.wantAfter = m.sweeps()
	return s
}

// loadW3 sweeps through many levels, one side and the other by turns. After each
// sweep the book is filled up again with as many orders as were taken; that is
// not measured.
func loadW3(resting, sweeps int) *loadScript {
	m, s := newLoadMaker(3, resting+sweeps*loadMostSweep/10, 0), &loadScript{}
	m.rest(s, resting, loadSpread)
	m.reference.done = loadTally{}
	do := func(op loadOp) {
		m.reference.do(op)
		s.ops = append(s.ops, op)
	}
	for i := range sweeps {
		side := loadKind(i % 2)
		do(m.sweep(side))
		for len(m.reference.live) < resting {
			do(m.passive(1-side, loadSpread))
		}
	}
	s.wantOps = m.reference.done
	s.liveAfter = len(m.reference.live)
	s.after, s.wantAfter = m.sweeps()
	return s
}
