package orderbook_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/orderbook"
)

// Figures of the market of W4 to W6. Prices are in ticks of a millionth: about
// what a vCPU-hour costs.
const (
	loadLeastPrice   = 45_000
	loadPrices       = 10_000
	loadDays         = 30 // windows begin in these and are up to as long
	loadMostUnits    = 64 // of an offer
	loadMostWanted   = 16 // of a bid
	loadMostHours    = 72 // of a bid, and of the slack of its start
	loadCarbonPrices = 50 // 0, 4, .. 196 per tonne
	loadProviders    = 200
	loadConsumers    = 1_000
)

const (
	loadHour = corehour.Minute(corehour.MinutesPerHour)
	loadDay  = corehour.Minute(corehour.MinutesPerDay)
	// loadCurveHours covers the longest window.
	loadCurveHours = (2*loadDays + 4) * 24
	// loadPUE is the power usage effectiveness of the estimate, as a fraction.
	loadPUE = 1.1
)

// loadMarket makes offers and bids of a market of many regions with the hourly
// carbon intensities of June and July 2022. It draws from a seed, so two of the
// same seed make the same orders.
type loadMarket struct {
	now     corehour.Minute
	grid    *orderbook.Grid
	regions []orderbook.ZoneIndex
	energy  []corehour.Energy // by processor
	random  *rand.Rand
	arrival uint64
}

// seeded is the same market with random numbers of its own and no orders yet.
func (m *loadMarket) seeded(seed uint64) *loadMarket {
	other := *m
	other.random, other.arrival = rand.New(rand.NewPCG(seed, 0)), 0
	return &other
}

// newLoadMarket reads the shared data: the regions of the price list, the grid
// zone of each, the zones' curves and what processors draw.
func newLoadMarket(tb testing.TB) *loadMarket {
	tb.Helper()
	m := &loadMarket{
		now:  corehour.Minute(time.Date(2022, time.June, 1, 0, 0, 0, 0, time.UTC).Unix() / 60),
		grid: orderbook.NewGrid(), energy: loadEnergies(tb),
	}
	curves := m.readCurves(tb)
	zoneOf := readZones(tb)
	zones := map[string]orderbook.ZoneIndex{}
	for _, region := range readRegions(tb) {
		name := zoneOf[region]
		values := curves[name]
		if len(values) != loadCurveHours {
			tb.Fatalf("region %s: zone %q has %d hours", region, name, len(values))
		}
		zone, ok := zones[name]
		if !ok {
			zone = m.grid.AddZone(values[0])
			m.grid.Set(m.now, zone, m.now, values)
			zones[name] = zone
		}
		m.regions = append(m.regions, zone)
	}
	return m
}

func readTable(tb testing.TB, elem ...string) [][]string {
	tb.Helper()
	file, err := os.Open(testenv.DataFile(tb, elem...))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it is only read
	read := csv.NewReader(file)
	if name := elem[len(elem)-1]; name[len(name)-3:] == ".gz" {
		unpacked, err := gzip.NewReader(file)
		if err != nil {
			tb.Fatal(err)
		}
		read = csv.NewReader(unpacked)
	}
	rows, err := read.ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// readRegions are those that the price list has a price for, sorted.
func readRegions(tb testing.TB) []string {
	var regions []string
	for _, row := range readTable(tb, "price", "gcp-vm-2024-03.derived.csv")[1:] {
		regions = append(regions, row[0])
	}
	slices.Sort(regions)
	return slices.Compact(regions)
}

// readZones is the grid zone of each region, as the curves call it.
func readZones(tb testing.TB) map[string]string {
	tb.Helper()
	text, err := os.ReadFile(testenv.DataFile(tb, "carbon", "gcp_dc_zonecode_mapper.json"))
	if err != nil {
		tb.Fatal(err)
	}
	zones := map[string]string{}
	if err := json.Unmarshal(text, &zones); err != nil {
		tb.Fatal(err)
	}
	for region, zone := range zones {
		switch zone {
		case "AUS-NSW":
			zones[region] = "AU-NSW"
		case "AUS-VIC":
			zones[region] = "AU-VIC"
		}
	}
	return zones
}

// readCurves is the intensity of each zone from now on.
func (m *loadMarket) readCurves(tb testing.TB) map[string][]corehour.Intensity {
	tb.Helper()
	rows := readTable(tb, "carbon", "hourly-gCO2-kWh-2022-all-gcp-zones.derived.csv.gz")
	names, curves := rows[0][1:], map[string][]corehour.Intensity{}
	for _, row := range rows[1:] {
		hour, err := time.Parse(time.DateTime, row[0])
		if err != nil {
			tb.Fatal(err)
		}
		at := corehour.Minute(hour.Unix() / 60)
		if at < m.now || at >= m.now+loadCurveHours*loadHour {
			continue
		}
		for i, name := range names {
			value, err := corehour.ParseIntensity(row[i+1])
			if err != nil {
				tb.Fatalf("%s %s: %v", row[0], name, err)
			}
			curves[name] = append(curves[name], value)
		}
	}
	return curves
}

// loadEnergies is what a vCPU-hour draws on each processor, half in use.
func loadEnergies(tb testing.TB) []corehour.Energy {
	tb.Helper()
	var energies []corehour.Energy
	for _, row := range readTable(tb, "carbon", "ccf", "coefficients-gcp-use.csv")[1:] {
		least, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			tb.Fatal(err)
		}
		most, err := strconv.ParseFloat(row[3], 64)
		if err != nil {
			tb.Fatal(err)
		}
		energies = append(energies, corehour.Energy((least+most)/2*loadPUE*1_000))
	}
	return energies
}

// upTo is a random number from 1.
func (m *loadMarket) upTo(n int) int { return 1 + m.random.IntN(n) }

// price is one of 10,000 ticks from a price on.
func (m *loadMarket) price(least int) corehour.Price {
	return corehour.Price(least+m.random.IntN(loadPrices)) * corehour.Tick
}

// offer has a window of whole hours, from 1 hour to 30 days long, that begins
// within 30 days. One in eight has a least fill, one in eight a least duration,
// one in eight a take-or-pay share.
func (m *loadMarket) offer() orderbook.Offer {
	m.arrival++
	region := m.random.IntN(len(m.regions))
	provider := m.random.IntN(loadProviders)
	from := m.now + corehour.Minute(m.random.IntN(loadDays*24))*loadHour
	o := orderbook.Offer{
		ID: corehour.OfferID(m.arrival), Arrival: m.arrival,
		Provider: orderbook.ProviderIndex(provider), Org: orderbook.OrgIndex(provider),
		Region: orderbook.RegionIndex(region), Units: corehour.Units(m.upTo(loadMostUnits)),
		From: from, To: from + corehour.Minute(m.upTo(loadDays*24))*loadHour,
		Price:  m.price(loadLeastPrice),
		Carbon: orderbook.Carbon{Zone: m.regions[region], Energy: m.energy[m.random.IntN(len(m.energy))]},
		SLA:    corehour.SLA(m.upTo(3)), Interruptible: m.random.IntN(2) == 0, MinFill: 1, MinDuration: 1,
	}
	switch m.random.IntN(8) {
	case 0:
		o.MinFill = corehour.Units(m.upTo(min(int(o.Units), 8)))
	case 1:
		o.MinDuration = corehour.Minutes(m.upTo(24)) * corehour.MinutesPerHour
	case 2:
		o.TakeOrPay = corehour.BasisPoints(m.upTo(5) * 1_000)
	}
	return o
}

// bid needs whole hours. Its earliest start is on a quarter of an hour, and half
// of the bids have up to 72 hours to start in. A region set has 1 to 26 regions,
// each size as likely; a quarter wants all its units in one lease.
func (m *loadMarket) bid(leastLimit int) orderbook.Bid {
	m.arrival++
	hours := m.upTo(loadMostHours)
	earliest := m.now + corehour.Minute(m.random.IntN(loadDays*24*4))*(loadHour/4)
	bid := orderbook.Bid{
		ID: corehour.BidID(m.arrival), Arrival: m.arrival, Org: orderbook.OrgIndex(m.random.IntN(loadProviders + loadConsumers)),
		Units: corehour.Units(m.upTo(loadMostWanted)), Duration: corehour.Minutes(hours) * corehour.MinutesPerHour,
		EarliestStart: earliest, LatestEnd: earliest + corehour.Minute(hours)*loadHour,
		Limit: m.price(leastLimit), Regions: m.regionSet(), Providers: orderbook.ProviderSet{AllowAll: true},
		MaxCarbon:   orderbook.NoCarbonCap,
		CarbonPrice: corehour.CarbonPrice(m.random.IntN(loadCarbonPrices)*4) * corehour.NanoPerUnit,
		MinSLA:      corehour.SLA(m.upTo(3)), Interruptible: m.random.IntN(2) == 0,
		MaxTakeOrPay: corehour.BasisPoints(m.random.IntN(2) * 10_000),
		MinFill:      1, MaxLeases: corehour.MaxLeasesPerBid, TimeInForce: corehour.GoodTillCancelled,
	}
	if m.random.IntN(2) == 0 {
		bid.LatestEnd += corehour.Minute(m.upTo(loadMostHours)) * loadHour
	}
	if m.random.IntN(2) == 0 {
		// From what the cleanest grids reach to what the dirtiest ones do.
		bid.MaxCarbon = corehour.CarbonRate(50 + m.random.IntN(3_000))
	}
	if m.random.IntN(4) == 0 {
		bid.MinFill = bid.Units
	}
	return bid
}

func (m *loadMarket) regionSet() orderbook.RegionSet {
	var set orderbook.RegionSet
	for _, region := range m.random.Perm(len(m.regions))[:m.upTo(len(m.regions))] {
		set.Allow.Set(orderbook.RegionIndex(region))
	}
	return set
}

// only is a set of one region.
func only(region orderbook.RegionIndex) orderbook.RegionSet {
	var set orderbook.RegionSet
	set.Allow.Set(region)
	return set
}

// bids makes so many bids before any clock runs.
func (m *loadMarket) bids(n, leastLimit int) []orderbook.Bid {
	bids := make([]orderbook.Bid, n)
	for i := range bids {
		bids[i] = m.bid(leastLimit)
	}
	return bids
}

// book has n offers; each is given to seen with its reference, if that is not nil.
func (m *loadMarket) book(n int, seen func(orderbook.OfferRef, *orderbook.Offer)) *orderbook.Book {
	book := orderbook.New(m.grid)
	for range n {
		o := m.offer()
		ref, _ := book.PlaceOffer(m.now, &o)
		if seen != nil {
			seen(ref, &o)
		}
	}
	return book
}
