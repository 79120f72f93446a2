package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// terms is what a bid asks of the time of its next lease, and where it may
// start: the windows of the bid less what it has taken already.
type terms struct {
	first     corehour.Minute // no start is before: earliest start or now
	end       corehour.Minute // no lease ends after
	d         corehour.Minutes
	price     corehour.CarbonPrice
	maxCarbon corehour.CarbonRate
	limit     corehour.Price
	taken     []Span
}

// start is where a lease may begin, and what it then costs the bid.
type start struct {
	at        corehour.Minute
	rate      corehour.CarbonRate
	effective corehour.Price
}

// run is a maximal range of starts, both included, from which what the lease
// needs is free.
type run struct {
	first, last corehour.Minute
}

// read makes the terms those of a bid's next lease.
func (t *terms) read(bid *Bid, now corehour.Minute) {
	t.first, t.end, t.d = max(bid.EarliestStart, now), bid.LatestEnd, bid.piece()
	t.price, t.maxCarbon, t.limit, t.taken = bid.CarbonPrice, bid.MaxCarbon, bid.Limit, bid.Taken
}

// runsIn appends the runs within a time [from, to) in which enough is free.
func (t *terms) runsIn(into []run, from, to corehour.Minute) []run {
	from, to = max(from, t.first), min(to, t.end)
	for _, span := range t.taken {
		if span.To <= from {
			continue
		}
		if span.From >= to {
			break
		}
		if last := span.From.Add(-t.d); from <= last {
			into = append(into, run{from, last})
		}
		from = span.To
	}
	if last := to.Add(-t.d); from <= last {
		into = append(into, run{from, last})
	}
	return into
}

// bestStart finds the start of least effective price, then the earliest, among
// those of the runs that count, which are sorted. Between them the average
// intensity is linear, so only a run's ends and the starts at which the lease
// begins or ends on the hour count. ok is false where every one of them is above
// the bid's cap or limit.
func (b *Book) bestStart(t *terms, runs []run, carbon Carbon, price corehour.Price) (best start, ok bool) {
	if len(runs) == 0 {
		return start{}, false
	}
	if carbon.Zone == NoZone || t.price == 0 && t.maxCarbon == NoCarbonCap {
		// Nothing depends on the start.
		best.at, best.rate = runs[0].first, b.grid.Rate(carbon, runs[0].first, t.d)
		best.effective = price + corehour.CarbonCost(t.price, best.rate)
		return best, best.rate <= t.maxCarbon && best.effective <= t.limit
	}
	c := &b.grid.curves[carbon.Zone]
	cost, most, ok := t.allowed(c.leastExposure(runs, t.d), carbon.Energy, price)
	if !ok {
		return start{}, false
	}
	// Rounding lets several exposures cost the same; the earliest of those wins.
	best.at = c.firstWithin(runs, t.d, most)
	best.rate = rateOf(carbon.Energy, c.until(best.at.Add(t.d))-c.until(best.at), t.d)
	best.effective = price + cost
	return best, true
}

// allowed turns the least exposure (intensity x minutes) into its cost for a
// unit-hour, and the largest exposure that costs the same and is within the cap.
// ok is false where the least is above cap or limit.
func (t *terms) allowed(least int64, energy corehour.Energy, price corehour.Price) (cost corehour.Price, most int64, ok bool) {
	rate := rateOf(energy, least, t.d)
	cost = corehour.CarbonCost(t.price, rate)
	if rate > t.maxCarbon || price+cost > t.limit {
		return 0, 0, false
	}
	if t.price > 0 {
		// cost = ceil(price x rate / 1e9), so rate <= cost x 1e9 / price.
		hi, lo := bits.Mul64(uint64(cost), corehour.NanoPerUnit)
		q, _ := bits.Div64(hi, lo, uint64(t.price))
		rate = min(corehour.CarbonRate(min(q, uint64(corehour.MaxCarbonRate))), t.maxCarbon)
	} else {
		rate = t.maxCarbon
	}
	// rate = ceil(energy x exposure / (d x 1e6)), so exposure <= rate x d x 1e6 / energy.
	hi, lo := bits.Mul64(uint64(rate)*uint64(t.d), energyScale)
	if hi >= uint64(energy) {
		return cost, math.MaxInt64, true
	}
	q, _ := bits.Div64(hi, lo, uint64(energy))
	return cost, int64(min(q, math.MaxInt64)), true
}

// onTheHour is the first minute of at least m at which m+offset is on the hour.
func onTheHour(m corehour.Minute, offset corehour.Minutes) corehour.Minute {
	past := (int64(m) + int64(offset)) % minutesPerHour
	if past == 0 {
		return m
	}
	return m + corehour.Minute(minutesPerHour-past)
}

// leastExposure is the least intensity x minutes of the starts of the runs that
// count.
func (c *curve) leastExposure(runs []run, d corehour.Minutes) int64 {
	least := int64(math.MaxInt64)
	for _, r := range runs {
		least = min(least, c.exposure(r.first, d), c.exposure(r.last, d))
		least = min(least, c.leastFrom(onTheHour(r.first, 0), r.last, d))
		if int64(d)%minutesPerHour != 0 {
			least = min(least, c.leastFrom(onTheHour(r.first, d), r.last, d))
		}
	}
	return least
}

// leastFrom is the least exposure of the starts from first up to last, an hour
// apart.
func (c *curve) leastFrom(first, last corehour.Minute, d corehour.Minutes) int64 {
	least := int64(math.MaxInt64)
	if first > last {
		return least
	}
	if n := (int64(last) - int64(first)) / minutesPerHour; int64(d)%minutesPerHour == 0 && int64(first)%minutesPerHour == 0 {
		// Whole hours are differences of sums, where the curve is known.
		low, hours := int64(first)/minutesPerHour-c.first, int64(d)/minutesPerHour
		if low >= 0 && low+n+hours < int64(len(c.sums)) {
			from := c.sums[low : low+n+1]
			to := c.sums[low+hours : low+n+1+hours]
			for i, sum := range from {
				least = min(least, to[i]-sum)
			}
			return least * minutesPerHour
		}
	}
	for s := first; s <= last; s += corehour.Minute(minutesPerHour) {
		least = min(least, c.exposure(s, d))
	}
	return least
}

// firstWithin is the earliest start that counts whose exposure is at most most.
// There is one.
func (c *curve) firstWithin(runs []run, d corehour.Minutes, most int64) corehour.Minute {
	for _, r := range runs {
		if c.exposure(r.first, d) <= most {
			return r.first
		}
		begins, ends := onTheHour(r.first, 0), onTheHour(r.first, d)
		for s := min(begins, ends); s < r.last; s = min(begins, ends) {
			if c.exposure(s, d) <= most {
				return s
			}
			if begins == s {
				begins += corehour.Minute(minutesPerHour)
			}
			if ends == s {
				ends += corehour.Minute(minutesPerHour)
			}
		}
		if c.exposure(r.last, d) <= most {
			return r.last
		}
	}
	panic("orderbook: the least exposure is one of those that count")
}

func (c *curve) exposure(from corehour.Minute, d corehour.Minutes) int64 {
	return c.until(from.Add(d)) - c.until(from)
}
