package providers

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
)

var years = []string{"2019", "2020", "2021", "2022", "2023", "2024"}

func openData(t *testing.T, elem ...string) io.Reader {
	t.Helper()
	file, err := os.Open(testenv.DataFile(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

// rawTable reads a CSV file without any code of this package, its header first.
func rawTable(t *testing.T, elem ...string) [][]string {
	t.Helper()
	in := csv.NewReader(openData(t, elem...))
	in.FieldsPerRecord = -1
	lines, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func prices(t *testing.T, machine string) []RegionPrice {
	t.Helper()
	prices, err := ReadPrices(openData(t, "price", "gcp-vm-2024-03.derived.csv"), machine)
	if err != nil {
		t.Fatal(err)
	}
	return prices
}

func rat(t *testing.T, s string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("not a number: %q", s)
	}
	return r
}

// floor is r x scale rounded down.
func floor(r *big.Rat, scale int64) int64 {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt64(scale))
	return new(big.Int).Div(scaled.Num(), scaled.Denom()).Int64()
}

// TestMarket_EveryFigureFollowsFromTheSharedData computes the whole market anew,
// in fractions and from the raw files.
func TestMarket_EveryFigureFollowsFromTheSharedData(t *testing.T) {
	t.Parallel()
	market, err := Market()
	if err != nil {
		t.Fatal(err)
	}
	wattMin, wattMax := new(big.Rat), new(big.Rat)
	for _, f := range rawTable(t, "carbon", "ccf", "coefficients-gcp-use.csv") {
		if f[1] == "Cascade Lake" {
			wattMin, wattMax = rat(t, f[2]), rat(t, f[3])
		}
	}
	perUnitHour := new(big.Rat).Add(wattMin, wattMax)       // half of it at half utilisation
	perUnitHour.Mul(perUnitHour, big.NewRat(11, 2*10*1000)) // kWh
	energy := floor(new(big.Rat).Add(perUnitHour, big.NewRat(1, 2_000_000)), 1_000_000)
	intensity := make(map[string]string)
	for _, f := range rawTable(t, "carbon", "gcp-region-carbon", "2024.csv") {
		intensity[f[0]] = f[3]
	}
	i := 0
	lines := rawTable(t, "price", "gcp-vm-2024-03.derived.csv")
	slices.SortFunc(lines[1:], func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	for _, f := range lines {
		if f[1] != MarketMachine {
			continue
		}
		if i == len(market) || market[i].Region.ID != corehour.RegionID(f[0]) {
			t.Fatalf("row %d of the market is not %s", i, f[0])
		}
		m := market[i]
		i++
		eighth := big.NewRat(1, 8)
		onDemand := floor(new(big.Rat).Mul(rat(t, f[4]), eighth), 1_000_000) * 1_000
		preemptible := floor(new(big.Rat).Mul(rat(t, f[5]), eighth), 1_000_000) * 1_000
		grams := new(big.Rat).Mul(perUnitHour, rat(t, intensity[f[0]]))
		carbon := floor(grams.Add(grams, big.NewRat(1, 2_000)), 1_000)
		if int64(m.OnDemand) != onDemand || int64(m.Preemptible) != preemptible || int64(m.Carbon) != carbon ||
			int64(m.Energy) != energy || rat(t, m.Intensity.String()).Cmp(rat(t, intensity[f[0]])) != 0 {
			t.Errorf("%s: have %s, %s, %s, %d mg and %d mWh, want %d, %d, %s, %d mg and %d mWh", f[0],
				m.OnDemand, m.Preemptible, m.Intensity, m.Carbon, m.Energy, onDemand, preemptible, intensity[f[0]], carbon, energy)
		}
		if m.Sources.Price != MarketPriceSource || m.Sources.Carbon != MarketCarbonSource ||
			!strings.Contains(m.Sources.Power, "Cloud Carbon Footprint") {
			t.Errorf("%s: sources %+v", f[0], m.Sources)
		}
	}
	if i != 26 || len(market) != 26 {
		t.Errorf("%d of %d regions were compared", i, len(market))
	}
}

func TestMarket_GeneratorReproducesTheFile(t *testing.T) {
	t.Parallel()
	grid, _, err := ReadGridIntensity(openData(t, "carbon", "gcp-region-carbon", "2024.csv"))
	if err != nil {
		t.Fatal(err)
	}
	power, err := PowerOf(MarketMachine)
	if err != nil {
		t.Fatal(err)
	}
	market, err := BuildMarket(prices(t, MarketMachine), grid, power, Sources{Price: MarketPriceSource, Carbon: MarketCarbonSource})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := WriteMarket(&out, market); err != nil {
		t.Fatal(err)
	}
	if out.String() != string(marketCSV) {
		t.Error("market.csv is not what `go generate ./providers` writes")
	}
	read, err := Market()
	if err != nil || !slices.Equal(read, market) {
		t.Errorf("the file reads back differently: %v", err)
	}
}

func TestReadMarket_RefusesDamagedFigures(t *testing.T) {
	t.Parallel()
	text := string(marketCSV)
	for name, damaged := range map[string]string{
		"empty":           "",
		"no source":       strings.Replace(text, `"`+MarketPriceSource+`"`, "", 1),
		"off the tick":    strings.Replace(text, "0.056226", "0.0562265", 1),
		"price zero":      strings.Replace(text, "0.056226", "0", 1),
		"price no number": strings.Replace(text, "0.011254", "cheap", 1),
		"intensity":       strings.Replace(text, "439.29", "-1", 1),
		"carbon fraction": strings.Replace(text, ",1034,", ",1034.5,", 1),
		"energy zero":     strings.Replace(text, ",2.355,", ",0,", 1),
		"energy too fine": strings.Replace(text, ",2.355,", ",2.3547,", 1),
		"continent":       strings.Replace(text, "asia,TW", "atlantis,TW", 1),
		"column missing":  strings.Replace(text, "zone", "grid", 1),
		"too few columns": text + "asia-east9,TW\n",
	} {
		if _, err := readMarket(strings.NewReader(damaged)); corehour.CodeOf(err) != CodeBadTable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBuildMarket_NamesEveryRegionWithoutIntensity(t *testing.T) {
	t.Parallel()
	grid, _, err := ReadGridIntensity(openData(t, "carbon", "gcp-region-carbon", "2019.csv"))
	if err != nil {
		t.Fatal(err)
	}
	power, err := PowerOf(MarketMachine)
	if err != nil {
		t.Fatal(err)
	}
	_, err = BuildMarket(prices(t, MarketMachine), grid, power, Sources{})
	if err == nil || !strings.Contains(err.Error(), "australia-southeast2, europe-central2") {
		t.Errorf("have %v", err)
	}
}

func TestCatalogue_KnowsEveryRegionOfTheSharedData(t *testing.T) {
	t.Parallel()
	catalogue, err := Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	byID := make(map[string]corehour.Region)
	for _, r := range catalogue {
		byID[string(r.ID)] = r
	}
	named := make(map[string]bool)
	for _, f := range rawTable(t, "price", "gcp-vm-2024-03.derived.csv")[1:] {
		named[f[0]] = true
	}
	for _, year := range years {
		for _, f := range rawTable(t, "carbon", "gcp-region-carbon", year+".csv")[1:] {
			named[f[0]] = true
		}
	}
	for id := range named {
		if _, ok := byID[id]; !ok {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
	if len(named) != len(catalogue) {
		t.Errorf("the catalogue has %d regions, the data names %d", len(catalogue), len(named))
	}
	var zones map[string]string
	if err := json.NewDecoder(openData(t, "carbon", "gcp_dc_zonecode_mapper.json")).Decode(&zones); err != nil {
		t.Fatal(err)
	}
	for id, zone := range zones {
		if want := strings.Replace(zone, "AUS-", "AU-", 1); string(byID[id].Zone) != want {
			t.Errorf("%s is in the zone %s, want %s", id, byID[id].Zone, want)
		}
	}
}

func TestReadGridIntensity_ReadsEveryYear(t *testing.T) {
	t.Parallel()
	for _, year := range years {
		grid, refused, err := ReadGridIntensity(openData(t, "carbon", "gcp-region-carbon", year+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		lines := rawTable(t, "carbon", "gcp-region-carbon", year+".csv")[1:]
		if len(grid) != len(lines) || len(refused) != 0 {
			t.Errorf("%s: %d regions of %d lines, refused %v", year, len(grid), len(lines), refused)
		}
		for _, f := range lines {
			if got := grid[corehour.RegionID(f[0])]; rat(t, got.String()).Cmp(rat(t, f[3])) != 0 {
				t.Errorf("%s, %s: %s, want %s", year, f[0], got, f[3])
			}
		}
	}
}

func TestReadGridIntensity_RefusesLinesWithoutAFigureAndGoesOn(t *testing.T) {
	t.Parallel()
	grid, refused, err := ReadGridIntensity(strings.NewReader("\xef\xbb\xbf\"Google Cloud Region\", Location ,Google CFE,\"Grid carbon intensity (gCO2eq / kWh)\"\r\n" +
		"a1,\"Sao Paulo, Brazil\",,0\r\n" + // line 2
		"a2,,0.5,\r\n" +
		"a3,,0.5,n/a\r\n" +
		"\r\n" +
		"a4,,0.5,-5\r\n" + // line 6
		"a5,,0.5\r\n" +
		"a1,,0.5,7\r\n" +
		",,0.5,7\r\n" +
		"a6,,0.5,1e3\r\n" + // line 10
		"a7,,0.5,10000.000001\r\n" +
		"a8,,0.5,1.0000001\r\n" +
		"a9,\"x\"y,0.5,1\r\n" +
		"a10 , , 0.5 , 12.345678 "))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(grid, map[corehour.RegionID]GridIntensity{"a1": 0, "a10": 12_345_678}) {
		t.Errorf("have %v", grid)
	}
	var lines []int
	for _, r := range refused {
		if r.Why == "" {
			t.Errorf("line %d is refused without a reason", r.Line)
		}
		lines = append(lines, r.Line)
	}
	if want := []int{3, 4, 6, 7, 8, 9, 10, 11, 12, 13}; !slices.Equal(lines, want) {
		t.Errorf("refused %v, want lines %v", refused, want)
	}
}

func TestReadGridIntensity_RefusesOtherLists(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "\n\n", "region\nx\n", "region,grid carbon intensity (lb / MWh)\nx,1\n", "Grid carbon intensity (gCO2eq / kWh)\n1\n",
		"region,Google Cloud Region,Grid carbon intensity (gCO2eq / kWh)\nx,x,1\n", "\"region\n",
	} {
		_, _, err := ReadGridIntensity(strings.NewReader(text))
		if corehour.CodeOf(err) != CodeBadTable || corehour.KindOf(err) != corehour.KindInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadGridIntensity_EndsWhenAFileIsTooLarge(t *testing.T) {
	t.Parallel()
	head := "region,Grid carbon intensity (gCO2eq / kWh)\n"
	for name, r := range map[string]io.Reader{
		"bytes": io.MultiReader(strings.NewReader(head), endless("a,1,\""+strings.Repeat("x", 1<<20)+"\"\n")),
		"lines": io.MultiReader(strings.NewReader(head), endless("a,1\n")),
	} {
		if _, _, err := ReadGridIntensity(r); corehour.CodeOf(err) != CodeBadTable || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// endless repeats a text without end.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e) <= len(p) {
		n += copy(p[n:], e)
	}
	if n == 0 { // the text is longer than what is asked for
		for i := range p {
			p[i] = 'x'
		}
		n = len(p)
	}
	return n, nil
}

func TestPowerOf_AgreesWithCloudCarbonFootprint(t *testing.T) {
	t.Parallel()
	for _, f := range rawTable(t, "carbon", "ccf", "coefficients-gcp-use.csv")[1:] {
		w, ok := watts[f[1]]
		if ok && (w.min != f[2] || w.max != f[3]) {
			t.Errorf("%s draws %+v, want %s to %s", f[1], w, f[2], f[3])
		}
	}
	listed := make(map[string]map[string]bool)
	for _, f := range rawTable(t, "carbon", "ccf", "gcp-instances.csv")[1:] {
		family, _, _ := strings.Cut(f[1], "-")
		if listed[family] == nil {
			listed[family] = make(map[string]bool)
		}
		listed[family][f[2]] = true
	}
	for family, names := range processors {
		if got := slices.Sorted(maps.Keys(listed[family])); !slices.Equal(got, names) {
			t.Errorf("%s runs on %v, want %v", family, names, got)
		}
	}
}

func TestPowerOf_FamilyOfSeveralProcessorsIsTheirMeanOrMedian(t *testing.T) {
	t.Parallel()
	for machine, want := range map[string][2]string{
		"n2-standard-8": {"0.6389493581523519", "3.6424520285114035"},
		"m1-megamem-96": {"0.6787193350121378", "3.64211055522165995"},
		"e2-standard-4": {"0.9330672511550587", "3.707076655007280225"},
		"n1-standard-1": {"1.9005681818181814", "5.9688982156043195"},
	} {
		p, err := PowerOf(machine)
		if err != nil {
			t.Fatal(err)
		}
		if !p.MinWatts.Equal(decimal.RequireFromString(want[0])) || !p.MaxWatts.Equal(decimal.RequireFromString(want[1])) {
			t.Errorf("%s draws %s to %s W, want %v", machine, p.MinWatts, p.MaxWatts, want)
		}
	}
}

func TestPowerOf_UnknownFamilyIsRefused(t *testing.T) {
	t.Parallel()
	for _, machine := range []string{"", "z9-standard-1", "Standard_D2s_v5"} {
		if _, err := PowerOf(machine); corehour.CodeOf(err) != CodeUnknownMachine || !strings.Contains(err.Error(), "n2d") {
			t.Errorf("%q: %v", machine, err)
		}
	}
}

func TestCarbonRate_RoundsHalfUpToTheMilligram(t *testing.T) {
	t.Parallel()
	watt := Power{Utilisation: decimal.NewFromInt(1), PUE: decimal.NewFromInt(1), MaxWatts: decimal.NewFromInt(1)}
	for grams, want := range map[string]corehour.CarbonRate{
		"0": 0, "0.499999": 0, "0.5": 1, "1.499999": 1, "1.5": 2, "412.72": 413,
	} {
		g, err := ParseGridIntensity(grams) // one watt makes as many milligrams
		if err != nil {
			t.Fatal(err)
		}
		if got, err := watt.CarbonRate(g); err != nil || got != want {
			t.Errorf("%s g/kWh: %d mg, %v; want %d", grams, got, err, want)
		}
	}
	watt.MaxWatts = decimal.NewFromInt(1_000_000_000)
	if _, err := watt.CarbonRate(MaxGridIntensity); err == nil {
		t.Error("a rate out of range was accepted")
	}
	watt.MaxWatts = decimal.NewFromInt(-1)
	if _, err := watt.CarbonRate(MaxGridIntensity); err == nil {
		t.Error("a negative rate was accepted")
	}
}
