package orderbook_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// hourly is the naive grid: one number for each hour of a zone that is known.
type hourly struct {
	mean  map[orderbook.ZoneIndex]corehour.Intensity
	known map[orderbook.ZoneIndex]map[int64]corehour.Intensity
}

func newHourly() *hourly {
	return &hourly{
		mean:  map[orderbook.ZoneIndex]corehour.Intensity{},
		known: map[orderbook.ZoneIndex]map[int64]corehour.Intensity{},
	}
}

func (g *hourly) addZone(zone orderbook.ZoneIndex, mean corehour.Intensity) {
	g.mean[zone] = mean
	g.known[zone] = map[int64]corehour.Intensity{}
}

func (g *hourly) at(zone orderbook.ZoneIndex, hour int64) corehour.Intensity {
	if value, ok := g.known[zone][hour]; ok {
		return value
	}
	return g.mean[zone]
}

// hours is the range of known hours of a zone; first == end is none.
func (g *hourly) hours(zone orderbook.ZoneIndex) (first, end int64) {
	for hour := range g.known[zone] {
		if first == end || hour < first {
			first = hour
		}
		end = max(end, hour+1)
	}
	return first, end
}

// set makes hours known and forgets those before now. All others have the mean,
// whenever that is asked.
func (g *hourly) set(now corehour.Minute, zone orderbook.ZoneIndex, from corehour.Minute, values []corehour.Intensity) (fell bool) {
	present := int64(now) / 60
	for i, value := range values {
		hour := int64(from)/60 + int64(i)
		fell = fell || hour >= present && value < g.at(zone, hour)
		g.known[zone][hour] = value
	}
	maps.DeleteFunc(g.known[zone], func(hour int64, _ corehour.Intensity) bool { return hour < present })
	return fell
}

func (g *hourly) setMean(zone orderbook.ZoneIndex, mean corehour.Intensity) (fell bool) {
	fell = mean < g.mean[zone]
	g.mean[zone] = mean
	return fell
}

// TestGrid_AgreesWithOneNumberPerHour sets curves that overlap, leave gaps or lie
// in the past, and asks for what is known and for rates.
func TestGrid_AgreesWithOneNumberPerHour(t *testing.T) {
	var overlaps, gaps, past, falls int
	rapid.Check(t, func(t *rapid.T) {
		have, want := orderbook.NewGrid(), newHourly()
		intensity := rapid.Map(rapid.IntRange(0, int(corehour.MaxIntensity)), func(n int) corehour.Intensity {
			return corehour.Intensity(n)
		})
		for range 3 {
			mean := intensity.Draw(t, "mean")
			want.addZone(have.AddZone(mean), mean)
		}
		now := corehour.Minute(rapid.IntRange(0, 200).Draw(t, "now"))
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			zone := orderbook.ZoneIndex(rapid.IntRange(1, 3).Draw(t, "zone"))
			if rapid.IntRange(0, 4).Draw(t, "what") == 0 {
				mean := intensity.Draw(t, "mean")
				if fell := have.SetMean(zone, mean); fell != want.setMean(zone, mean) {
					t.Fatalf("SetMean(%d, %d) fell: %t", zone, mean, fell)
				}
			} else {
				start := max(0, int64(now)/60+int64(rapid.IntRange(-8, 20).Draw(t, "start")))
				values := rapid.SliceOfN(intensity, 1, 8).Draw(t, "values")
				first, end := want.hours(zone)
				switch {
				case start < int64(now)/60:
					past++
				case first < end && start < end:
					overlaps++
				case first < end && start > end:
					gaps++
				}
				fell := have.Set(now, zone, corehour.Minute(start*60), values)
				if fell != want.set(now, zone, corehour.Minute(start*60), values) {
					t.Fatalf("Set(%d, %d, hour %d, %v) fell: %t", now, zone, start, values, fell)
				}
				if fell {
					falls++
				}
			}
			now += corehour.Minute(rapid.IntRange(0, 150).Draw(t, "pass"))
			for zone := orderbook.ZoneIndex(1); zone <= 3; zone++ {
				compareZone(t, have, want, zone, now)
			}
		}
	})
	for what, n := range map[string]int{"overlaps": overlaps, "gaps": gaps, "past": past, "falls": falls} {
		if n < 10 {
			t.Errorf("%s: only %d", what, n)
		}
	}
}

// compareZone compares what is known, and some rates with sums over minutes.
func compareZone(t *rapid.T, have *orderbook.Grid, want *hourly, zone orderbook.ZoneIndex, now corehour.Minute) {
	mean, from, values := have.Curve(zone)
	if mean != want.mean[zone] {
		t.Fatalf("the mean of zone %d is %d, want %d", zone, mean, want.mean[zone])
	}
	first, end := want.hours(zone)
	if len(values) != int(end-first) || len(values) > 0 && int64(from) != first*60 {
		t.Fatalf("zone %d knows %d hours from minute %d, want the hours [%d, %d)", zone, len(values), from, first, end)
	}
	for i, value := range values {
		wanted, known := want.known[zone][first+int64(i)]
		if !known {
			wanted = orderbook.NoIntensity
		}
		if value != wanted {
			t.Fatalf("zone %d has %d in hour %d, want %d", zone, value, first+int64(i), wanted)
		}
	}
	carbon := orderbook.Carbon{
		Zone: zone, Energy: corehour.Energy(rapid.IntRange(0, int(corehour.MaxEnergy)).Draw(t, "energy")),
		Rate: 7, // of no meaning where there is a zone
	}
	start := now + corehour.Minute(rapid.IntRange(0, 1_500).Draw(t, "start"))
	d := corehour.Minutes(rapid.IntRange(1, 1_000).Draw(t, "duration"))
	exposure := int64(0)
	for minute := start; minute < start.Add(d); minute++ {
		exposure += int64(want.at(zone, int64(minute)/60))
	}
	// ceil(energy x exposure / (d x 1e6)), the product in two parts.
	scale := int64(d) * 1_000_000
	high, low := exposure/scale, exposure%scale
	rate := int64(carbon.Energy)*high + (int64(carbon.Energy)*low+scale-1)/scale
	if is := have.Rate(carbon, start, d); int64(is) != rate {
		t.Fatalf("%d mWh in zone %d over [%d, +%d) emit %d, want %d", carbon.Energy, zone, start, d, is, rate)
	}
}

func TestGrid_RateRoundsUpByTheMinute(t *testing.T) {
	g := orderbook.NewGrid()
	zone := g.AddZone(900_000)
	g.Set(0, zone, 60, []corehour.Intensity{100_000, 500_000})
	for _, test := range []struct {
		energy     corehour.Energy
		start      corehour.Minute
		d          corehour.Minutes
		milligrams corehour.CarbonRate
	}{
		{5_000, 60, 60, 500},     // one hour: 5 Wh x 100 g/kWh
		{5_000, 0, 60, 4_500},    // the mean before
		{5_000, 180, 60, 4_500},  // and after what is known
		{5_000, 90, 60, 1_500},   // half and half: 300 g/kWh
		{5_000, 0, 240, 3_000},   // (900 + 100 + 500 + 900) / 4 = 600 g/kWh
		{3_333, 119, 3, 1_223},   // (100 + 2 x 500) / 3 = 366 2/3 g/kWh: 1222.1 mg, rounded up
		{1, 60, 1, 1},            // 0.1 mg
		{0, 60, 1, 0},            // nothing is nothing
		{5_000, 119, 1, 500},     // the last minute of an hour
		{5_000, 120, 1, 2_500},   // the first of the next
		{5_000, 1_000, 1, 4_500}, // far from what is known
	} {
		carbon := orderbook.Carbon{Zone: zone, Energy: test.energy}
		if rate := g.Rate(carbon, test.start, test.d); rate != test.milligrams {
			t.Errorf("%d mWh over [%d, +%d) emit %d, want %d", test.energy, test.start, test.d, rate, test.milligrams)
		}
	}
	if rate := g.Rate(orderbook.Carbon{Rate: 42}, 60, 60); rate != 42 {
		t.Errorf("a fixed figure is %d", rate)
	}
}

func TestGrid_CurveIsRestoredByWhatItReturns(t *testing.T) {
	g, other := orderbook.NewGrid(), orderbook.NewGrid()
	zone := g.AddZone(7)
	g.Set(130, zone, 180, []corehour.Intensity{1, 2, 3})
	mean, from, values := g.Curve(zone)
	other.Set(130, other.AddZone(mean), from, values)
	if mean, at, again := other.Curve(zone); mean != 7 || at != from || !slices.Equal(again, values) {
		t.Errorf("mean %d, %d known hours from minute %d", mean, len(again), at)
	}
}
