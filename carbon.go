package corehour

// CarbonRate is milligrams of CO2 equivalent per unit-hour.
type CarbonRate int64

// CarbonMass is milligrams of CO2 equivalent.
type CarbonMass int64

// Energy is what one unit draws in an hour, in milliwatt-hours: watts per vCPU x
// PUE x 1000.
type Energy int64

// Intensity is the carbon intensity of a grid, in milligrams of CO2 equivalent
// per kilowatt-hour.
type Intensity int64

// Limits of carbon figures. MaxEnergy x MaxIntensity is MaxCarbonRate.
const (
	// MaxCarbonRate bounds a carbon figure at a tonne per unit-hour, far above any
	// real machine.
	MaxCarbonRate CarbonRate = 1_000_000_000
	// MaxEnergy is 100 kWh per unit-hour, a rack.
	MaxEnergy Energy = 100_000_000
	// MaxIntensity is 10 kg per kWh; the dirtiest grids have 1 to 2.
	MaxIntensity Intensity = 10_000_000
)

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

// ParseEnergy reads watt-hours as a decimal with at most three fractional digits.
func ParseEnergy(s string) (Energy, error) {
	n, err := parseFixed(s, gramDigits)
	return Energy(n), err
}

// ParseIntensity reads grams of CO2 equivalent per kilowatt-hour as a decimal
// with at most three fractional digits.
func ParseIntensity(s string) (Intensity, error) {
	n, err := parseFixed(s, gramDigits)
	return Intensity(n), err
}

// String is the energy in watt-hours.
func (e Energy) String() string { return formatFixed(int64(e), gramDigits) }

// String is the intensity in grams per kilowatt-hour.
func (i Intensity) String() string { return formatFixed(int64(i), gramDigits) }

// MarshalJSON writes watt-hours as a decimal string.
func (e Energy) MarshalJSON() ([]byte, error) { return quoteFixed(int64(e), gramDigits), nil }

// MarshalJSON writes grams per kilowatt-hour as a decimal string.
func (i Intensity) MarshalJSON() ([]byte, error) { return quoteFixed(int64(i), gramDigits), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Energy) UnmarshalJSON(b []byte) error { return unquoteFixed(b, gramDigits, (*int64)(e)) }

// UnmarshalJSON reads what MarshalJSON writes.
func (i *Intensity) UnmarshalJSON(b []byte) error { return unquoteFixed(b, gramDigits, (*int64)(i)) }

// Emitted is the mass that used CPU time caused at a rate, rounded down to the
// milligram: rate x microseconds / 3.6e9.
func Emitted(r CarbonRate, used CPUTime) CarbonMass {
	return CarbonMass(mulDiv(int64(r), int64(used), int64(CPUHour)))
}

// Kilograms writes the mass in kilograms.
func (m CarbonMass) Kilograms() string { return formatFixed(int64(m), kilogramDigits) }
