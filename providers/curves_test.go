package providers

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/corehour/corehour"
)

func readCurveText(text string) ([]ZoneCurve, error) { return ReadCurves(strings.NewReader(text)) }

// shownCurves writes curves as a person compares them: zone, then the first hour
// and the values of each run.
func shownCurves(curves []ZoneCurve) string {
	var b strings.Builder
	for _, z := range curves {
		fmt.Fprint(&b, z.Zone)
		for _, run := range z.Runs {
			fmt.Fprint(&b, " ", run.From, run.Values)
		}
		fmt.Fprint(&b, "\n")
	}
	return b.String()
}

func TestReadCurves_WideAndLongFormsSayTheSame(t *testing.T) {
	t.Parallel()
	wide, err := readCurveText("FI,datetime_utc,SE-SE1\n" +
		"93.5,2024-01-01 00:00:00,12\n94,2024-01-01T01:00:00Z,12.001\n0,2024-01-01T02:00:00,13\n")
	if err != nil {
		t.Fatal(err)
	}
	long, err := readCurveText("hour,zone,note,g_per_kwh\n" +
		"2024-01-01T00:00:00Z,FI,a,93.5\n2024-01-01T00:00:00Z,SE-SE1,,12\n2024-01-01T03:00:00+02:00,FI,,94\n" +
		"2024-01-01 02:00:00,FI,,0\n2024-01-01 01:00:00,SE-SE1,,12.001\n2024-01-01 02:00:00,SE-SE1,,13\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "FI 2024-01-01T00:00Z [93.50 94.00 0.00]\nSE-SE1 2024-01-01T00:00Z [12.00 12.001 13.00]\n"
	if shownCurves(wide) != want || shownCurves(long) != want {
		t.Errorf("wide\n%slong\n%swant\n%s", shownCurves(wide), shownCurves(long), want)
	}
}

func TestReadCurves_RoundsHalfUpToTheMilligram(t *testing.T) {
	t.Parallel()
	got, err := readCurveText("datetime_utc,A\n2024-01-01 00:00:00,1.0005\n2024-01-01 01:00:00,1.00049999\n2024-01-01 02:00:00,9999.9999\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := "A 2024-01-01T00:00Z [1.001 1.00 10000.00]\n"; shownCurves(got) != want {
		t.Errorf("have %s, want %s", shownCurves(got), want)
	}
}

func TestReadCurves_AnHourWithoutValueEndsARun(t *testing.T) {
	t.Parallel()
	got, err := readCurveText("datetime_utc,A,B,NONE\n2024-01-01 00:00:00,1,,\n2024-01-01 01:00:00,2,5,\n2024-01-01 02:00:00,,6,\n2024-01-01 05:00:00,3,7,\n")
	if err != nil {
		t.Fatal(err)
	}
	want := "A 2024-01-01T00:00Z [1.00 2.00] 2024-01-01T05:00Z [3.00]\nB 2024-01-01T01:00Z [5.00 6.00] 2024-01-01T05:00Z [7.00]\n"
	if shownCurves(got) != want {
		t.Errorf("have\n%swant\n%s", shownCurves(got), want)
	}
}

func TestReadCurves_RefusesWhatItWouldHaveToGuess(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("datetime_utc,A\n2024-01-01 00:00:00,1\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "it is empty"},
		"no value":           {"datetime_utc,A\n2024-01-01 00:00:00,\n", "no value"},
		"no columns":         {"time,A\n2024-01-01 00:00:00,1\n", "no column hour"},
		"no unit":            {"hour,zone,intensity\n2024-01-01 00:00:00,A,1\n", "no column g_per_kwh"},
		"two columns":        {"datetime_utc,A,A\n2024-01-01 00:00:00,1,2\n", "two columns A"},
		"zone name":          {"datetime_utc,A B\n2024-01-01 00:00:00,1\n", `"A B" is not the name`},
		"long zone name":     {"hour,zone,g_per_kwh\n2024-01-01 00:00:00,,1\n", "line 2: \"\" is not the name"},
		"half past":          {"datetime_utc,A\n2024-01-01 00:30:00,1\n", "line 2: \"2024-01-01 00:30:00\" is not a whole hour"},
		"half an hour ahead": {"datetime_utc,A\n2024-01-01T00:00:00+05:30,1\n", "not a whole hour"},
		"seconds":            {"datetime_utc,A\n2024-01-01 00:00:01,1\n", "not a whole hour"},
		"before 1970":        {"datetime_utc,A\n1969-12-31 23:00:00,1\n", "not a whole hour"},
		"no time":            {"datetime_utc,A\nyesterday,1\n", `"yesterday" is not a time`},
		"again":              {"datetime_utc,A\n2024-01-01 00:00:00,1\n2024-01-01 00:00:00,1\n", "line 3: A: the hour 2024-01-01T00:00Z is not after"},
		"back":               {"datetime_utc,A\n2024-01-01 05:00:00,1\n2024-01-01 04:00:00,1\n", "not after"},
		"negative":           {"datetime_utc,A\n2024-01-01 00:00:00,-1\n", "line 2: A: not a plain decimal"},
		"exponent":           {"datetime_utc,A\n2024-01-01 00:00:00,1e2\n", "not a plain decimal"},
		"NaN":                {"datetime_utc,A\n2024-01-01 00:00:00,NaN\n", "not a plain decimal"},
		"too dirty":          {"datetime_utc,A\n2024-01-01 00:00:00,10000.001\n", "above 10000.00"},
		"columns missing":    {"datetime_utc,A,B\n2024-01-01 00:00:00,1\n", "2 columns where the header has 3"},
		"cut gzip":           {packed.String()[:packed.Len()-6], "cannot be read"},
		"no gzip":            {"\x1f\x8b, A\n", "not gzip"},
		"too many zones":     {"datetime_utc" + manyZones(corehour.MaxZones+1) + "\n", "more than 1024 zones"},
	} {
		got, err := readCurveText(c.text)
		if corehour.KindOf(err) != corehour.KindInvalid || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
	if got, err := ReadCurves(&packed); err != nil || shownCurves(got) != "A 2024-01-01T00:00Z [1.00]\n" {
		t.Errorf("gzip: %v, %v", got, err)
	}
}

func manyZones(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",Z%d", i)
	}
	return b.String()
}

// The real lists, against a reading of the same files with nothing of this
// package in it.
func TestReadCurves_RealListsAgreeWithAPlainReading(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]struct{ zones, hours int }{
		"hourly-gCO2-kWh-2022-all-gcp-zones.derived.csv.gz": {32, 8759},
		"hourly-LCA-gCO2eq-kWh-2024.derived.csv.gz":         {16, 8784},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			curves, err := ReadCurves(openData(t, "carbon", file))
			if err != nil || len(curves) != want.zones {
				t.Fatalf("%d zones, %v", len(curves), err)
			}
			unpacked, err := gzip.NewReader(openData(t, "carbon", file))
			if err != nil {
				t.Fatal(err)
			}
			lines, err := csv.NewReader(unpacked).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			for i, z := range curves {
				if len(z.Runs) != 1 || len(z.Runs[0].Values) != want.hours || string(z.Zone) != lines[0][i+1] {
					t.Fatalf("%s: %d runs", z.Zone, len(z.Runs))
				}
				sum := new(big.Rat)
				for hour, v := range z.Runs[0].Values {
					is, said := big.NewRat(int64(v), 1000), rat(t, lines[hour+1][i+1])
					if is.Cmp(said) != 0 {
						t.Fatalf("%s in hour %d is %s, the file says %s", z.Zone, hour, is, said)
					}
					sum.Add(sum, said)
				}
				off := new(big.Rat).Sub(new(big.Rat).Quo(sum, big.NewRat(int64(want.hours), 1)), big.NewRat(int64(z.Mean()), 1000))
				if off.Abs(off).Cmp(big.NewRat(1, 2000)) > 0 {
					t.Errorf("%s: its mean %s is off by %s g", z.Zone, z.Mean(), off.FloatString(6))
				}
			}
		})
	}
}

func TestZoneCurve_PiecesAreTheHoursAskedForAndNoMore(t *testing.T) {
	t.Parallel()
	curves, err := readCurveText("datetime_utc,A\n2024-01-01 00:00:00,0\n2024-01-01 01:00:00,1\n2024-01-01 02:00:00,2\n2024-01-01 03:00:00,3\n2024-01-01 06:00:00,6\n2024-01-01 07:00:00,7\n")
	if err != nil {
		t.Fatal(err)
	}
	z := curves[0]
	if z.Mean() != 3167 { // 19/6 g
		t.Errorf("mean %s", z.Mean())
	}
	start := z.Runs[0].From
	for _, c := range []struct {
		from, to corehour.Minutes // hours after the start
		most     int
		want     string
	}{
		{-5, 50, 100, "A 2024-01-01T00:00Z [0.00 1.00 2.00 3.00] 2024-01-01T06:00Z [6.00 7.00]\n"},
		{1, 7, 100, "A 2024-01-01T01:00Z [1.00 2.00 3.00] 2024-01-01T06:00Z [6.00]\n"},
		{0, 8, 3, "A 2024-01-01T00:00Z [0.00 1.00 2.00] 2024-01-01T03:00Z [3.00] 2024-01-01T06:00Z [6.00 7.00]\n"},
		{4, 6, 100, "A\n"}, {8, 9, 100, "A\n"}, {-9, 0, 100, "A\n"},
	} {
		pieces := z.Pieces(start.Add(c.from*60), start.Add(c.to*60), c.most)
		if got := shownCurves([]ZoneCurve{{Zone: "A", Runs: pieces}}); got != c.want {
			t.Errorf("from %d to %d by %d: %swant %s", c.from, c.to, c.most, got, c.want)
		}
	}
	z.Shift(24 * 60)
	if got := shownCurves([]ZoneCurve{z}); got != "A 2024-01-02T00:00Z [0.00 1.00 2.00 3.00] 2024-01-02T06:00Z [6.00 7.00]\n" {
		t.Errorf("a day later: %s", got)
	}
}

func TestPower_EnergyIsThatOfTheMethodologyInMilliwattHours(t *testing.T) {
	t.Parallel()
	power, err := PowerOf("n2-standard-8")
	if err != nil {
		t.Fatal(err)
	}
	// (0.6389493581523519 + 0.5 x (3.6424520285114035 - 0.6389493581523519)) x 1.1 = 2.35477... Wh
	if energy, err := power.Energy(); err != nil || energy.String() != "2.355" {
		t.Errorf("%s Wh, %v", energy, err)
	}
}

func TestGridIntensity_IsRoundedHalfUpForTheExchange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]corehour.Intensity{"39.32": 39_320, "0.0005": 1, "0.000499": 0, "10000": corehour.MaxIntensity} {
		if g, err := ParseGridIntensity(text); err != nil || g.Intensity() != want {
			t.Errorf("%s is %d mg, %v, want %d", text, g.Intensity(), err, want)
		}
	}
}
