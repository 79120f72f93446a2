package corehour

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Money is an amount of the exchange's one currency in nano-units (1e-9).
// The range is about plus and minus 9.2 billion currency units.
type Money int64

// Price is nano-units of the currency per unit-hour.
type Price int64

// CarbonPrice is nano-units of the currency per tonne of CO2 equivalent.
type CarbonPrice int64

// Scales and limits of money.
const (
	NanoPerUnit = 1_000_000_000

	// Tick is the smallest step of a price: 1e-6 of the currency per unit-hour.
	Tick Price = 1_000

	// MaxPrice bounds a price at a million currency units per unit-hour.
	MaxPrice Price = 1_000_000 * NanoPerUnit

	// MaxCarbonPrice bounds a carbon price at a million currency units per tonne.
	MaxCarbonPrice CarbonPrice = 1_000_000 * NanoPerUnit

	// MaxMoney bounds one amount that a command may carry: a billion currency units.
	MaxMoney Money = 1_000_000_000 * NanoPerUnit

	nanoDigits = 9
)

// ErrAmount says that a decimal string is not an amount the exchange can hold.
var ErrAmount = errors.New("not a decimal amount with at most nine fractional digits in range")

// ParseMoney reads a decimal string such as "12.5" exactly; more than nine
// fractional digits, exponents and amounts beyond int64 are refused.
func ParseMoney(s string) (Money, error) {
	n, err := parseFixed(s, nanoDigits)
	return Money(n), err
}

// ParsePrice reads a decimal price per unit-hour. It does not check the tick.
func ParsePrice(s string) (Price, error) {
	n, err := parseFixed(s, nanoDigits)
	return Price(n), err
}

// ParseCarbonPrice reads a decimal price per tonne of CO2 equivalent.
func ParseCarbonPrice(s string) (CarbonPrice, error) {
	n, err := parseFixed(s, nanoDigits)
	return CarbonPrice(n), err
}

func (m Money) String() string       { return formatFixed(int64(m), nanoDigits) }
func (p Price) String() string       { return formatFixed(int64(p), nanoDigits) }
func (p CarbonPrice) String() string { return formatFixed(int64(p), nanoDigits) }

// MarshalJSON writes the amount as a decimal string, never as a float.
func (m Money) MarshalJSON() ([]byte, error) { return quoteFixed(int64(m), nanoDigits), nil }

// MarshalJSON writes the price as a decimal string.
func (p Price) MarshalJSON() ([]byte, error) { return quoteFixed(int64(p), nanoDigits), nil }

// MarshalJSON writes the carbon price as a decimal string.
func (p CarbonPrice) MarshalJSON() ([]byte, error) { return quoteFixed(int64(p), nanoDigits), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(b []byte) error {
	return unquoteFixed(b, nanoDigits, (*int64)(m))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Price) UnmarshalJSON(b []byte) error {
	return unquoteFixed(b, nanoDigits, (*int64)(p))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *CarbonPrice) UnmarshalJSON(b []byte) error {
	return unquoteFixed(b, nanoDigits, (*int64)(p))
}

// OnTick reports whether the price is a whole number of ticks.
func (p Price) OnTick() bool { return p%Tick == 0 }

// FloorToTick rounds a non-negative price down to the tick.
func (p Price) FloorToTick() Price { return p - p%Tick }

// Within reports whether a price differs from a reference by at most a share of the
// reference, exactly: |p - reference| x 10000 <= reference x share.
func (p Price) Within(reference Price, share BasisPoints) bool {
	distance := max(p, reference) - min(p, reference)
	hi, lo := bits.Mul64(uint64(distance), uint64(WholeShare))
	mostHi, mostLo := bits.Mul64(uint64(reference), uint64(share))
	return hi < mostHi || hi == mostHi && lo <= mostLo
}

// Cost is what units at a price cost over a duration, rounded down to the
// nano-unit: price x units x minutes / 60. It is superadditive (the cost of the
// parts never exceeds the cost of the whole), so a hold taken for a whole order
// always covers its leases and their hours.
func Cost(p Price, u Units, d Minutes) Money {
	return Money(mulDiv(int64(p), int64(u)*int64(d), int64(MinutesPerHour)))
}

// CostWithin is Cost where it does not exceed a limit; ok says whether it does not.
// It serves the check of an order whose factors are each in range but whose
// product may not be.
func CostWithin(p Price, u Units, d Minutes, limit Money) (cost Money, ok bool) {
	hi, lo := bits.Mul64(uint64(p), uint64(u)*uint64(d))
	if p < 0 || u < 0 || d < 0 || hi >= uint64(MinutesPerHour) {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, uint64(MinutesPerHour))
	return Money(q), q <= uint64(limit)
}

// UsageCost is what used CPU time costs at a price, rounded down to the
// nano-unit: price x microseconds / 3.6e9.
func UsageCost(p Price, used CPUTime) Money {
	return Money(mulDiv(int64(p), int64(used), int64(CPUHour)))
}

// Share is part/10000 of the amount, rounded down; bps is in basis points.
func (m Money) Share(bps BasisPoints) Money {
	return Money(mulDiv(int64(m), int64(bps), 10_000))
}

// Portion is the amount x part / whole, rounded down; whole is above zero and at
// least part.
func (m Money) Portion(part, whole Money) Money {
	return Money(mulDiv(int64(m), int64(part), int64(whole)))
}

// PriceWithin is the highest price on the tick at which units over a duration
// cost at most an amount.
func PriceWithin(m Money, u Units, d Minutes) Price {
	hi, lo := bits.Mul64(uint64(m), uint64(MinutesPerHour))
	whole := uint64(u) * uint64(d)
	if m < 0 || u < 1 || d < 1 {
		panic("corehour: PriceWithin takes an amount of money, units and minutes")
	}
	if hi >= whole {
		return MaxPrice
	}
	q, _ := bits.Div64(hi, lo, whole)
	return Price(min(q, uint64(MaxPrice))).FloorToTick()
}

// CarbonCost is what a buyer with this carbon price adds to an offer's price
// when it ranks it: carbon price x mg per unit-hour / 1e9, rounded up to the
// nano-unit. Rounding up keeps price + cost <= limit exactly as sharp as the
// unrounded comparison, because both sides are whole nano-units.
func CarbonCost(p CarbonPrice, r CarbonRate) Price {
	hi, lo := bits.Mul64(uint64(p), uint64(r))
	if hi >= NanoPerUnit {
		return math.MaxInt64 / 2
	}
	q, rem := bits.Div64(hi, lo, NanoPerUnit)
	if rem > 0 {
		q++
	}
	if q > math.MaxInt64/2 {
		return math.MaxInt64 / 2
	}
	return Price(q)
}

// CarbonWithin is the most that a unit-hour may emit so that its CarbonCost is at
// most an amount; the carbon price is above zero.
func CarbonWithin(most Price, p CarbonPrice) CarbonRate {
	hi, lo := bits.Mul64(uint64(max(most, 0)), NanoPerUnit)
	if hi >= uint64(p) {
		return MaxCarbonRate
	}
	q, _ := bits.Div64(hi, lo, uint64(p))
	return CarbonRate(min(q, uint64(MaxCarbonRate)))
}

// mulDiv is a*b/c rounded down with a 128-bit intermediate. All arguments are
// non-negative by the callers' validation; a result beyond int64 is a broken
// limit, not bad input, and panics with that name.
func mulDiv(a, b, c int64) int64 {
	if a < 0 || b < 0 || c <= 0 {
		panic("corehour: mulDiv takes non-negative quantities")
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		panic("corehour: amount exceeds 64 bits: an order limit was not enforced")
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	if q > math.MaxInt64 {
		panic("corehour: amount exceeds 63 bits: an order limit was not enforced")
	}
	return int64(q)
}

// parseFixed reads a plain decimal with at most digits fractional digits into
// an integer scaled by ten to the digits.
func parseFixed(s string, digits int) (int64, error) {
	body, negative := strings.CutPrefix(s, "-")
	whole, fraction, hasPoint := strings.Cut(body, ".")
	if whole == "" || len(whole) > 10 || len(fraction) > digits || hasPoint && fraction == "" {
		return 0, fmt.Errorf("%w: %.40q", ErrAmount, s)
	}
	var n uint64
	for _, part := range [...]string{whole, fraction} {
		for i := 0; i < len(part); i++ {
			if part[i] < '0' || part[i] > '9' {
				return 0, fmt.Errorf("%w: %.40q", ErrAmount, s)
			}
			n = n*10 + uint64(part[i]-'0')
		}
	}
	for i := len(fraction); i < digits; i++ {
		n *= 10
	}
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("%w: %.40q", ErrAmount, s)
	}
	if negative {
		return -int64(n), nil
	}
	return int64(n), nil
}

// formatFixed writes an integer scaled by ten to the digits as the shortest
// decimal with at least two fractional digits.
func formatFixed(n int64, digits int) string {
	return string(appendFixed(make([]byte, 0, 24), n, digits))
}

func appendFixed(b []byte, n int64, digits int) []byte {
	u := uint64(n)
	if n < 0 {
		b = append(b, '-')
		u = -u
	}
	var buf [24]byte
	i := len(buf)
	for d := 0; d < digits || u > 0 || d == digits; d++ {
		if d == digits {
			i--
			buf[i] = '.'
		}
		i--
		buf[i] = byte('0' + u%10)
		u /= 10
	}
	end := len(buf)
	point := len(buf) - digits - 1
	for end > point+3 && buf[end-1] == '0' {
		end--
	}
	return append(b, buf[i:end]...)
}

func quoteFixed(n int64, digits int) []byte {
	b := append(make([]byte, 0, 26), '"')
	return append(appendFixed(b, n, digits), '"')
}

func unquoteFixed(b []byte, digits int, into *int64) error {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("%w: want a string, have %.40s", ErrAmount, b)
	}
	n, err := parseFixed(string(b[1:len(b)-1]), digits)
	if err != nil {
		return err
	}
	*into = n
	return nil
}
