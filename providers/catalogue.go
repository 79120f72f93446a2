package providers

import (
	"bytes"
	_ "embed" // the catalogue is part of the program
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

//go:embed regions.csv
var regionsCSV []byte

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

// Catalogue is every Google Cloud region that the price list or a carbon list
// names, sorted by id: its country, its continent and the electricity grid zone
// that its power comes from, by the names of Electricity Maps.
func Catalogue() ([]corehour.Region, error) {
	t, err := openTable("regions.csv", bytes.NewReader(regionsCSV))
	if err != nil {
		return nil, err
	}
	columns, err := t.required(columnRegion, columnCountry, columnContinent, columnZone)
	if err != nil {
		return nil, err
	}
	var regions []corehour.Region
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, t.wrap(err)
		}
		region := corehour.Region{
			ID:        corehour.RegionID(row.fields[columns[columnRegion]]),
			Country:   row.fields[columns[columnCountry]],
			Continent: row.fields[columns[columnContinent]],
			Zone:      corehour.ZoneID(row.fields[columns[columnZone]]),
		}
		if why := checkPlace(region); why != "" {
			return nil, t.errorf(row.line, "%s", why)
		}
		if len(regions) > 0 && regions[len(regions)-1].ID >= region.ID {
			return nil, t.errorf(row.line, "the regions are not sorted")
		}
		regions = append(regions, region)
	}
	return regions, nil
}

// checkPlace says what is wrong with where a region lies, if anything is.
func checkPlace(r corehour.Region) (why string) {
	switch {
	case !corehour.ValidName(r.ID):
		return "not the name of a region"
	case !countryCode.MatchString(r.Country):
		return columnCountry + " is not a code of two capital letters"
	case !slices.Contains(corehour.Continents[:], r.Continent):
		return columnContinent + " is not one of " + strings.Join(corehour.Continents[:], ", ")
	case !corehour.ValidName(r.Zone):
		return columnZone + " is not the name of a grid zone"
	}
	return ""
}
