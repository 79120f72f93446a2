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
	var s slots
	for word := range s {
		low, high := max(int(from)-64*word, 0), min(int(to)-64*word, 63)
		if low <= high {
			s[word] = ^uint64(0) >> (63 - high) &^ (1<<low - 1)
		}
	}
	return s
}
