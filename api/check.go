package api

import (
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// checker collects what is out of range in a body that is well formed. Only what
// can be said of the request alone is checked here, so that obvious mistakes
// cost no place in the log; the exchange checks everything again.
type checker struct {
	found  []FieldProblem
	within string // the part of the body that is being checked, "" for all of it
}

// checked is a body that checks itself after it was decoded.
type checked interface {
	check(c *checker)
}

// add notes a problem of a field, or of the whole body where the field is "".
func (c *checker) add(code corehour.Code, field, format string, args ...any) {
	place := "body"
	if c.within != "" {
		place += "." + c.within
	}
	if field != "" {
		place += "." + field
	}
	c.found = append(c.found, FieldProblem{Code: code, Field: place, Detail: fmt.Sprintf(format, args...)})
}

func (c *checker) price(field string, p corehour.Price) {
	switch {
	case p <= 0 || p > corehour.MaxPrice:
		c.add(exchange.CodeOutOfRange, field, "expected more than 0 and at most %s", corehour.MaxPrice)
	case !p.OnTick():
		c.add(exchange.CodeOffTick, field, "expected a multiple of %s", corehour.Tick)
	}
}

func (c *checker) amount(field string, m corehour.Money) {
	if m <= 0 || m > corehour.MaxMoney {
		c.add(exchange.CodeOutOfRange, field, "expected more than 0 and at most %s", corehour.MaxMoney)
	}
}

// amountOrNone checks an amount that may be zero.
func (c *checker) amountOrNone(field string, m corehour.Money) {
	if m < 0 || m > corehour.MaxMoney {
		c.add(exchange.CodeOutOfRange, field, "expected 0 to %s", corehour.MaxMoney)
	}
}

func (c *checker) carbon(field string, r corehour.CarbonRate) {
	if r < 0 || r > corehour.MaxCarbonRate {
		c.add(exchange.CodeOutOfRange, field, "expected 0 to %s", corehour.MaxCarbonRate)
	}
}

func (c *checker) carbonPrice(field string, p corehour.CarbonPrice) {
	if p < 0 || p > corehour.MaxCarbonPrice {
		c.add(exchange.CodeOutOfRange, field, "expected 0 to %s", corehour.MaxCarbonPrice)
	}
}

func (c *checker) energy(field string, e corehour.Energy) {
	if e <= 0 || e > corehour.MaxEnergy {
		c.add(exchange.CodeOutOfRange, field, "expected more than 0 and at most %s", corehour.MaxEnergy)
	}
}

func (c *checker) intensity(field string, i corehour.Intensity) {
	if i < 0 || i > corehour.MaxIntensity {
		c.add(exchange.CodeOutOfRange, field, "expected 0 to %s", corehour.MaxIntensity)
	}
}

func (c *checker) text(field, s string) {
	if len(s) > corehour.MaxTextBytes {
		c.add(exchange.CodeOutOfRange, field, "expected at most %d bytes", corehour.MaxTextBytes)
	}
}

func (c *checker) minute(field string, m corehour.Minute) {
	if m < 0 || m > corehour.MaxMinute {
		c.add(exchange.CodeOutOfRange, field, "expected %s to %s", corehour.Minute(0), corehour.MaxMinute)
	}
}

// hour checks a minute that begins an hour.
func (c *checker) hour(field string, m corehour.Minute) {
	c.minute(field, m)
	if m >= 0 && m%corehour.Minute(corehour.MinutesPerHour) != 0 {
		c.add(corehour.CodeInvalid, field, "expected a whole hour")
	}
}

// atMost says that one quantity of an order may not exceed another.
func (c *checker) atMost(field string, part corehour.Units, wholeField string, whole corehour.Units) {
	if part > whole {
		c.add(exchange.CodeOutOfRange, field, "expected at most %s, which is %d", wholeField, whole)
	}
}
