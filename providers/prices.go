package providers

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/corehour/corehour"
)

// CodeUnknownMachine is the code of a machine type without figures.
const CodeUnknownMachine corehour.Code = "unknown_machine"

// RegionPrice is what a vCPU-hour costs in a region.
type RegionPrice struct {
	Region      corehour.Region
	OnDemand    corehour.Price
	Preemptible corehour.Price
}

// Columns of a price list.
const (
	columnRegion      = "region"
	columnMachine     = "machine_type"
	columnVCPUs       = "vcpus"
	columnOnDemand    = "usd_per_hour_ondemand"
	columnPreemptible = "usd_per_hour_preemptible"
	columnCountry     = "country"
	columnContinent   = "continent"
	columnZone        = "zone"
)

// namedMachines is how many machine types an error names.
const namedMachines = 5

// ReadPrices reads the prices of one machine type from a price list, a CSV with
// the columns region, machine_type, vcpus, usd_per_hour_ondemand and
// usd_per_hour_preemptible. Each price is divided by the machine's vCPUs and
// rounded down to the tick. The result is sorted by region and not empty.
//
// Regions are looked up in the catalogue. For others the list needs the columns
// country, continent and zone; where a line fills them in, they go before the
// catalogue. Lines of other machine types are not looked at. Errors, of
// KindInvalid, name the line.
func ReadPrices(r io.Reader, machine string) ([]RegionPrice, error) {
	t, err := openTable("price list", r)
	if err != nil {
		return nil, err
	}
	reader := priceReader{table: t, lines: make(map[corehour.RegionID]int)}
	if reader.columns, err = t.required(columnRegion, columnMachine, columnVCPUs, columnOnDemand, columnPreemptible); err != nil {
		return nil, err
	}
	if err := reader.findPlaces(); err != nil {
		return nil, err
	}
	others := make(map[string]struct{})
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, t.wrap(err)
		}
		if name := row.fields[reader.columns[columnMachine]]; name != machine {
			others[name] = struct{}{}
			continue
		}
		if err := reader.take(row); err != nil {
			return nil, err
		}
	}
	if len(reader.prices) == 0 {
		return nil, unknownMachine(machine, others)
	}
	slices.SortFunc(reader.prices, func(a, b RegionPrice) int { return cmp.Compare(a.Region.ID, b.Region.ID) })
	return reader.prices, nil
}

// priceReader gathers the lines of one machine type.
type priceReader struct {
	table     *table
	columns   map[string]int
	place     map[string]int // of the optional columns; nil where the list has none
	catalogue map[corehour.RegionID]corehour.Region
	lines     map[corehour.RegionID]int
	prices    []RegionPrice
}

// findPlaces finds where regions are: in the catalogue and in columns that a
// list either has all three of or none.
func (p *priceReader) findPlaces() error {
	catalogue, err := Catalogue()
	if err != nil {
		return err
	}
	p.catalogue = make(map[corehour.RegionID]corehour.Region, len(catalogue))
	for _, region := range catalogue {
		p.catalogue[region.ID] = region
	}
	for _, name := range []string{columnCountry, columnContinent, columnZone} {
		if slices.ContainsFunc(p.table.header, func(s string) bool { return strings.EqualFold(s, name) }) {
			p.place, err = p.table.required(columnCountry, columnContinent, columnZone)
			return err
		}
	}
	return nil
}

func (p *priceReader) take(row row) error {
	region, err := p.regionOf(row)
	if err != nil {
		return err
	}
	if earlier, twice := p.lines[region.ID]; twice {
		return p.table.errorf(row.line, "the region %s has this machine type already in line %d", region.ID, earlier)
	}
	if len(p.lines) == corehour.MaxRegions {
		return p.table.errorf(row.line, "there are more than %d regions", corehour.MaxRegions)
	}
	p.lines[region.ID] = row.line
	vcpus, err := strconv.ParseInt(row.fields[p.columns[columnVCPUs]], 10, 64)
	if err != nil || vcpus < 1 || vcpus > int64(corehour.MaxUnits) {
		return p.table.errorf(row.line, "%s is not a whole number of vCPUs: %.40q", columnVCPUs, row.fields[p.columns[columnVCPUs]])
	}
	price := RegionPrice{Region: region}
	if price.OnDemand, err = p.priceOf(row, columnOnDemand, vcpus); err != nil {
		return err
	}
	if price.Preemptible, err = p.priceOf(row, columnPreemptible, vcpus); err != nil {
		return err
	}
	p.prices = append(p.prices, price)
	return nil
}

func (p *priceReader) priceOf(row row, column string, vcpus int64) (corehour.Price, error) {
	field := row.fields[p.columns[column]]
	if field == "" {
		return 0, p.table.errorf(row.line, "%s is empty", column)
	}
	perHour, err := parsePlain(field)
	if err != nil {
		return 0, p.table.errorf(row.line, "%s: %s", column, err)
	}
	price, err := floorToTick(perHour, vcpus)
	if err != nil {
		return 0, p.table.errorf(row.line, "%s: %s", column, err)
	}
	if price == 0 {
		return 0, p.table.errorf(row.line, "%s is %s for %d vCPUs, less than the smallest price %s of each",
			column, perHour, vcpus, corehour.Tick)
	}
	return price, nil
}

func (p *priceReader) regionOf(row row) (corehour.Region, error) {
	id := corehour.RegionID(row.fields[p.columns[columnRegion]])
	if !corehour.ValidName(id) {
		return corehour.Region{}, p.table.errorf(row.line, "not the name of a region: %.40q", id)
	}
	if p.place != nil {
		given := corehour.Region{
			ID: id, Country: row.fields[p.place[columnCountry]],
			Continent: row.fields[p.place[columnContinent]], Zone: corehour.ZoneID(row.fields[p.place[columnZone]]),
		}
		if given.Country != "" || given.Continent != "" || given.Zone != "" {
			if why := checkPlace(given); why != "" {
				return corehour.Region{}, p.table.errorf(row.line, "%s", why)
			}
			return given, nil
		}
	}
	if known, ok := p.catalogue[id]; ok {
		return known, nil
	}
	return corehour.Region{}, p.table.errorf(row.line,
		"where the region %s lies is not known; add the columns %s (ISO code), %s and %s (of its electricity grid) to the list",
		id, columnCountry, columnContinent, columnZone)
}

// unknownMachine names the machine types of the list whose names are nearest to
// the one that is not in it.
func unknownMachine(machine string, others map[string]struct{}) error {
	names := slices.SortedFunc(maps.Keys(others), func(a, b string) int {
		return cmp.Or(cmp.Compare(commonPrefix(machine, b), commonPrefix(machine, a)), cmp.Compare(a, b))
	})
	if len(names) == 0 {
		return corehour.Errorf(corehour.KindInvalid, CodeUnknownMachine, "the price list has no machine types")
	}
	return corehour.Errorf(corehour.KindInvalid, CodeUnknownMachine,
		"the price list has no machine type %.40q; among its %d types are %s",
		machine, len(names), strings.Join(names[:min(len(names), namedMachines)], ", "))
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// PriceRange is the lowest preemptible and the highest on-demand price over all
// regions: what the users of a replay bid between. Prices is not empty.
func PriceRange(prices []RegionPrice) (lowest, highest corehour.Price, err error) {
	lowest, highest = prices[0].Preemptible, prices[0].OnDemand
	for _, p := range prices[1:] {
		lowest, highest = min(lowest, p.Preemptible), max(highest, p.OnDemand)
	}
	if lowest > highest {
		return 0, 0, corehour.Errorf(corehour.KindInvalid, CodeBadTable,
			"price list: the lowest preemptible price %s is above the highest on-demand price %s", lowest, highest)
	}
	return lowest, highest, nil
}
