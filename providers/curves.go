package providers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/corehour/corehour"
)

// ZoneCurve is the carbon intensity of a grid zone, hour by hour.
type ZoneCurve struct {
	Zone corehour.ZoneID
	// Runs are in order of time; between two of them at least an hour has no value.
	Runs []Run
}

// Run is the intensity of hours that follow each other.
type Run struct {
	From   corehour.Minute // on the hour
	Values []corehour.Intensity
}

// To is the end of the run's last hour.
func (r Run) To() corehour.Minute {
	return r.From.Add(corehour.Minutes(len(r.Values)) * corehour.MinutesPerHour)
}

// Columns of a list of hourly intensities. A wide one has a column for each zone
// beside the time, a long one has a line for each hour of each zone.
const (
	columnWideHour = "datetime_utc"
	columnLongHour = "hour"
	columnLongZone = "zone"
	columnLongGram = "g_per_kwh"
)

// ReadCurves reads hourly carbon intensities in gCO2e per kilowatt-hour from a
// CSV, plain or gzip, in one of two forms: datetime_utc and a column for each
// zone, or hour, zone and g_per_kwh. Hours are UTC and rise within a zone;
// figures are rounded half up to the milligram. An hour without a line, or with an empty cell, has no value
// and ends a run. Zones come in the order of the file. The error, of KindInvalid,
// names the line.
func ReadCurves(r io.Reader) ([]ZoneCurve, error) {
	plain, err := gunzipped(r)
	if err != nil {
		return nil, err
	}
	t, err := openTable("list of hourly intensities", plain)
	if err != nil {
		return nil, err
	}
	wide := slices.Contains(t.header, columnWideHour)
	read := longLine
	if wide {
		read = wideLine
	}
	c := &curves{table: t, places: make(map[corehour.ZoneID]int)}
	if c.columns, err = c.findColumns(wide); err != nil {
		return nil, err
	}
	for {
		line, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, t.wrap(err)
		}
		if err := read(c, line); err != nil {
			return nil, t.errorf(line.line, "%s", err)
		}
	}
	zones := slices.DeleteFunc(c.zones, func(z ZoneCurve) bool { return len(z.Runs) == 0 })
	if len(zones) == 0 {
		return nil, t.errorf(0, "it has no value")
	}
	return zones, nil
}

// gunzipped is what a file holds, unpacked where it is gzip.
func gunzipped(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	mark, err := buffered.Peek(2)
	if err != nil || !bytes.Equal(mark, []byte{0x1f, 0x8b}) {
		return buffered, nil // a file too short to have the mark is read, and refused, as it is
	}
	unpacked, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, corehour.Errorf(corehour.KindInvalid, CodeBadTable, "list of hourly intensities: not gzip: %v", err)
	}
	return unpacked, nil
}

// curves gathers the zones of a list.
type curves struct {
	table   *table
	columns map[string]int
	zones   []ZoneCurve
	places  map[corehour.ZoneID]int // in zones
}

func (c *curves) findColumns(wide bool) (map[string]int, error) {
	if !wide {
		columns, err := c.table.required(columnLongHour, columnLongZone, columnLongGram)
		if err != nil {
			return nil, fmt.Errorf("%w (nor is there a column %s beside columns of zones)", err, columnWideHour)
		}
		return columns, nil
	}
	columns := make(map[string]int, len(c.table.header))
	for place, name := range c.table.header {
		if _, twice := columns[name]; twice {
			return nil, c.table.errorf(1, "there are two columns %s", name)
		}
		columns[name] = place
		if name == columnWideHour {
			continue
		}
		if _, err := c.zone(corehour.ZoneID(name)); err != nil {
			return nil, c.table.errorf(1, "%s", err)
		}
	}
	return columns, nil
}

// zone is the place of a zone, which is added where it is new.
func (c *curves) zone(id corehour.ZoneID) (int, error) {
	if place, known := c.places[id]; known {
		return place, nil
	}
	switch {
	case !corehour.ValidName(id):
		return 0, fmt.Errorf("%.40q is not the name of a grid zone", id)
	case len(c.zones) == corehour.MaxZones:
		return 0, fmt.Errorf("there are more than %d zones", corehour.MaxZones)
	}
	c.places[id] = len(c.zones)
	c.zones = append(c.zones, ZoneCurve{Zone: id})
	return len(c.zones) - 1, nil
}

func wideLine(c *curves, line row) error {
	hour, err := parseHour(line.fields[c.columns[columnWideHour]])
	if err != nil {
		return err
	}
	for place, name := range c.table.header {
		if name == columnWideHour {
			continue
		}
		if err := c.add(c.places[corehour.ZoneID(name)], hour, line.fields[place]); err != nil {
			return err
		}
	}
	return nil
}

func longLine(c *curves, line row) error {
	hour, err := parseHour(line.fields[c.columns[columnLongHour]])
	if err != nil {
		return err
	}
	zone, err := c.zone(corehour.ZoneID(line.fields[c.columns[columnLongZone]]))
	if err != nil {
		return err
	}
	return c.add(zone, hour, line.fields[c.columns[columnLongGram]])
}

// add puts an hour behind the last one of a zone.
func (c *curves) add(zone int, hour corehour.Minute, figure string) error {
	if figure == "" {
		return nil
	}
	z := &c.zones[zone]
	value, err := parseIntensity(figure)
	if err != nil {
		return fmt.Errorf("%s: %w", z.Zone, err)
	}
	if n := len(z.Runs); n > 0 {
		last := &z.Runs[n-1]
		switch end := last.To(); {
		case hour < end:
			return fmt.Errorf("%s: the hour %s is not after the one before", z.Zone, hour)
		case hour == end:
			last.Values = append(last.Values, value)
			return nil
		}
	}
	z.Runs = append(z.Runs, Run{From: hour, Values: []corehour.Intensity{value}})
	return nil
}

// hourLayouts are how lists write an hour; those without a zone are UTC.
var hourLayouts = [...]string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC3339}

func parseHour(s string) (corehour.Minute, error) {
	for _, layout := range hourLayouts {
		at, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		m, err := corehour.MinuteOf(at)
		if err != nil || m < 0 || m%corehour.Minute(corehour.MinutesPerHour) != 0 {
			return 0, fmt.Errorf("%.40q is not a whole hour from 1970 on", s)
		}
		return m, nil
	}
	return 0, fmt.Errorf("%.40q is not a time like 2024-01-31 13:00:00 or 2024-01-31T13:00:00Z", s)
}

// parseIntensity reads gCO2e per kilowatt-hour, rounded half up to the milligram.
func parseIntensity(s string) (corehour.Intensity, error) {
	grams, err := parsePlain(s)
	if err != nil {
		return 0, err
	}
	milligrams, ok := wholeOf(grams.Shift(milligramsPerGram).Round(0)) // half away from zero: up, as grams are not negative
	if !ok || corehour.Intensity(milligrams) > corehour.MaxIntensity {
		return 0, fmt.Errorf("%s gCO2e/kWh is above %s", s, corehour.MaxIntensity)
	}
	return corehour.Intensity(milligrams), nil
}

// Mean is the mean over all hours that have a value, rounded half up to the
// milligram. It stands for the hours that have none.
func (z *ZoneCurve) Mean() corehour.Intensity {
	var sum, hours uint64
	for _, run := range z.Runs {
		for _, v := range run.Values {
			sum += uint64(v)
		}
		hours += uint64(len(run.Values))
	}
	return corehour.Intensity((sum + hours/2) / hours)
}

// Shift moves the curve in time by whole hours, later where they are above zero.
func (z *ZoneCurve) Shift(by corehour.Minutes) {
	if by%corehour.MinutesPerHour != 0 {
		panic("providers: a curve moves by whole hours")
	}
	for i := range z.Runs {
		z.Runs[i].From = z.Runs[i].From.Add(by)
	}
}

// Pieces are the hours of the curve within [from, to), which are on the hour, in
// runs of at most so many hours.
func (z *ZoneCurve) Pieces(from, to corehour.Minute, hours int) []Run {
	var pieces []Run
	for _, run := range z.Runs {
		low, high := max(run.From, from), min(run.To(), to)
		for low < high {
			end := min(high, low.Add(corehour.Minutes(hours)*corehour.MinutesPerHour))
			pieces = append(pieces, Run{From: low, Values: run.Values[hourOf(run, low):hourOf(run, end)]})
			low = end
		}
	}
	return pieces
}

func hourOf(r Run, m corehour.Minute) int {
	return int(m.Sub(r.From) / corehour.MinutesPerHour)
}
