package corehour

import (
	"fmt"
	"strconv"
)

// Units is a quantity of capacity in whole units of a product; one unit of
// cpu.standard is one vCPU.
type Units int64

// CPUTime is metered CPU time in microseconds, summed over the units used.
type CPUTime int64

// CPUHour is one unit used for one hour.
const CPUHour CPUTime = 3_600_000_000

// BasisPoints is a share in ten-thousandths: 10,000 is the whole.
type BasisPoints int32

// Limits of quantities. They keep every product of price, units and duration
// within Money; an order whose worst case exceeds MaxMoney is refused.
const (
	MaxUnits   Units       = 1_000_000
	WholeShare BasisPoints = 10_000

	// MaxUnitMinutes bounds units x duration of one order at 2.5 billion
	// unit-hours, so that its CPU time fits into CPUTime.
	MaxUnitMinutes = 150_000_000_000

	hourDigits  = 10
	hoursPerCPU = 10_000_000_000
)

// Hours writes CPU time as decimal CPU-hours, rounded down at ten digits.
func (c CPUTime) Hours() string {
	whole := int64(c) / int64(CPUHour)
	rest := int64(c) % int64(CPUHour)
	return formatFixed(whole*hoursPerCPU+mulDiv(rest, hoursPerCPU, int64(CPUHour)), hourDigits)
}

// Capacity is the CPU time that units can use at most in a duration. Units x
// duration is at most MaxUnitMinutes.
func Capacity(u Units, d Minutes) CPUTime {
	return CPUTime(int64(u) * int64(d) * 60_000_000)
}

// SLA is the tier of service a provider promises; a higher tier satisfies a
// demand for a lower one.
type SLA uint8

// The tiers, in rising order. Their numbers are persisted.
const (
	SLABasic    SLA = 1
	SLAStandard SLA = 2
	SLAPremium  SLA = 3
)

var slaNames = map[SLA]string{SLABasic: "basic", SLAStandard: "standard", SLAPremium: "premium"}

func (s SLA) String() string { return enumName(slaNames, s) }

// MarshalText writes the tier's name.
func (s SLA) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the tier's name.
func (s *SLA) UnmarshalText(b []byte) error { return parseEnum(slaNames, b, s) }

// TimeInForce says how long a bid stays open.
type TimeInForce uint8

// The times in force. Their numbers are persisted.
const (
	GoodTillCancelled TimeInForce = 1 // rests until filled, cancelled or its window has passed
	GoodTillTime      TimeInForce = 2 // rests until a given time at most
	ImmediateOrCancel TimeInForce = 3 // what does not fill at once is cancelled
	FillOrKill        TimeInForce = 4 // fills completely at once, all leases in one minute, or not at all
)

var timeInForceNames = map[TimeInForce]string{
	GoodTillCancelled: "gtc", GoodTillTime: "gtt", ImmediateOrCancel: "ioc", FillOrKill: "fok",
}

func (t TimeInForce) String() string { return enumName(timeInForceNames, t) }

// MarshalText writes the short name of the field: gtc, gtt, ioc or fok.
func (t TimeInForce) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the short name of the field.
func (t *TimeInForce) UnmarshalText(b []byte) error { return parseEnum(timeInForceNames, b, t) }

func enumName[E ~uint8](names map[E]string, e E) string {
	if name, ok := names[e]; ok {
		return name
	}
	return "unknown-" + strconv.Itoa(int(e))
}

func parseEnum[E ~uint8](names map[E]string, b []byte, into *E) error {
	for e, name := range names {
		if name == string(b) {
			*into = e
			return nil
		}
	}
	return fmt.Errorf("unknown name %.40q", b)
}
