package exchange

import (
	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// defineZone adds a grid zone or changes its mean. Where a mean falls, bids that
// look at carbon may meet offers of the zone at hours without a curve.
func (s *State) defineZone(c DefineZone) Reply {
	z := c.Zone
	switch {
	case !corehour.ValidName(z.ID):
		return badName("id")
	case z.Mean < 0 || z.Mean > corehour.MaxIntensity:
		return reject(CodeOutOfRange, "mean_g_per_kwh", "an intensity is 0 to 10000 g per kWh")
	}
	i, known := s.zoneNamed[z.ID]
	switch {
	case !known && len(s.zones) >= corehour.MaxZones:
		return reject(CodeTooMany, "id", "an exchange has at most 1024 grid zones")
	case known && s.zones[i-1] == z:
		return Reply{}
	}
	s.emit(corehour.EventZoneDefined, string(z.ID), z)
	reply := Reply{}
	if !known {
		s.addZone(z)
		return reply
	}
	s.zones[i-1] = z
	if s.grid.SetMean(i, z.Mean) {
		s.reconsider(i, s.startable(), corehour.MaxMinute, &reply)
	}
	return reply
}

func (s *State) addZone(z corehour.Zone) orderbook.ZoneIndex {
	i := s.grid.AddZone(z.Mean)
	s.zones = append(s.zones, z)
	s.zoneNamed[z.ID] = i
	return i
}

// setIntensity gives a zone a curve. Where an hour gets cleaner, bids that look
// at carbon may meet offers of the zone.
func (s *State) setIntensity(c SetIntensity) Reply {
	i, known := s.zoneNamed[c.Zone]
	if !known {
		return reject(CodeUnknownZone, "zone", "this grid zone is not defined")
	}
	hours := corehour.Minutes(len(c.Values))
	present := hourOf(s.startable())
	switch {
	case hours < 1 || hours > corehour.MaxCurveHours:
		return reject(CodeOutOfRange, "values_g_per_kwh", "a curve has 1 to 8784 hours")
	case c.From < 0 || c.From%corehour.Minute(corehour.MinutesPerHour) != 0:
		return reject(CodeOutOfRange, "from", "a curve begins on the hour")
	case c.From > present.Add((corehour.MaxCurveHours-hours)*corehour.MinutesPerHour):
		return reject(CodeOutOfRange, "from", "a curve ends within 366 days")
	}
	to := c.From.Add(hours * corehour.MinutesPerHour)
	if to <= present {
		return reject(CodeWindowPassed, "from", "all these hours are over")
	}
	for _, v := range c.Values {
		if v < 0 || v > corehour.MaxIntensity {
			return reject(CodeOutOfRange, "values_g_per_kwh", "an intensity is 0 to 10000 g per kWh")
		}
	}
	s.emit(corehour.EventIntensitySet, string(c.Zone), corehour.IntensitySet(c))
	reply := Reply{}
	if s.grid.Set(s.startable(), i, c.From, c.Values) {
		s.reconsider(i, c.From, to, &reply)
	}
	return reply
}

// reconsider lets what rests in each book meet offers of a zone whose intensity
// fell at some hour of [from, to). Where nothing matches it has to wait.
func (s *State) reconsider(zone orderbook.ZoneIndex, from, to corehour.Minute, reply *Reply) {
	for _, p := range s.products {
		if s.haltOf(p) != nil {
			p.cleaner = true
			continue
		}
		s.fill(p.book.Reconsider(s.startable(), zone, from, to), reply)
	}
}

// hourOf is the beginning of the hour that a minute is in.
func hourOf(m corehour.Minute) corehour.Minute { return m - m%corehour.Minute(corehour.MinutesPerHour) }
