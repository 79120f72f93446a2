package corehour

import (
	"fmt"
	"time"
)

// Instant is a point in time in microseconds since the Unix epoch. Commands
// carry it, because the state machine has no clock.
type Instant int64

// Minute is a delivery time: whole minutes since the Unix epoch, UTC.
type Minute int64

// Minutes is a duration of delivery in whole minutes.
type Minutes int64

// Seconds is a duration in whole seconds, such as the patience of a session or of a deadline.
type Seconds int64

// Scales and limits of time.
const (
	MicrosPerSecond Instant = 1_000_000
	MicrosPerMinute Instant = 60 * MicrosPerSecond
	MinutesPerHour  Minutes = 60
	MinutesPerDay   Minutes = 24 * MinutesPerHour

	// MaxDuration bounds one lease at a year.
	MaxDuration = 366 * MinutesPerDay

	// MaxMinute is 9999-12-31T23:59Z, the last minute that RFC 3339 can write.
	MaxMinute Minute = 4_223_371_679
)

// InstantOf converts from the clock's time, dropping nanoseconds.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time converts to the library's time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// CeilMinute is the first whole minute at or after the instant.
func (i Instant) CeilMinute() Minute {
	m := i.FloorMinute()
	if m.Instant() < i {
		m++
	}
	return m
}

// FloorMinute is the last whole minute at or before the instant.
func (i Instant) FloorMinute() Minute {
	m := i / MicrosPerMinute
	if i%MicrosPerMinute < 0 {
		m--
	}
	return Minute(m)
}

// Day is the number of the UTC day since the Unix epoch that the instant is in.
func (i Instant) Day() int64 {
	const microsPerDay = Instant(MinutesPerDay) * MicrosPerMinute
	day := int64(i / microsPerDay)
	if i%microsPerDay < 0 {
		day--
	}
	return day
}

// Instant is the duration in microseconds, to be added to an instant.
func (s Seconds) Instant() Instant { return Instant(s) * MicrosPerSecond }

func (i Instant) String() string { return i.Time().Format("2006-01-02T15:04:05.999999Z07:00") }

// MarshalText writes RFC 3339 with up to six fractional digits.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads RFC 3339.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("not an RFC 3339 time: %.40q", b)
	}
	*i = InstantOf(t)
	return nil
}

// MinuteOf converts a time that is a whole minute.
func MinuteOf(t time.Time) (Minute, error) {
	i := InstantOf(t)
	if t.Nanosecond() != 0 || i%MicrosPerMinute != 0 {
		return 0, fmt.Errorf("not a whole UTC minute: %s", t.Format(time.RFC3339Nano))
	}
	return i.FloorMinute(), nil
}

// Instant is the beginning of the minute.
func (m Minute) Instant() Instant { return Instant(m) * MicrosPerMinute }

// Time converts to the library's time in UTC.
func (m Minute) Time() time.Time { return m.Instant().Time() }

// Add is the minute so much later.
func (m Minute) Add(d Minutes) Minute { return m + Minute(d) }

// Sub is the duration since the earlier minute.
func (m Minute) Sub(earlier Minute) Minutes { return Minutes(m - earlier) }

func (m Minute) String() string { return m.Time().Format("2006-01-02T15:04Z07:00") }

// MarshalText writes RFC 3339 to the second.
func (m Minute) MarshalText() ([]byte, error) {
	return m.Time().AppendFormat(nil, time.RFC3339), nil
}

// UnmarshalText reads RFC 3339 and refuses what is not a whole minute.
func (m *Minute) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("not an RFC 3339 time: %.40q", b)
	}
	*m, err = MinuteOf(t)
	return err
}

// Clock tells the time. The service passes the machine's; tests and replays
// pass their own.
type Clock interface {
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now is the machine's time.
func (SystemClock) Now() time.Time { return time.Now() }
