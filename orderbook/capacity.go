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

// capacities keeps the capacity of the offers that have not the same free at
// every minute, by number. Zero is none.
type capacities struct {
	all  []capacity
	free []uint32
}

func (c *capacities) at(i uint32) *capacity { return &c.all[i-1] }

// make gives a capacity in which so many of the units are free at every minute.
func (c *capacities) make(units, free corehour.Units, from, to corehour.Minute) uint32 {
	if n := len(c.free); n > 0 {
		i := c.free[n-1]
		c.free = c.free[:n-1]
		*c.at(i) = capacity{steps: append(c.at(i).steps[:0], step{from, free}), to: to, units: units}
		return i
	}
	c.all = append(c.all, capacity{steps: append(make([]step, 0, 4), step{from, free}), to: to, units: units})
	return uint32(len(c.all))
}

// drop takes a number back; none is nothing to take.
func (c *capacities) drop(i uint32) {
	if i != 0 {
		c.free = append(c.free, i)
	}
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

// add gives units back over [from, to), or takes them where units is negative.
func (c *capacity) add(from, to corehour.Minute, units corehour.Units) {
	if from < c.steps[0].at || to > c.to || from >= to {
		panic(fmt.Sprintf("orderbook: lease within the offer's window: [%d, %d) is not in [%d, %d)",
			from, to, c.steps[0].at, c.to))
	}
	first := c.split(from)
	after := c.split(to)
	for i := first; i < after; i++ {
		free := c.steps[i].free + units
		checkFree(free, c.units)
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
	if past > 0 {
		// In place, so that the room before the steps is not lost.
		c.steps = append(c.steps[:0], c.steps[past:]...)
	}
}

// stretch finds, from step i on, the next maximal time in which at least need
// units are free, and the most that are at any minute of it; next is where to go
// on.
func (c *capacity) stretch(i int, need corehour.Units) (from, to corehour.Minute, room corehour.Units, next int, ok bool) {
	for i < len(c.steps) && c.steps[i].free < need {
		i++
	}
	if i == len(c.steps) {
		return 0, 0, 0, i, false
	}
	from = c.steps[i].at
	for ; i < len(c.steps) && c.steps[i].free >= need; i++ {
		room = max(room, c.steps[i].free)
	}
	return from, c.end(i - 1), room, i, true
}

// runsIn appends the runs of starts of a lease of need units within [from, to).
func (c *capacity) runsIn(into []run, t *terms, from, to corehour.Minute, need corehour.Units) []run {
	from, to = max(from, t.first, c.steps[0].at), min(to, t.end)
	for i := c.locate(from); i < len(c.steps) && c.steps[i].at < to; {
		begin, end, _, next, ok := c.stretch(i, need)
		if !ok {
			break
		}
		into = t.runsIn(into, max(begin, from), min(end, to))
		i = next
	}
	return into
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
// level, can have so many units.
type level struct {
	at   corehour.Minute
	free corehour.Units
}

// levels appends, for every start in [low, high], how many units are free over
// the whole duration from there: one level at low and one at each start where
// the figure changes. It keeps the indices of steps that may yet be the fewest
// in queue, rising in free units, so every step enters and leaves once.
func (c *capacity) levels(into []level, queue *[]int, low, high corehour.Minute, d corehour.Minutes) []level {
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
			into = append(into, level{start, free})
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
