package billing

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/corehour/corehour"
)

// Amount is a sum of money that may outgrow corehour.Money, such as all that was
// ever deposited. Its two parts add up; they have the same sign and the
// nano-units are less than a whole unit.
type Amount struct {
	whole int64 // units of the currency
	nano  int64 // nano-units
}

// newAmount adds up parts as the database sums them, which may be of any size and sign.
func newAmount(whole, nano int64) Amount {
	whole += nano / corehour.NanoPerUnit
	nano %= corehour.NanoPerUnit
	switch {
	case whole > 0 && nano < 0:
		whole, nano = whole-1, nano+corehour.NanoPerUnit
	case whole < 0 && nano > 0:
		whole, nano = whole+1, nano-corehour.NanoPerUnit
	}
	return Amount{whole, nano}
}

// AmountOf is the amount of an amount of money.
func AmountOf(m corehour.Money) Amount { return newAmount(split(m)) }

// split cuts money into whole units and nano-units.
func split(m corehour.Money) (whole, nano int64) {
	return int64(m) / corehour.NanoPerUnit, int64(m) % corehour.NanoPerUnit
}

// Money is the amount as money, false where it is out of its range.
func (a Amount) Money() (corehour.Money, bool) {
	hi, lo := bits.Mul64(magnitude(a.whole), corehour.NanoPerUnit)
	lo, carry := bits.Add64(lo, magnitude(a.nano), 0)
	if hi+carry > 0 || lo > math.MaxInt64 {
		return 0, false
	}
	if a.negative() {
		return -corehour.Money(lo), true
	}
	return corehour.Money(lo), true
}

// IsZero reports whether nothing is left.
func (a Amount) IsZero() bool { return a == Amount{} }

func (a Amount) negative() bool { return a.whole < 0 || a.nano < 0 }

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// String writes the amount like corehour.Money: with two to nine fractional digits.
func (a Amount) String() string {
	sign := ""
	if a.negative() {
		sign = "-"
	}
	fraction := fmt.Sprintf("%09d", magnitude(a.nano))
	for len(fraction) > 2 && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	return fmt.Sprintf("%s%d.%s", sign, magnitude(a.whole), fraction)
}

// MarshalText writes the decimal; in JSON it becomes a string.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// addMoney is a + b, or an error where that is out of range.
func addMoney(a, b corehour.Money) (corehour.Money, error) {
	sum := a + b
	if (a > 0 && b > 0 && sum < 0) || (a < 0 && b < 0 && sum >= 0) {
		return 0, outOfRange("a sum")
	}
	return sum, nil
}

func outOfRange(what string) error {
	return corehour.Errorf(corehour.KindInternal, CodeOutOfRange, "%s exceeds the range of money", what)
}
