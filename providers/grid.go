package providers

import (
	"errors"
	"io"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/corehour/corehour"
)

// GridIntensity is micrograms of CO2 equivalent per kilowatt-hour from a grid.
type GridIntensity int64

// MaxGridIntensity is 10 kg per kilowatt-hour, several times the dirtiest grid.
const MaxGridIntensity GridIntensity = 10_000_000_000

// Grams is the intensity in gCO2e per kilowatt-hour.
func (g GridIntensity) Grams() decimal.Decimal { return decimal.New(int64(g), -microgramsPerGram) }

// String is the intensity in gCO2e per kilowatt-hour.
func (g GridIntensity) String() string { return g.Grams().String() }

// Intensity is the intensity as an exchange takes it, rounded half up to the
// milligram.
func (g GridIntensity) Intensity() corehour.Intensity {
	const microgramsPerMilligram = 1000
	return corehour.Intensity((int64(g) + microgramsPerMilligram/2) / microgramsPerMilligram)
}

// ParseGridIntensity reads gCO2e per kilowatt-hour, a plain decimal with at most
// six fractional digits.
func ParseGridIntensity(s string) (GridIntensity, error) {
	grams, err := parsePlain(s)
	if err != nil {
		return 0, err
	}
	micrograms, ok := wholeOf(grams.Shift(microgramsPerGram))
	if !ok || GridIntensity(micrograms) > MaxGridIntensity {
		return 0, corehour.Errorf(corehour.KindInvalid, CodeBadTable, "%s gCO2e/kWh is out of range or has more than six fractional digits", s)
	}
	return GridIntensity(micrograms), nil
}

// RefusedLine is a line of a source whose figure was not taken, and why.
type RefusedLine struct {
	Line   int
	Region corehour.RegionID // empty where it could not be read
	Why    string
}

// ReadGridIntensity reads a yearly list of Google's region carbon data, a CSV
// with the columns "Google Cloud Region" (or "region") and "Grid carbon
// intensity (gCO2eq / kWh)"; the lists of 2019 and 2020 call the latter
// "Lifecycle grid carbon intensity", which counts the building of power stations
// too. A line without a usable figure is refused and reported, and so is a
// region's second line; the regions of refused lines are not in the map. The
// error, of KindInvalid, says that the file as a whole is no such list.
func ReadGridIntensity(r io.Reader) (map[corehour.RegionID]GridIntensity, []RefusedLine, error) {
	t, err := openTable("carbon list", r)
	if err != nil {
		return nil, nil, err
	}
	region, err := t.column(func(s string) bool { return s == "google cloud region" || s == "region" })
	if err != nil {
		return nil, nil, err
	}
	intensity, err := t.column(isIntensity)
	if err != nil {
		return nil, nil, err
	}
	if region < 0 || intensity < 0 {
		return nil, nil, t.errorf(1, "no columns of regions and of grid carbon intensity in gCO2eq / kWh; there are %s",
			strings.Join(t.header, ", "))
	}
	grid := make(map[corehour.RegionID]GridIntensity)
	var refused []RefusedLine
	for {
		row, err := t.next()
		var bad *errLine
		switch {
		case errors.Is(err, io.EOF):
			return grid, refused, nil
		case errors.As(err, &bad):
			refused = append(refused, RefusedLine{Line: bad.line, Why: bad.why})
			continue
		case err != nil:
			return nil, nil, err
		}
		id := corehour.RegionID(row.fields[region])
		g, why := readIntensity(grid, id, row.fields[intensity])
		if why != "" {
			refused = append(refused, RefusedLine{Line: row.line, Region: id, Why: why})
			continue
		}
		grid[id] = g
	}
}

// isIntensity recognises the column by its unit too, so that a list in another
// unit is not read as if it were in this one.
func isIntensity(name string) bool {
	compact := strings.ReplaceAll(name, " ", "")
	return strings.Contains(compact, "gridcarbonintensity") && strings.Contains(compact, "(gco2eq/kwh)")
}

func readIntensity(grid map[corehour.RegionID]GridIntensity, id corehour.RegionID, field string) (g GridIntensity, why string) {
	if !corehour.ValidName(id) {
		return 0, "not the name of a region"
	}
	if field == "" {
		return 0, "no intensity is given"
	}
	g, err := ParseGridIntensity(field)
	if err != nil {
		return 0, err.Error()
	}
	if _, twice := grid[id]; twice {
		return 0, "the region has a line before this one"
	}
	return g, ""
}
