package main

import (
	"sync/atomic"
	"time"

	"github.com/corehour/corehour"
)

// manualClock stands where it was set. A replay moves it from one arrival to
// the next.
type manualClock struct {
	now atomic.Int64 // microseconds since the Unix epoch
}

// Now is the time that was set last.
func (c *manualClock) Now() time.Time { return time.UnixMicro(c.now.Load()).UTC() }

// instant is the time that was set last.
func (c *manualClock) instant() corehour.Instant { return corehour.Instant(c.now.Load()) }

// advance moves the clock, never back.
func (c *manualClock) advance(to corehour.Instant) {
	if int64(to) > c.now.Load() {
		c.now.Store(int64(to))
	}
}

// fastClock runs from a moment on, so many times as fast as the machine's. The
// demo lets a month end within minutes with it.
type fastClock struct {
	from  time.Time
	began time.Time // carries the monotonic reading
	speed int64
}

// Now is where the fast clock has come to.
func (c *fastClock) Now() time.Time {
	return c.from.Add(time.Since(c.began) * time.Duration(c.speed))
}
