package orderbook

// slots are the parts of time that something shares a minute with: bit i stands
// for half a day, the i-th since 1970 modulo 64 days.
type slots [2]uint64

const (
	slotMinutes = 12 * 60
	slotCount   = 128
)

// slotsOf are the slots that [lo, hi) shares a minute with.
func slotsOf(lo, hi uint32) slots {
	first, last := lo/slotMinutes, (hi-1)/slotMinutes
	if hi <= lo {
		return slots{}
	}
	if last-first >= slotCount-1 {
		return slots{^uint64(0), ^uint64(0)}
	}
	from, to := first%slotCount, last%slotCount
	if from <= to {
		return between(from, to)
	}
	up, down := between(from, slotCount-1), between(0, to)
	return slots{up[0] | down[0], up[1] | down[1]}
}

// between has the bits from one up to another, both included.
func between(from, to uint32) slots {
	switch {
	case to < 64:
		return slots{^uint64(0) << from & (^uint64(0) >> (63 - to)), 0}
	case from >= 64:
		return slots{0, ^uint64(0) << (from - 64) & (^uint64(0) >> (127 - to))}
	}
	return slots{^uint64(0) << from, ^uint64(0) >> (127 - to)}
}
