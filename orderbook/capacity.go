package orderbook

import (
	"fmt"
	"slices"

	"github.com/corehour/corehour"
)

// step says that free units are free from at until the next step begins.
type step struct {
	at   corehour.Minute
	free corehour.Units
}

// capacity is what an offer still has to sell, as a step function of time: the
// same unit is sold again at another time. Steps are sorted, neighbours differ,
// the first one covers the beginning of what is remembered and the last one
// ends at to. At every minute 0 <= free <= units.
type capacity struct {
	steps []step
	to    corehour.Minute
	units corehour.Units
}

func newCapacity(units corehour.Units, from, to corehour.Minute) capacity {
	return capacity{steps: []step{{from, units}}, to: to, units: units}
}

// end is the minute at which step i ends.
func (c *capacity) end(i int) corehour.Minute {
	if i+1 < len(c.steps) {
		return c.steps[i+1].at
	}
	return c.to
}

// locate finds the step that covers a minute; a minute before the first step
// gives the first.
func (c *capacity) locate(m corehour.Minute) int {
	low, high := 0, len(c.steps)
	for high-low > 1 {
		if middle := int(uint(low+high) / 2); c.steps[middle].at <= m {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// reserve takes units over [from, to).
func (c *capacity) reserve(from, to corehour.Minute, units corehour.Units) {
	c.add(from, to, -units)
}

// release gives units back over [from, to).
func (c *capacity) release(from, to corehour.Minute, units corehour.Units) {
	c.add(from, to, units)
}

func (c *capacity) add(from, to corehour.Minute, delta corehour.Units) {
	if from < c.steps[0].at || to > c.to || from >= to {
		panic(fmt.Sprintf("orderbook: lease within the offer's window: [%d, %d) is not in [%d, %d)",
			from, to, c.steps[0].at, c.to))
	}
	first := c.split(from)
	after := c.split(to)
	for i := first; i < after; i++ {
		free := c.steps[i].free + delta
		if free < 0 {
			panic(fmt.Sprintf("orderbook: never oversold: %d free units and %d taken", c.steps[i].free, -delta))
		}
		if free > c.units {
			panic(fmt.Sprintf("orderbook: never more than offered: %d free of %d units and %d given back",
				c.steps[i].free, c.units, delta))
		}
		c.steps[i].free = free
	}
	// Inside the range all steps moved alike, so only its two ends can have
	// become equal to their neighbours.
	c.merge(after)
	c.merge(first)
}

// split makes a step begin at a minute and returns its index; the end of the
// window is one past the last.
func (c *capacity) split(m corehour.Minute) int {
	if m == c.to {
		return len(c.steps)
	}
	i := c.locate(m)
	if c.steps[i].at == m {
		return i
	}
	c.steps = slices.Insert(c.steps, i+1, step{m, c.steps[i].free})
	return i + 1
}

// merge drops step i where it says what the one before it says.
func (c *capacity) merge(i int) {
	if i > 0 && i < len(c.steps) && c.steps[i].free == c.steps[i-1].free {
		c.steps = slices.Delete(c.steps, i, i+1)
	}
}

// trim forgets steps that ended by now; nothing can start there any more.
func (c *capacity) trim(now corehour.Minute) {
	past := 0
	for past+1 < len(c.steps) && c.steps[past+1].at <= now {
		past++
	}
	c.steps = c.steps[past:]
}

// fewest is the least number of units free over [from, to), which lies in the
// remembered window.
func (c *capacity) fewest(from, to corehour.Minute) corehour.Units {
	fewest := c.units
	for i := c.locate(from); i < len(c.steps) && c.steps[i].at < to; i++ {
		fewest = min(fewest, c.steps[i].free)
	}
	return fewest
}

// earliest finds the first start in [low, high] from which need units are free
// for the whole duration, and how many are. It visits each step once: a step
// with too little free moves the start behind itself.
func (c *capacity) earliest(low, high corehour.Minute, d corehour.Minutes, need corehour.Units) (
	start corehour.Minute, free corehour.Units, ok bool,
) {
	low = max(low, c.steps[0].at)
	high = min(high, c.to.Add(-d))
	if low > high {
		return 0, 0, false
	}
	start, free = low, c.units
	for i := c.locate(low); i < len(c.steps); i++ {
		end := c.end(i)
		if c.steps[i].free < need {
			start, free = end, c.units
			if start > high {
				return 0, 0, false
			}
			continue
		}
		free = min(free, c.steps[i].free)
		if end.Sub(start) >= d {
			return start, free, true
		}
	}
	return 0, 0, false
}

// reach describes the surroundings of [from, to): the most units free at any of
// its minutes, and the outermost bounds of any lease of at least need units that
// shares a minute with it. Where most is below need there is no such lease.
func (c *capacity) reach(from, to corehour.Minute, need corehour.Units) (
	most corehour.Units, low, high corehour.Minute,
) {
	first := c.locate(from)
	last := first
	for i := first; i < len(c.steps) && c.steps[i].at < to; i++ {
		most = max(most, c.steps[i].free)
		last = i
	}
	low, high = from, to
	if c.steps[first].free >= need {
		for first > 0 && c.steps[first-1].free >= need {
			first--
		}
		low = min(low, c.steps[first].at)
	}
	if c.steps[last].free >= need {
		for last+1 < len(c.steps) && c.steps[last+1].free >= need {
			last++
		}
		high = max(high, c.end(last))
	}
	return most, low, high
}

// level says that a lease starting at this minute, or later up to the next
// level, can have free units of the offer of this rank.
type level struct {
	at   corehour.Minute
	rank int
	free corehour.Units
}

// levels appends, for every start in [low, high], how many units are free over
// the whole duration from there: one level at low and one at each start where
// the figure changes. It keeps the indices of steps that may yet be the fewest
// in queue, rising in free units, so every step enters and leaves once.
func (c *capacity) levels(into []level, queue *[]int, rank int, low, high corehour.Minute, d corehour.Minutes) []level {
	q, head := (*queue)[:0], 0
	next := c.locate(low)
	known := corehour.Units(-1)
	for start := low; start <= high; {
		for next < len(c.steps) && c.steps[next].at < start.Add(d) {
			for len(q) > head && c.steps[q[len(q)-1]].free >= c.steps[next].free {
				q = q[:len(q)-1]
			}
			q = append(q, next)
			next++
		}
		for c.end(q[head]) <= start {
			head++
		}
		if free := c.steps[q[head]].free; free != known {
			into = append(into, level{start, rank, free})
			known = free
		}
		// The figure rises when the scarcest step has been passed, and falls
		// when the lease's last minute reaches a new step.
		start = c.end(q[head])
		if next < len(c.steps) {
			start = min(start, c.steps[next].at.Add(1-d))
		}
	}
	*queue = q
	return into
}
