package billing

import (
	"testing"

	"github.com/corehour/corehour"
)

func TestRating_UsageOfAnHour(t *testing.T) {
	const hour = corehour.CPUHour
	for name, c := range map[string]struct {
		price   corehour.Price
		records []corehour.CPUTime
		want    []corehour.Money
	}{
		"a whole hour costs the price":              {1_000_000, []corehour.CPUTime{hour}, []corehour.Money{1_000_000}},
		"nothing used, nothing due":                 {1_000_000, []corehour.CPUTime{0}, nil},
		"a third of a nano-unit waits for the rest": {1_000, []corehour.CPUTime{1_200_000, 1_200_000, 1_200_000}, []corehour.Money{1}},
		"thirds add up to the whole":                {1_000, []corehour.CPUTime{hour / 3, hour / 3, hour / 3}, []corehour.Money{333, 333, 334}},
		"price times use that does not divide":      {7_000, []corehour.CPUTime{1_000_000_007}, []corehour.Money{1_944}},
		"the largest price and a million units":     {corehour.MaxPrice, []corehour.CPUTime{hour}, []corehour.Money{1_000_000 * corehour.NanoPerUnit}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lease{id: 1, price: c.price}
			h := &hourRow{lease: 1}
			var have []corehour.Money
			var cpu corehour.CPUTime
			for _, used := range c.records {
				if charge, due := l.use(h, used); due {
					have = append(have, charge.Amount)
					cpu += charge.cpu
				}
			}
			if len(have) != len(c.want) {
				t.Fatalf("charges %v, want %v", have, c.want)
			}
			for i := range have {
				if have[i] != c.want[i] {
					t.Errorf("charges %v, want %v", have, c.want)
				}
			}
			if cpu != h.billedCPU {
				t.Errorf("charges stand for %d us, the hour says %d", cpu, h.billedCPU)
			}
		})
	}
}

func TestRating_TakeOrPayOfAnHour(t *testing.T) {
	start := january
	for name, c := range map[string]struct {
		share    corehour.BasisPoints
		status   corehour.LeaseStatus
		freeFrom corehour.Minutes // after the start
		begins   corehour.Minutes
		billed   corehour.Money
		want     corehour.Money
	}{
		"the share of a full hour":                    {5_000, corehour.StatusCompleted, 150, 60, 0, 100_000},
		"the last hour counts its minutes":            {10_000, corehour.StatusCompleted, 150, 120, 0, 100_000},
		"only the difference to the use":              {5_000, corehour.StatusCompleted, 150, 0, 99_999, 1},
		"nothing where the use is above":              {5_000, corehour.StatusCompleted, 150, 0, 100_001, 0},
		"nothing where the use is the minimum":        {5_000, corehour.StatusCompleted, 150, 0, 100_000, 0},
		"an early end cuts the hour":                  {10_000, corehour.StatusCompleted, 61, 60, 0, 3_333},
		"nothing is owed after an early end":          {10_000, corehour.StatusCompleted, 60, 60, 0, 0},
		"a lease that ended as it began owes nothing": {10_000, corehour.StatusCompleted, 0, 0, 0, 0},
		"a failed lease owes nothing":                 {10_000, corehour.StatusFailed, 150, 0, 0, 0},
		"no share, nothing owed":                      {0, corehour.StatusCompleted, 150, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lease{
				id: 1, price: 100_000, units: 2, start: start, end: start.Add(150),
				takeOrPay: c.share, status: c.status, freeFrom: start.Add(c.freeFrom),
			}
			charge, due := l.topUp(start.Add(c.begins), c.billed)
			if due != (c.want > 0) || charge.Amount != c.want {
				t.Errorf("charge %s (%v), want %s", charge.Amount, due, c.want)
			}
			if due && charge.Kind != corehour.ChargeTakeOrPay {
				t.Errorf("the charge is of kind %s", charge.Kind)
			}
		})
	}
}

func TestRating_ManyRecordsAreChargedAtTheCloseInFull(t *testing.T) {
	l := &lease{
		id: 1, price: 3_600_000_000, units: 1, start: january, end: january.Add(120),
		status: corehour.StatusCompleted, charges: maxRunningCharges - 1,
	}
	h := &hourRow{lease: 1, begins: january}
	if _, due := l.use(h, 5); !due {
		t.Fatal("the last running charge was not made")
	}
	if _, due := l.use(h, 7); due {
		t.Fatal("a charge beyond the limit was made while the lease runs")
	}
	if l.closingHours() != 2 {
		t.Fatalf("closing looks at %d hours, want 2", l.closingHours())
	}
	charges, changed := l.rateClosing(map[corehour.Minute]*hourRow{january: h})
	if len(charges) != 1 || charges[0].Amount != 7 || charges[0].cpu != 7 || charges[0].Number != maxRunningCharges+1 {
		t.Errorf("closing charges %+v, want 7 for 7 us", charges)
	}
	if len(changed) != 1 || h.billed != corehour.UsageCost(l.price, h.used) || !l.ready {
		t.Errorf("after closing: hour %+v, ready %v", h, l.ready)
	}
}

func TestPeriod_MonthsAndTheirBounds(t *testing.T) {
	for _, c := range []struct{ period, start, end string }{
		{"2024-01", "2024-01-01T00:00Z", "2024-02-01T00:00Z"},
		{"2024-02", "2024-02-01T00:00Z", "2024-03-01T00:00Z"},
		{"2023-12", "2023-12-01T00:00Z", "2024-01-01T00:00Z"},
	} {
		p := mustPeriod(c.period)
		if p.Start().String() != c.start || p.End().String() != c.end || p.String() != c.period {
			t.Errorf("%s is [%s, %s), want [%s, %s)", p, p.Start(), p.End(), c.start, c.end)
		}
		if PeriodOf(p.Start()) != p || PeriodOf(p.End()-1) != p || PeriodOf(p.End()) != p.Next() {
			t.Errorf("%s does not hold exactly its minutes", p)
		}
	}
	for _, bad := range []string{"", "2024", "2024-13", "2024-1", "24-01", "2024-01-01", "2024-00", "x"} {
		if _, err := ParsePeriod(bad); corehour.KindOf(err) != corehour.KindInvalid {
			t.Errorf("%q was read as a period: %v", bad, err)
		}
	}
}

func TestAmount_LargeSumsStayExact(t *testing.T) {
	for _, c := range []struct {
		whole, nano int64
		want        string
	}{
		{0, 0, "0.00"}, {1, -1, "0.999999999"}, {-1, 1, "-0.999999999"}, {0, -5, "-0.000000005"},
		{12, 500_000_000, "12.50"}, {-3, -2_500_000_000, "-5.50"}, {100_000_000_000, 1, "100000000000.000000001"},
	} {
		a := newAmount(c.whole, c.nano)
		if a.String() != c.want {
			t.Errorf("%d and %d are %s, want %s", c.whole, c.nano, a, c.want)
		}
		m, ok := a.Money()
		if fits := c.whole < 9_000_000_000; ok != fits || ok && m.String() != c.want {
			t.Errorf("%s as money is %s (%v)", a, m, ok)
		}
		if ok && AmountOf(m) != a {
			t.Errorf("%s does not come back from money", a)
		}
	}
}
