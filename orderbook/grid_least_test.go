package orderbook

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// TestGrid_LeastIsTheLowestOfTheSharedHours: a bound that is too high would hide
// offers from bids, one that is too low would only cost time.
func TestGrid_LeastIsTheLowestOfTheSharedHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		intensity := rapid.Map(rapid.IntRange(0, 50), func(n int) corehour.Intensity { return corehour.Intensity(n) })
		g := NewGrid()
		zone := g.AddZone(intensity.Draw(t, "mean"))
		for range rapid.IntRange(0, 2).Draw(t, "curves") {
			start := corehour.Minute(60 * rapid.IntRange(0, 20).Draw(t, "start"))
			g.Set(0, zone, start, rapid.SliceOfN(intensity, 1, 20).Draw(t, "values"))
		}
		c := &g.curves[zone]
		for range 20 {
			from := corehour.Minute(rapid.IntRange(0, 3_000).Draw(t, "from"))
			to := from + corehour.Minute(rapid.IntRange(1, 1_500).Draw(t, "minutes"))
			want := c.at(int64(from) / 60)
			for minute := from; minute < to; minute++ {
				want = min(want, c.at(int64(minute)/60))
			}
			if have := c.least(from, to); have != want {
				t.Fatalf("the least over [%d, %d) is %d, want %d", from, to, have, want)
			}
		}
	})
}
