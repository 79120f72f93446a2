package corehour

// CarbonRate is milligrams of CO2 equivalent per unit-hour.
type CarbonRate int64

// CarbonMass is milligrams of CO2 equivalent.
type CarbonMass int64

// MaxCarbonRate bounds a carbon figure at a tonne per unit-hour, far above any
// real machine.
const MaxCarbonRate CarbonRate = 1_000_000_000

const (
	gramDigits     = 3
	kilogramDigits = 6
)

// ParseCarbonRate reads grams of CO2 equivalent per unit-hour as a decimal with
// at most three fractional digits.
func ParseCarbonRate(s string) (CarbonRate, error) {
	n, err := parseFixed(s, gramDigits)
	return CarbonRate(n), err
}

// String is the rate in grams per unit-hour.
func (r CarbonRate) String() string { return formatFixed(int64(r), gramDigits) }

// MarshalJSON writes grams per unit-hour as a decimal string.
func (r CarbonRate) MarshalJSON() ([]byte, error) { return quoteFixed(int64(r), gramDigits), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (r *CarbonRate) UnmarshalJSON(b []byte) error {
	return unquoteFixed(b, gramDigits, (*int64)(r))
}

// Emitted is the mass that used CPU time caused at a rate, rounded down to the
// milligram: rate x microseconds / 3.6e9.
func Emitted(r CarbonRate, used CPUTime) CarbonMass {
	return CarbonMass(mulDiv(int64(r), int64(used), int64(CPUHour)))
}

// Kilograms writes the mass in kilograms.
func (m CarbonMass) Kilograms() string { return formatFixed(int64(m), kilogramDigits) }
