package main

import (
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/providers"
)

// Each region has a zone of its own, whose curve lasts as long as the offers and
// has the figures of the market as its mean.
func TestDemo_GridKeepsTheYearlyFigures(t *testing.T) {
	market, err := providers.Market()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 6, 30, 0, 0, time.UTC)
	d := &demo{market: market, clock: &fastClock{from: now, began: time.Now(), speed: 1}}
	commands := d.zoneCommands()
	if len(commands) != 2*len(market) {
		t.Fatalf("%d commands for %d regions", len(commands), len(market))
	}
	seen := make(map[corehour.ZoneID]bool)
	for i, m := range market {
		zone, set := commands[2*i].(exchange.DefineZone).Zone, commands[2*i+1].(exchange.SetIntensity)
		if zone.ID != m.Region.Zone || set.Zone != zone.ID || seen[zone.ID] || zone.Mean != m.Intensity.Intensity() {
			t.Errorf("%s: zone %+v, curve of %s", m.Region.ID, zone, set.Zone)
		}
		seen[zone.ID] = true
		if set.From.Time() != now.Truncate(time.Hour) || len(set.Values) != 60*24 {
			t.Errorf("%s: %d hours from %s", zone.ID, len(set.Values), set.From)
		}
		var sum corehour.Intensity
		for _, v := range set.Values {
			sum += v
		}
		if off := sum/corehour.Intensity(len(set.Values)) - zone.Mean; off < -1 || off > 1 {
			t.Errorf("%s: the mean of the curve is off by %s g", zone.ID, off)
		}
	}
	// Noon in Europe is clean, its evening is not.
	helsinki := commands[2*11+1].(exchange.SetIntensity)
	if helsinki.Zone != "FI" || helsinki.Values[5] >= helsinki.Values[12] {
		t.Errorf("%s: %s at noon, %s in the evening", helsinki.Zone, helsinki.Values[5], helsinki.Values[12])
	}
}
