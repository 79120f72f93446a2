package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/corehour/corehour"
)

// Power is what one vCPU of a machine draws, and the building around it.
type Power struct {
	MinWatts decimal.Decimal // idle
	MaxWatts decimal.Decimal // fully used
	// Utilisation is the share of the vCPU in use, 0 to 1.
	Utilisation decimal.Decimal
	// PUE is the power usage effectiveness: what the data centre draws for each
	// watt of its machines.
	PUE decimal.Decimal
	// Source says where the figures come from and what was assumed.
	Source string
}

// The assumptions of PowerOf, from the methodology of Cloud Carbon Footprint.
const (
	// assumedUtilisation is what stands for a utilisation that nobody measured.
	assumedUtilisation = "0.5"
	// gcpPUE is Google Cloud's power usage effectiveness.
	gcpPUE = "1.1"
)

// watts are Cloud Carbon Footprint's coefficients for Google Cloud
// (coefficients-gcp-use.csv): watts per vCPU, idle and fully used.
var watts = map[string]struct{ min, max string }{
	"Skylake":      {"0.6446044454253452", "3.8984738056304855"},
	"Broadwell":    {"0.7128342245989304", "3.3857473048128344"},
	"Haswell":      {"1.9005681818181814", "5.9688982156043195"},
	"EPYC 2nd Gen": {"0.4742621527777778", "1.5751872939814815"},
	"Cascade Lake": {"0.6389493581523519", "3.6424520285114035"},
	"Ivy Bridge":   {"3.0369270833333335", "8.199689511111112"},
	"Sandy Bridge": {"2.1694411458333334", "8.550185877430936"},
}

// processors are the microarchitectures that Cloud Carbon Footprint lists for a
// family of Google Cloud machines (gcp-instances.csv). Newer n2 machines run on
// Ice Lake, for which it has no coefficients; Cascade Lake stands for both.
var processors = map[string][]string{
	"a2":  {"Cascade Lake"}, // the GPUs draw more, and are not counted
	"c2":  {"Cascade Lake"},
	"e2":  {"Broadwell", "EPYC 2nd Gen", "Haswell", "Skylake"},
	"m1":  {"Broadwell", "Skylake"},
	"m2":  {"Cascade Lake"},
	"n1":  {"Broadwell", "Haswell", "Ivy Bridge", "Sandy Bridge", "Skylake"},
	"n2":  {"Cascade Lake"},
	"n2d": {"EPYC 2nd Gen"},
}

// PowerOf is what a vCPU of a Google Cloud machine type such as n2-standard-8
// draws, by Cloud Carbon Footprint. Where a family runs on several processors it
// is their mean, or their median where the outliers Sandy Bridge or Ivy Bridge
// are among them, as Cloud Carbon Footprint has it. Memory and disks are not
// counted. The error, of KindInvalid, names the families that are known.
func PowerOf(machine string) (Power, error) {
	family, _, _ := strings.Cut(machine, "-")
	names, ok := processors[family]
	if !ok {
		return Power{}, corehour.Errorf(corehour.KindInvalid, CodeUnknownMachine,
			"how much power %.40q draws is not known; the known machine families are %s",
			machine, strings.Join(slices.Sorted(maps.Keys(processors)), ", "))
	}
	var least, most []decimal.Decimal
	for _, name := range names {
		least = append(least, decimal.RequireFromString(watts[name].min))
		most = append(most, decimal.RequireFromString(watts[name].max))
	}
	middle, how := mean, "mean of "
	if slices.Contains(names, "Sandy Bridge") || slices.Contains(names, "Ivy Bridge") {
		middle, how = median, "median of "
	}
	if len(names) == 1 {
		how = ""
	}
	return Power{
		MinWatts: middle(least), MaxWatts: middle(most),
		Utilisation: decimal.RequireFromString(assumedUtilisation), PUE: decimal.RequireFromString(gcpPUE),
		Source: fmt.Sprintf("Cloud Carbon Footprint, GCP coefficients: %s%s; utilisation %s, PUE %s",
			how, strings.Join(names, " + "), assumedUtilisation, gcpPUE),
	}, nil
}

func mean(figures []decimal.Decimal) decimal.Decimal {
	return decimal.Sum(figures[0], figures[1:]...).DivRound(decimal.NewFromInt(int64(len(figures))), coefficientsDigits)
}

func median(figures []decimal.Decimal) decimal.Decimal {
	sorted := slices.SortedFunc(slices.Values(figures), decimal.Decimal.Cmp)
	return mean(sorted[(len(sorted)-1)/2 : len(sorted)/2+1])
}

// KilowattHours is what a vCPU consumes in an hour:
//
//	kWh = (MinWatts + Utilisation x (MaxWatts - MinWatts)) x PUE / 1000
func (p Power) KilowattHours() decimal.Decimal {
	drawn := p.MinWatts.Add(p.Utilisation.Mul(p.MaxWatts.Sub(p.MinWatts)))
	return drawn.Mul(p.PUE).Shift(-wattsPerKilowatt)
}

// Energy is what a vCPU consumes in an hour, rounded half up to the
// milliwatt-hour: what an offer states whose carbon is that of its grid zone.
func (p Power) Energy() (corehour.Energy, error) {
	milliwattHours, ok := wholeOf(p.KilowattHours().Shift(2 * wattsPerKilowatt).Round(0)) // half away from zero: up, as no machine gives energy
	if !ok || milliwattHours < 0 || corehour.Energy(milliwattHours) > corehour.MaxEnergy {
		return 0, fmt.Errorf("%s kWh per unit-hour is out of range", p.KilowattHours())
	}
	return corehour.Energy(milliwattHours), nil
}

// CarbonRate is what a vCPU-hour emits on a grid: its kilowatt-hours x the
// intensity, rounded half up to the milligram.
func (p Power) CarbonRate(g GridIntensity) (corehour.CarbonRate, error) {
	return roundToMilligram(p.KilowattHours().Mul(g.Grams()))
}
