package corehour_test

import (
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

func TestParseMoney_ReadsPlainDecimalsExactlyAndNothingElse(t *testing.T) {
	for text, want := range map[string]corehour.Money{
		"0": 0, "0.00": 0, "12.5": 12_500_000_000, "-0.000000001": -1, "9223372036.854775807": 1<<63 - 1, "007": 7_000_000_000,
	} {
		if have, err := corehour.ParseMoney(text); err != nil || have != want {
			t.Errorf("%q is %d, want %d (%v)", text, have, want, err)
		}
	}
	for _, text := range []string{
		"", "-", ".5", "5.", "1e3", "+1", "1,5", " 1", "1 ", "0x1", "NaN", "1.0000000001", "9223372036.854775808", "99999999999", "١", "--1",
	} {
		if have, err := corehour.ParseMoney(text); err == nil {
			t.Errorf("%q is taken for %s", text, have)
		}
	}
}

func TestMoney_ComesBackFromTextAndJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := corehour.Money(rapid.Int64Range(-1<<63+1, 1<<63-1).Draw(t, "nano"))
		if back, err := corehour.ParseMoney(m.String()); err != nil || back != m {
			t.Fatalf("%d became %q, then %d (%v)", int64(m), m, int64(back), err)
		}
		if want := decimal.New(int64(m), -9); !decimal.RequireFromString(m.String()).Equal(want) {
			t.Fatalf("%d is written %q, want %s", int64(m), m, want)
		}
		text, err := json.Marshal(m)
		var back corehour.Money
		if err != nil || json.Unmarshal(text, &back) != nil || back != m {
			t.Fatalf("%d became %s, then %d", int64(m), text, int64(back))
		}
	})
}

// quotient is a x b x c / d rounded down, in arithmetic without limits.
func quotient(a, b, c, d int64) *big.Int {
	n := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return n.Div(n.Mul(n, big.NewInt(c)), big.NewInt(d))
}

func TestCost_IsExactRoundedDownAndNeverLessThanItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := corehour.Price(rapid.Int64Range(1, 1_000_000_000_000).Draw(t, "price"))
		one := corehour.Units(rapid.Int64Range(0, 10_000).Draw(t, "units"))
		two := corehour.Units(rapid.Int64Range(0, 10_000).Draw(t, "other units"))
		d := corehour.Minutes(rapid.Int64Range(1, 10_000).Draw(t, "minutes"))
		whole := corehour.Cost(p, one+two, d)
		if want := quotient(int64(p), int64(one+two), int64(d), 60); want.Cmp(big.NewInt(int64(whole))) != 0 {
			t.Fatalf("cost %s, want %s", whole, want)
		}
		if parts := corehour.Cost(p, one, d) + corehour.Cost(p, two, d); parts > whole {
			t.Fatalf("the parts cost %s, the whole %s", parts, whole)
		}
		if within, ok := corehour.CostWithin(p, one+two, d, whole); !ok || within != whole {
			t.Fatalf("%s is not within itself", whole)
		}
		used := corehour.CPUTime(rapid.Int64Range(0, int64(corehour.Capacity(one+two, d))).Draw(t, "used"))
		if corehour.UsageCost(p, used) > whole {
			t.Fatalf("used time costs more than all of the lease")
		}
	})
}

func TestCostWithin_RefusesWhatDoesNotFit(t *testing.T) {
	if cost, ok := corehour.CostWithin(corehour.MaxPrice, corehour.MaxUnits, corehour.MaxDuration, corehour.MaxMoney); ok {
		t.Fatalf("the largest order of all costs %s", cost)
	}
	if _, ok := corehour.CostWithin(1_000_000_000, 2, 60, 2*corehour.NanoPerUnit-1); ok {
		t.Fatal("two do not fit into less than two")
	}
}

func TestCarbonCost_IsRoundedUpSoThatTheLimitStaysSharp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Int64Range(0, int64(corehour.MaxCarbonPrice)).Draw(t, "price")
		rate := rapid.Int64Range(0, 1_000_000).Draw(t, "rate")
		have := big.NewInt(int64(corehour.CarbonCost(corehour.CarbonPrice(price), corehour.CarbonRate(rate))))
		exact := new(big.Int).Mul(big.NewInt(price), big.NewInt(rate))
		low := new(big.Int).Mul(new(big.Int).Sub(have, big.NewInt(1)), big.NewInt(1_000_000_000))
		high := new(big.Int).Mul(have, big.NewInt(1_000_000_000))
		if exact.Cmp(high) > 0 || exact.Sign() > 0 && exact.Cmp(low) <= 0 {
			t.Fatalf("%d x %d costs %s", price, rate, have)
		}
	})
}

func TestMinute_RoundsToTheWholeMinuteThatItsNameSays(t *testing.T) {
	at := func(s string) corehour.Instant {
		parsed, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return corehour.InstantOf(parsed)
	}
	for text, want := range map[string][2]string{
		"2024-01-01T00:00:00Z":        {"2024-01-01T00:00Z", "2024-01-01T00:00Z"},
		"2024-01-01T00:00:00.000001Z": {"2024-01-01T00:00Z", "2024-01-01T00:01Z"},
		"1969-12-31T23:59:30Z":        {"1969-12-31T23:59Z", "1970-01-01T00:00Z"},
	} {
		if floor, ceil := at(text).FloorMinute(), at(text).CeilMinute(); floor.String() != want[0] || ceil.String() != want[1] {
			t.Errorf("%s is between %s and %s", text, floor, ceil)
		}
	}
	var m corehour.Minute
	if err := m.UnmarshalText([]byte("2024-01-01T00:00:01Z")); err == nil {
		t.Error("a second past the minute is taken for a minute")
	}
	if corehour.MaxMinute.String() != "9999-12-31T23:59Z" {
		t.Errorf("the last minute is %s", corehour.MaxMinute)
	}
}

func TestIdentifiers_AreReadOnlyAsTheyAreWritten(t *testing.T) {
	var id corehour.BidID
	if err := id.UnmarshalText([]byte("bid-17")); err != nil || id != 17 {
		t.Fatalf("bid-17 is %d (%v)", id, err)
	}
	for _, text := range []string{"", "bid-", "bid-0", "bid-017", "bid-+17", "bid--1", "17", "offer-17", "bid-9223372036854775808", "bid-17 "} {
		if err := id.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %s", text, id)
		}
	}
	for name, valid := range map[string]bool{"a": true, "Lab_7.x:y-z": true, "": false, "-a": false, "a/b": false, "a b": false, "ä": false, "a\n": false} {
		if corehour.ValidName(name) != valid {
			t.Errorf("%q: valid is %t", name, !valid)
		}
	}
}

func TestEvent_PayloadIsWhatTheDataSays(t *testing.T) {
	carbon := corehour.CarbonRate(250)
	made, err := corehour.NewEvent(corehour.EventBidPlaced, 1, "bid-1", corehour.BidPlaced{Hold: 7, Bid: corehour.Bid{
		ID: 1, Product: "cpu", Consumer: "lab", Units: 3, MinSLA: corehour.SLABasic, TimeInForce: corehour.GoodTillCancelled, MaxCarbon: &carbon,
	}})
	if err != nil {
		t.Fatal(err)
	}
	read := corehour.Event{Type: made.Type, Data: made.Data}
	kept, err := made.Payload()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := read.Payload()
	if err != nil {
		t.Fatal(err)
	}
	one, two := kept.(*corehour.BidPlaced), decoded.(*corehour.BidPlaced)
	if one.ID != two.ID || one.Hold != two.Hold || *one.MaxCarbon != *two.MaxCarbon || one.TimeInForce != two.TimeInForce {
		t.Fatalf("made of %+v, read as %+v", one, two)
	}
	if _, err := (&corehour.Event{Type: corehour.EventLeaseEnded, Data: json.RawMessage(`{"lease":7}`)}).Payload(); err == nil {
		t.Error("a number is taken for a lease")
	}
}
