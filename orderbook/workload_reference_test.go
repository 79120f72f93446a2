package orderbook_test

import "slices"

// loadReference is a plain order book of price-time priority, the judge of the
// workloads W1 to W3 at full size, where the naive model would take days. It
// shares no code and no idea with the real book: sorted slices of prices, a map
// from price to a queue, cancelled orders left in their queue.
type loadReference struct {
	orders []loadOrder // by the number of the operation that placed them
	sides  [2]loadSide
	// live are the orders with units left, in no order; each knows its place.
	live []int32
	done loadTally
}

type loadOrder struct {
	price int32
	units int32 // what is left
	place int32 // in live
	side  loadKind
	org   uint8
}

// loadSide has the keys of its prices sorted so that the best is the last.
type loadSide struct {
	keys   []int32
	levels map[int32]*loadLevel
	units  int64 // of all orders
}

type loadLevel struct {
	queue []int32
	live  int
}

// loadTally is what a run did, in a form in which two runs are compared.
type loadTally struct {
	fills     int
	units     int64
	cancelled int    // orders
	open      int64  // units that cancelled bids had left
	hash      uint64 // FNV-1a over the words of each fill in order
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// fill adds one fill: bid and offer are their identifiers, price is in nano-units.
func (t *loadTally) fill(bid, offer uint64, units, price int64) {
	t.fills++
	t.units += units
	h := t.hash
	if h == 0 {
		h = fnvOffset
	}
	h = (h ^ bid) * fnvPrime
	h = (h ^ offer) * fnvPrime
	h = (h ^ uint64(units)) * fnvPrime
	t.hash = (h ^ uint64(price)) * fnvPrime
}

func newLoadReference(orders int) *loadReference {
	r := &loadReference{orders: make([]loadOrder, 0, orders)}
	for side := range r.sides {
		r.sides[side].levels = make(map[int32]*loadLevel)
	}
	return r
}

// key orders the prices of a side by how good they are for the other one.
func (side loadKind) key(price int32) int32 {
	if side == loadBid {
		return price
	}
	return -price
}

// best is the best price of a side; ok is false where it has no order.
func (r *loadReference) best(side loadKind) (price int32, ok bool) {
	keys := r.sides[side].keys
	if len(keys) == 0 {
		return 0, false
	}
	return side.key(keys[len(keys)-1]), true
}

// do carries out an operation, which is the next one by number.
func (r *loadReference) do(op loadOp) {
	number := int32(len(r.orders))
	r.orders = append(r.orders, loadOrder{})
	if op.kind == loadCancel {
		r.cancel(op.target)
		return
	}
	order := &r.orders[number]
	*order = loadOrder{price: op.price, units: op.units, side: op.kind, org: op.org}
	r.match(number, order)
	if order.units == 0 {
		return
	}
	order.place = int32(len(r.live))
	r.live = append(r.live, number)
	side := &r.sides[order.side]
	side.units += int64(order.units)
	key := order.side.key(order.price)
	level, ok := side.levels[key]
	if !ok {
		level = &loadLevel{}
		side.levels[key] = level
		at, _ := slices.BinarySearch(side.keys, key)
		side.keys = slices.Insert(side.keys, at, key)
	}
	level.queue = append(level.queue, number)
	level.live++
}

// match takes resting orders of other organisations, the best price first and
// then the oldest.
func (r *loadReference) match(number int32, incoming *loadOrder) {
	other := 1 - incoming.side
	side := &r.sides[other]
	for l := len(side.keys) - 1; l >= 0 && incoming.units > 0; l-- {
		price := other.key(side.keys[l])
		if incoming.side == loadBid && price > incoming.price || incoming.side == loadOffer && price < incoming.price {
			return
		}
		level := side.levels[side.keys[l]]
		for _, at := range level.queue {
			resting := &r.orders[at]
			if resting.units == 0 || resting.org == incoming.org {
				continue
			}
			units := min(incoming.units, resting.units)
			incoming.units -= units
			resting.units -= units
			side.units -= int64(units)
			bid, offer := number, at
			if incoming.side == loadOffer {
				bid, offer = at, number
			}
			r.done.fill(loadID(int(bid)), loadID(int(offer)), int64(units), int64(price)*loadTick)
			if resting.units == 0 {
				r.forget(resting, level)
			}
			if incoming.units == 0 {
				break
			}
		}
		r.tidy(side, level, l)
	}
}

func (r *loadReference) cancel(number int32) {
	order := &r.orders[number]
	side := &r.sides[order.side]
	r.done.cancelled++
	if order.side == loadBid {
		r.done.open += int64(order.units)
	}
	side.units -= int64(order.units)
	order.units = 0
	key := order.side.key(order.price)
	level := side.levels[key]
	r.forget(order, level)
	if level.live == 0 {
		at, _ := slices.BinarySearch(side.keys, key)
		r.tidy(side, level, at)
	}
}

// forget takes an order with nothing left out of those that live.
func (r *loadReference) forget(order *loadOrder, level *loadLevel) {
	level.live--
	last := r.live[len(r.live)-1]
	r.live[order.place] = last
	r.orders[last].place = order.place
	r.live = r.live[:len(r.live)-1]
}

// tidy drops the dead at the head of a level's queue, and the level when nothing
// lives in it; at is where its key stands.
func (r *loadReference) tidy(side *loadSide, level *loadLevel, at int) {
	if level.live == 0 {
		delete(side.levels, side.keys[at])
		side.keys = slices.Delete(side.keys, at, at+1)
		return
	}
	dead := 0
	for r.orders[level.queue[dead]].units == 0 {
		dead++
	}
	level.queue = level.queue[dead:]
}
