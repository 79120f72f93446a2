package providers

import (
	"bytes"
	_ "embed" // the demonstration market is part of the program
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/corehour/corehour"
)

//go:generate go run ./internal/genmarket

//go:embed market.csv
var marketCSV []byte

// MarketRegion is what a vCPU-hour costs in a region, and what it emits.
type MarketRegion struct {
	RegionPrice
	Intensity GridIntensity
	Carbon    corehour.CarbonRate
	Energy    corehour.Energy // of a vCPU-hour; with an hour's intensity it gives that hour's carbon
	Sources   Sources
}

// Sources name where the figures of a market come from.
type Sources struct {
	Price  string
	Carbon string // of the grid's intensity
	Power  string // of the vCPU and its energy; with the intensity it gives the carbon rate
}

// The sources of Market.
const (
	// MarketMachine is the machine type that Market's prices are of.
	MarketMachine = "n2-standard-8"
	// MarketPriceSource and MarketCarbonSource are written beside its figures.
	MarketPriceSource  = "Google Cloud price list 2024-03, n2-standard-8 / 8 vCPUs, USD"
	MarketCarbonSource = "Google region-carbon-info 2024 (Apache-2.0), grid carbon intensity"
)

// BuildMarket joins prices with the carbon of their regions' grids, in the
// prices' order. It fills in sources.Power. The error, of KindInvalid, names
// every region without an intensity.
func BuildMarket(prices []RegionPrice, grid map[corehour.RegionID]GridIntensity, power Power, sources Sources) ([]MarketRegion, error) {
	sources.Power = power.Source
	energy, err := power.Energy()
	if err != nil {
		return nil, corehour.Errorf(corehour.KindInvalid, CodeUnknownMachine, "power: %s", err)
	}
	var market []MarketRegion
	var missing []string
	for _, price := range prices {
		intensity, ok := grid[price.Region.ID]
		if !ok {
			missing = append(missing, string(price.Region.ID))
			continue
		}
		rate, err := power.CarbonRate(intensity)
		if err != nil {
			return nil, corehour.Errorf(corehour.KindInvalid, CodeBadTable, "carbon list: %s: %s", price.Region.ID, err)
		}
		market = append(market, MarketRegion{RegionPrice: price, Intensity: intensity, Carbon: rate, Energy: energy, Sources: sources})
	}
	if len(missing) > 0 {
		return nil, corehour.Errorf(corehour.KindInvalid, CodeBadTable,
			"carbon list: no usable grid intensity for %d of the %d priced regions: %s",
			len(missing), len(prices), strings.Join(missing, ", "))
	}
	return market, nil
}

// Columns of market.csv that the price list does not have.
const (
	columnMarketOnDemand    = "usd_per_vcpu_hour_ondemand"
	columnMarketPreemptible = "usd_per_vcpu_hour_preemptible"
	columnPriceSource       = "price_source"
	columnIntensity         = "grid_gco2e_per_kwh"
	columnCarbonSource      = "carbon_source"
	columnCarbon            = "mgco2e_per_vcpu_hour"
	columnEnergy            = "wh_per_vcpu_hour"
	columnPowerSource       = "power_source"
)

var marketColumns = []string{
	columnRegion, columnCountry, columnContinent, columnZone,
	columnMarketOnDemand, columnMarketPreemptible, columnPriceSource,
	columnIntensity, columnCarbonSource, columnCarbon, columnEnergy, columnPowerSource,
}

// WriteMarket writes what Market reads.
func WriteMarket(w io.Writer, market []MarketRegion) error {
	out := csv.NewWriter(w)
	lines := [][]string{marketColumns}
	for _, m := range market {
		lines = append(lines, []string{
			string(m.Region.ID), m.Region.Country, m.Region.Continent, string(m.Region.Zone),
			m.OnDemand.String(), m.Preemptible.String(), m.Sources.Price,
			m.Intensity.String(), m.Sources.Carbon, formatMilligrams(m.Carbon), m.Energy.String(), m.Sources.Power,
		})
	}
	return out.WriteAll(lines)
}

// Market is the demonstration market: the regions of the price list with their
// figures of MarketMachine, sorted by region.
func Market() ([]MarketRegion, error) { return readMarket(bytes.NewReader(marketCSV)) }

func readMarket(r io.Reader) ([]MarketRegion, error) {
	t, err := openTable("market.csv", r)
	if err != nil {
		return nil, err
	}
	columns, err := t.required(marketColumns...)
	if err != nil {
		return nil, err
	}
	var market []MarketRegion
	for {
		row, err := t.next()
		if errors.Is(err, io.EOF) {
			return market, nil
		}
		if err != nil {
			return nil, t.wrap(err)
		}
		region, err := readMarketRegion(func(column string) string { return row.fields[columns[column]] })
		if err != nil {
			return nil, t.errorf(row.line, "%s", err)
		}
		market = append(market, region)
	}
}

func readMarketRegion(field func(column string) string) (m MarketRegion, err error) {
	m.Region = corehour.Region{
		ID: corehour.RegionID(field(columnRegion)), Country: field(columnCountry),
		Continent: field(columnContinent), Zone: corehour.ZoneID(field(columnZone)),
	}
	if why := checkPlace(m.Region); why != "" {
		return m, errors.New(why)
	}
	m.Sources = Sources{Price: field(columnPriceSource), Carbon: field(columnCarbonSource), Power: field(columnPowerSource)}
	if m.Sources.Price == "" || m.Sources.Carbon == "" || m.Sources.Power == "" {
		return m, errors.New("a figure without its source")
	}
	if m.OnDemand, err = corehour.ParsePrice(field(columnMarketOnDemand)); err != nil {
		return m, err
	}
	if m.Preemptible, err = corehour.ParsePrice(field(columnMarketPreemptible)); err != nil {
		return m, err
	}
	if m.OnDemand <= 0 || m.Preemptible <= 0 || !m.OnDemand.OnTick() || !m.Preemptible.OnTick() {
		return m, errors.New("a price that is not above zero and on the tick")
	}
	if m.Intensity, err = ParseGridIntensity(field(columnIntensity)); err != nil {
		return m, err
	}
	if m.Carbon, err = parseMilligrams(field(columnCarbon)); err != nil {
		return m, err
	}
	m.Energy, err = parseEnergy(field(columnEnergy))
	return m, err
}
