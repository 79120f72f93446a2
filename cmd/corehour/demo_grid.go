package main

import (
	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// demoDay is how the carbon intensity of a grid moves through a day, in
// thousandths of its mean, by the hour of its continent's clock: low where the sun
// is high, high in the evening. It is made up, and the same for every zone, where
// real grids differ; its mean is 1, so that the yearly figures stay true.
var demoDay = [24]int64{
	1010, 1000, 995, 995, 1000, 1020, 1050, 1060, 1020, 960, 910, 870,
	850, 850, 870, 910, 970, 1050, 1110, 1140, 1130, 1100, 1070, 1060,
}

// demoClockOf is about how many hours a continent's clock is ahead of UTC.
var demoClockOf = map[string]int64{
	"africa": 2, "asia": 8, "europe": 1, "north-america": -6, "oceania": 10, "south-america": -3,
}

// zoneCommands define the grid zone of each region with the mean of its figures,
// and give it the made-up day again and again for as long as the offers last.
func (d *demo) zoneCommands() []exchange.Command {
	now := corehour.InstantOf(d.clock.Now()).FloorMinute()
	from := now - now%corehour.Minute(corehour.MinutesPerHour)
	commands := make([]exchange.Command, 0, 2*len(d.market))
	for _, m := range d.market {
		mean := m.Intensity.Intensity()
		hour := int64(from)/int64(corehour.MinutesPerHour) + demoClockOf[m.Region.Continent]
		values := make([]corehour.Intensity, demoOffersFor/corehour.MinutesPerHour)
		for i := range values {
			values[i] = mean * corehour.Intensity(demoDay[(hour+int64(i))%24]) / 1000
		}
		commands = append(commands, exchange.DefineZone{Zone: corehour.Zone{ID: m.Region.Zone, Mean: mean}},
			exchange.SetIntensity{Zone: m.Region.Zone, From: from, Values: values})
	}
	return commands
}
