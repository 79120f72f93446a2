package orderbook

import (
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// ZoneIndex numbers a grid zone from 1.
type ZoneIndex uint16

// NoZone is the zone of an offer whose carbon is a fixed figure.
const NoZone ZoneIndex = 0

// Grid holds the carbon intensity of the grid zones hour by hour. The caller
// changes it between commands and the books of all products read it; after a
// change it lets each book Reconsider what rests.
type Grid struct {
	curves []curve // by ZoneIndex; the first one is empty
}

// NoIntensity is the intensity of an hour that no curve has given a value for;
// it has the zone's mean.
const NoIntensity corehour.Intensity = -1

// curve is the intensity of one zone: a value for each hour from first, and the
// mean for all others. Sums and minima answer questions about a range of hours
// without reading all of it.
type curve struct {
	mean   corehour.Intensity
	first  int64                // hours since 1970
	given  []corehour.Intensity // by the hour; NoIntensity in a gap
	values []corehour.Intensity // the same with the mean in the gaps
	sums   []int64              // sums[i] is the sum of values[:i]
	minima [][]uint32           // minima[k][i] is the least of values[i : i+1<<k]
}

const minutesPerHour = int64(corehour.MinutesPerHour)

// NewGrid makes a grid without zones.
func NewGrid() *Grid { return &Grid{curves: make([]curve, 1)} }

// AddZone adds a zone that has its mean at every hour.
func (g *Grid) AddZone(mean corehour.Intensity) ZoneIndex {
	g.curves = append(g.curves, curve{mean: mean})
	return ZoneIndex(len(g.curves) - 1)
}

// Set gives a zone's intensity for len(values) hours from a minute on the hour
// and forgets the hours before now. It reports whether the intensity of an hour
// fell that is not over, because only then can a resting bid have become able to
// trade.
func (g *Grid) Set(now corehour.Minute, zone ZoneIndex, from corehour.Minute, values []corehour.Intensity) (fell bool) {
	if from%corehour.Minute(minutesPerHour) != 0 {
		panic("orderbook: a curve begins on the hour")
	}
	c := &g.curves[zone]
	start, present := int64(from)/minutesPerHour, int64(now)/minutesPerHour
	end := max(start+int64(len(values)), c.first+int64(len(c.given)))
	given := make([]corehour.Intensity, 0, max(0, end-present))
	first := present
	for hour := present; hour < end; hour++ {
		is := c.givenAt(hour)
		if hour >= start && hour < start+int64(len(values)) {
			is = values[hour-start]
		}
		if is == NoIntensity && len(given) == 0 {
			first = hour + 1
			continue
		}
		fell = fell || is != NoIntensity && is < c.at(hour)
		given = append(given, is)
	}
	c.first, c.given = first, given
	c.index()
	return fell
}

// SetMean changes a zone's mean and reports whether it fell.
func (g *Grid) SetMean(zone ZoneIndex, mean corehour.Intensity) (fell bool) {
	c := &g.curves[zone]
	fell = mean < c.mean
	c.mean = mean
	c.index()
	return fell
}

// Curve returns what is known of a zone: its mean, and the values from a minute
// on, NoIntensity where there is none. They must not be changed.
func (g *Grid) Curve(zone ZoneIndex) (mean corehour.Intensity, from corehour.Minute, values []corehour.Intensity) {
	c := &g.curves[zone]
	return c.mean, corehour.Minute(c.first * minutesPerHour), c.given
}

// Rate is what a unit-hour of an offer emits on average over [start, start+d),
// rounded up to the milligram: energy x intensity, by the minute.
func (g *Grid) Rate(carbon Carbon, start corehour.Minute, d corehour.Minutes) corehour.CarbonRate {
	if carbon.Zone == NoZone {
		return carbon.Rate
	}
	c := &g.curves[carbon.Zone]
	return rateOf(carbon.Energy, c.until(start.Add(d))-c.until(start), d)
}

// milliwattHours x milligrams per kilowatt-hour are this many milligrams.
const energyScale = 1_000_000

// rateOf turns intensity x minutes into milligrams per unit-hour, rounded up.
func rateOf(energy corehour.Energy, exposure int64, d corehour.Minutes) corehour.CarbonRate {
	hi, lo := bits.Mul64(uint64(energy), uint64(exposure))
	q, rem := bits.Div64(hi, lo, uint64(d)*energyScale)
	if rem > 0 {
		q++
	}
	return corehour.CarbonRate(q)
}

// givenAt is what a curve gave an hour.
func (c *curve) givenAt(hour int64) corehour.Intensity {
	if i := hour - c.first; i >= 0 && i < int64(len(c.given)) {
		return c.given[i]
	}
	return NoIntensity
}

// at is the intensity in an hour.
func (c *curve) at(hour int64) corehour.Intensity {
	if i := hour - c.first; i >= 0 && i < int64(len(c.values)) {
		return c.values[i]
	}
	return c.mean
}

// until is intensity x minutes from the first known hour to a minute; it is
// negative before. Only differences of it mean something.
func (c *curve) until(m corehour.Minute) int64 {
	past := int64(m) - c.first*minutesPerHour
	hours := int64(len(c.values))
	switch {
	case past <= 0 || hours == 0:
		return past * int64(c.mean)
	case past >= hours*minutesPerHour:
		return c.sums[hours]*minutesPerHour + (past-hours*minutesPerHour)*int64(c.mean)
	}
	hour := past / minutesPerHour
	return c.sums[hour]*minutesPerHour + (past-hour*minutesPerHour)*int64(c.values[hour])
}

// least is the lowest intensity of any hour that shares a minute with [from, to).
func (c *curve) least(from, to corehour.Minute) corehour.Intensity {
	low := int64(from)/minutesPerHour - c.first
	high := (int64(to)+minutesPerHour-1)/minutesPerHour - c.first
	least := corehour.Intensity(math.MaxInt64)
	if low < 0 || high > int64(len(c.values)) {
		least = c.mean
	}
	low, high = max(low, 0), min(high, int64(len(c.values)))
	if low >= high {
		return least
	}
	k := bits.Len64(uint64(high-low)) - 1
	row := c.minima[k]
	return min(least, corehour.Intensity(min(row[low], row[high-1<<k])))
}

// index fills the gaps and makes sums and minima.
func (c *curve) index() {
	n := len(c.given)
	c.values = make([]corehour.Intensity, n)
	for i, v := range c.given {
		c.values[i] = v
		if v == NoIntensity {
			c.values[i] = c.mean
		}
	}
	c.sums = make([]int64, n+1)
	row := make([]uint32, n)
	for i, v := range c.values {
		c.sums[i+1] = c.sums[i] + int64(v)
		row[i] = uint32(v)
	}
	c.minima = append(c.minima[:0], row)
	for k := 1; 1<<k <= n; k++ {
		wider := make([]uint32, n-1<<k+1)
		for i := range wider {
			wider[i] = min(row[i], row[i+1<<(k-1)])
		}
		c.minima = append(c.minima, wider)
		row = wider
	}
}
