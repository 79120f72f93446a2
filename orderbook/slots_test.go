package orderbook

import "testing"

// TestSlots_AreTheHalfDaysThatATimeSharesAMinuteWith compares with a look at each
// minute.
func TestSlots_AreTheHalfDaysThatATimeSharesAMinuteWith(t *testing.T) {
	const ring = slotCount * slotMinutes
	for _, lo := range []uint32{0, 1, 719, 720, 63*720 + 5, 64 * 720, 100 * 720, ring - 1, ring, 5*ring + 77*720 + 3} {
		for _, length := range []uint32{0, 1, 2, 719, 720, 721, 30 * 720, 64 * 720, 90*720 - 1, ring - 720, ring, 3 * ring} {
			var want slots
			for m := lo; m < lo+length; m++ {
				slot := m / slotMinutes % slotCount
				want[slot/64] |= 1 << (slot % 64)
			}
			if got := slotsOf(lo, lo+length); got != want {
				t.Errorf("[%d, %d): %x, want %x", lo, lo+length, got, want)
			}
		}
	}
}
