package providers

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/corehour/corehour"
)

// plainDecimal is what a figure of a source looks like. Signs and exponents are
// refused: none of these figures can be negative, and an exponent can name a
// number that no memory holds.
var plainDecimal = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,30})?$`)

// parsePlain reads a figure exactly.
func parsePlain(s string) (decimal.Decimal, error) {
	if !plainDecimal.MatchString(s) {
		return decimal.Decimal{}, fmt.Errorf("not a plain decimal number: %.40q", s)
	}
	return decimal.NewFromString(s)
}

// Powers of ten between the units of figures.
const (
	milligramsPerGram  = 3
	microgramsPerGram  = 6
	ticksPerUnit       = 6 // corehour.Tick is 1e-6 of the currency
	wattsPerKilowatt   = 3
	coefficientsDigits = 40 // far beyond what decides a milligram
)

// floorToTick is a price per hour of so many units, divided by the units and
// rounded down to the tick, for the buyer.
func floorToTick(perHour decimal.Decimal, units int64) (corehour.Price, error) {
	scaled := perHour.Shift(ticksPerUnit)
	// Both are whole numbers over the same power of ten, so this is exact.
	ticks, _ := scaled.QuoRem(decimal.NewFromInt(units), 0)
	most := decimal.NewFromInt(int64(corehour.MaxPrice / corehour.Tick))
	if ticks.GreaterThan(most) {
		return 0, fmt.Errorf("%s per unit-hour is above the largest price", ticks.Shift(-ticksPerUnit))
	}
	return corehour.Price(ticks.IntPart()) * corehour.Tick, nil
}

// roundToMilligram is grams of CO2 equivalent per unit-hour, rounded half up to
// the milligram. It is the only rounding of a carbon rate.
func roundToMilligram(grams decimal.Decimal) (corehour.CarbonRate, error) {
	milligrams := grams.Shift(milligramsPerGram).Round(0) // half away from zero: up, as grams are not negative
	if grams.IsNegative() || milligrams.GreaterThan(decimal.NewFromInt(int64(corehour.MaxCarbonRate))) {
		return 0, fmt.Errorf("%s g of CO2 equivalent per unit-hour is out of range", grams)
	}
	return corehour.CarbonRate(milligrams.IntPart()), nil
}

// wholeOf is a decimal that must be a whole number of int64.
func wholeOf(d decimal.Decimal) (int64, bool) {
	if !d.IsInteger() || !d.BigInt().IsInt64() {
		return 0, false
	}
	return d.IntPart(), true
}

// parseMilligrams reads a carbon rate as whole milligrams.
func parseMilligrams(s string) (corehour.CarbonRate, error) {
	d, err := parsePlain(s)
	if err != nil {
		return 0, err
	}
	milligrams, ok := wholeOf(d)
	if !ok || corehour.CarbonRate(milligrams) > corehour.MaxCarbonRate {
		return 0, fmt.Errorf("not whole milligrams in range: %.40q", s)
	}
	return corehour.CarbonRate(milligrams), nil
}

// parseEnergy reads watt-hours per unit-hour, above zero.
func parseEnergy(s string) (corehour.Energy, error) {
	energy, err := corehour.ParseEnergy(s)
	if err != nil {
		return 0, err
	}
	if energy <= 0 || energy > corehour.MaxEnergy {
		return 0, fmt.Errorf("not watt-hours in range: %.40q", s)
	}
	return energy, nil
}

// formatMilligrams writes what parseMilligrams reads.
func formatMilligrams(r corehour.CarbonRate) string { return strconv.FormatInt(int64(r), 10) }
