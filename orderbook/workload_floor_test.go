package orderbook_test

import (
	"math/bits"
	"testing"
	"time"
)

// loadFloor is what a plain order book costs at least: an array of prices, orders
// in an array by their number, linked by indices, and a bitmap to find the best
// price. It carries nothing but price, units and side. Its figures say how fast
// the machine is on the very workload, with the very harness, so that those of
// the book can be compared with books that were measured elsewhere.
type loadFloor struct {
	orders []floorOrder // by identifier
	sides  [2]floorSide
	done   loadTally
}

type floorOrder struct {
	price, units int32
	next, prev   int32
	side         loadKind
}

// floorPrices is more than any price of the workloads.
const floorPrices = 1 << 17

type floorSide struct {
	head, tail [floorPrices]int32
	used       [floorPrices >> 6]uint64  // prices with orders
	words      [floorPrices >> 12]uint64 // words of used that are not zero
}

func (s *floorSide) set(price int32) {
	s.used[price>>6] |= 1 << (price & 63)
	s.words[price>>12] |= 1 << (price >> 6 & 63)
}

func (s *floorSide) clear(price int32) {
	if s.used[price>>6] &^= 1 << (price & 63); s.used[price>>6] == 0 {
		s.words[price>>12] &^= 1 << (price >> 6 & 63)
	}
}

// lowest and highest are the ends of the prices with orders; they are beyond any
// limit where there is none.
func (s *floorSide) lowest() int32 {
	for i, word := range s.words {
		if word != 0 {
			i = i<<6 | bits.TrailingZeros64(word)
			return int32(i<<6 | bits.TrailingZeros64(s.used[i]))
		}
	}
	return floorPrices
}

func (s *floorSide) highest() int32 {
	for i := len(s.words) - 1; i >= 0; i-- {
		if word := s.words[i]; word != 0 {
			i = i<<6 | (bits.Len64(word) - 1)
			return int32(i<<6 | (bits.Len64(s.used[i]) - 1))
		}
	}
	return -1
}

func (f *loadFloor) unlink(id int32) {
	o := &f.orders[id]
	side := &f.sides[o.side]
	if o.prev == 0 {
		side.head[o.price] = o.next
	} else {
		f.orders[o.prev].next = o.next
	}
	if o.next == 0 {
		side.tail[o.price] = o.prev
	} else {
		f.orders[o.next].prev = o.prev
	}
	if side.head[o.price] == 0 {
		side.clear(o.price)
	}
}

func (f *loadFloor) do(op *loadOp, number int) {
	if op.kind == loadCancel {
		id := int32(loadID(int(op.target)))
		f.done.cancelled++
		if op.of == loadBid {
			f.done.open += int64(f.orders[id].units)
		}
		f.unlink(id)
		return
	}
	id := int32(loadID(number))
	units := f.match(op, id)
	if units == 0 {
		return
	}
	side := &f.sides[op.kind]
	last := side.tail[op.price]
	f.orders[id] = floorOrder{price: op.price, units: units, prev: last, side: op.kind}
	if last == 0 {
		side.head[op.price] = id
		side.set(op.price)
	} else {
		f.orders[last].next = id
	}
	side.tail[op.price] = id
}

// match returns what is left of an order.
func (f *loadFloor) match(op *loadOp, id int32) int32 {
	units, other := op.units, &f.sides[1-op.kind]
	for units > 0 {
		var price int32
		if op.kind == loadBid {
			if price = other.lowest(); price > op.price {
				break
			}
		} else if price = other.highest(); price < op.price {
			break
		}
		resting := other.head[price]
		o := &f.orders[resting]
		taken := min(units, o.units)
		units -= taken
		o.units -= taken
		bid, offer := id, resting
		if op.kind == loadOffer {
			bid, offer = resting, id
		}
		f.done.fill(uint64(bid), uint64(offer), int64(taken), int64(price)*loadTick)
		if o.units == 0 {
			f.unlink(resting)
		}
	}
	return units
}

// BenchmarkFloor does W1, W2 and W3 with that book.
func BenchmarkFloor(b *testing.B) {
	for _, workload := range []struct {
		name string
		make func(resting int) *loadScript
	}{
		{"W1", func(n int) *loadScript { return loadW1(n, loadOperations, 0) }},
		{"W2", func(n int) *loadScript { return loadW2(n, loadOperations) }},
		{"W3", func(n int) *loadScript { return loadW3(n, loadSweeps) }},
	} {
		for _, n := range append([]int{0}, loadSizes()...) {
			if n == 0 && workload.name != "W1" {
				continue
			}
			b.Run(workload.name+"/"+loadSizeName(n), func(b *testing.B) {
				script, rounds := workload.make(n), loadRounds{}
				for b.Loop() {
					took := newLoadFloor(script).run(b, script)
					if script.ops[0].sweeps() {
						rounds.add("ns/fill", float64(took.Nanoseconds())/float64(script.wantOps.fills))
					} else {
						rounds.add("ns/op", float64(took.Nanoseconds())/float64(len(script.ops)))
					}
				}
				rounds.report(b)
			})
		}
	}
}

func newLoadFloor(s *loadScript) *loadFloor {
	return &loadFloor{orders: make([]floorOrder, len(s.setup)+len(s.ops)+1)}
}

// run carries out a script and returns how long its operations took; of W3 only
// the sweeps count.
func (f *loadFloor) run(tb testing.TB, s *loadScript) time.Duration {
	tb.Helper()
	for i := range s.setup {
		f.do(&s.setup[i], i)
	}
	f.done = loadTally{}
	all, swept := loadCPU(tb), time.Duration(0)
	for i := range s.ops {
		if !s.ops[i].sweeps() {
			f.do(&s.ops[i], len(s.setup)+i)
			continue
		}
		began := loadCPU(tb)
		f.do(&s.ops[i], len(s.setup)+i)
		swept += loadCPU(tb) - began
	}
	all = loadCPU(tb) - all
	if f.done != s.wantOps {
		tb.Fatalf("the floor did %+v, the reference %+v", f.done, s.wantOps)
	}
	if s.ops[0].sweeps() {
		return swept
	}
	return all
}
