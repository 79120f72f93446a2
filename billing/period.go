package billing

import (
	"fmt"
	"time"

	"github.com/corehour/corehour"
)

// Period is a UTC calendar month, written 2024-01. The zero Period is none.
type Period struct {
	year  int
	month time.Month
}

const periodLayout = "2006-01"

// ParsePeriod reads a month such as 2024-01.
func ParsePeriod(s string) (Period, error) {
	t, err := time.Parse(periodLayout, s)
	if err != nil {
		return Period{}, corehour.Invalid("period", "a period is a month such as 2024-01")
	}
	return Period{t.Year(), t.Month()}, nil
}

// PeriodOf is the month that a minute falls in.
func PeriodOf(m corehour.Minute) Period {
	t := m.Time()
	return Period{t.Year(), t.Month()}
}

// Start is the first minute of the month.
func (p Period) Start() corehour.Minute {
	return corehour.InstantOf(time.Date(p.year, p.month, 1, 0, 0, 0, 0, time.UTC)).FloorMinute()
}

// End is the first minute after the month.
func (p Period) End() corehour.Minute { return p.Next().Start() }

// Next is the month after.
func (p Period) Next() Period {
	t := time.Date(p.year, p.month+1, 1, 0, 0, 0, 0, time.UTC)
	return Period{t.Year(), t.Month()}
}

// Year is the year of the month.
func (p Period) Year() int { return p.year }

// IsZero reports whether it is no month.
func (p Period) IsZero() bool { return p == Period{} }

func (p Period) String() string { return fmt.Sprintf("%04d-%02d", p.year, int(p.month)) }

// MarshalText writes 2024-01.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads 2024-01.
func (p *Period) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePeriod(string(b))
	return err
}
