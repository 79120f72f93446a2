package providers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corehour/corehour"
)

const priceHeader = "region,machine_type,vcpus,memory_gib,usd_per_hour_ondemand,usd_per_hour_preemptible\n"

func readPriceText(text string) ([]RegionPrice, error) {
	return ReadPrices(strings.NewReader(text), "n2-standard-8")
}

func TestReadPrices_EveryMachineTypeOfTheRealListReads(t *testing.T) {
	t.Parallel()
	regions := make(map[string]int)
	for _, f := range rawTable(t, "price", "gcp-vm-2024-03.derived.csv")[1:] {
		regions[f[1]]++
	}
	for machine, n := range regions {
		list := prices(t, machine)
		sorted := slices.IsSortedFunc(list, func(a, b RegionPrice) int { return strings.Compare(string(a.Region.ID), string(b.Region.ID)) })
		if len(list) != n || !sorted {
			t.Errorf("%s has %d regions, want %d, sorted", machine, len(list), n)
		}
	}
	if len(regions) < 100 {
		t.Errorf("only %d machine types were read", len(regions))
	}
}

func TestReadPrices_DividesByVCPUsAndRoundsDownToTheTick(t *testing.T) {
	t.Parallel()
	list, err := readPriceText(priceHeader +
		"us-east1,n2-standard-8,3,12,1,0.000005999999999999999999999999\n" +
		"asia-east1,n2-standard-8,8,12,0.52235416,8000000\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprint(p.Region.ID, " ", p.OnDemand, " ", p.Preemptible))
	}
	want := []string{"asia-east1 0.065294 1000000.00", "us-east1 0.333333 0.000001"}
	if !slices.Equal(got, want) {
		t.Errorf("have %q, want %q", got, want)
	}
}

func TestReadPrices_FindsColumnsByName(t *testing.T) {
	t.Parallel()
	list, err := readPriceText("\xef\xbb\xbfVCPUS, note ,usd_per_hour_preemptible,machine_type,region,usd_per_hour_ondemand\r\n" +
		"8,\"a, \"\"b\"\"\",0.8,n2-standard-8,us-east1,1.6\r\n\r\n")
	if err != nil || len(list) != 1 || list[0].OnDemand.String() != "0.20" || list[0].Preemptible.String() != "0.10" {
		t.Errorf("have %+v, %v", list, err)
	}
}

func TestReadPrices_RegionsOutsideTheCatalogueNeedTheirPlace(t *testing.T) {
	t.Parallel()
	header := strings.TrimSuffix(priceHeader, "\n") + ",country,continent,zone\n"
	list, err := readPriceText(header +
		"us-east1,n2-standard-8,8,1,1,1,,,\n" +
		"mars-north1,n2-standard-8,8,1,1,1,SE,europe,SE-SE1\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (corehour.Region{ID: "mars-north1", Country: "SE", Continent: "europe", Zone: "SE-SE1"}); list[0].Region != want {
		t.Errorf("have %+v", list[0].Region)
	}
	if want := (corehour.Region{ID: "us-east1", Country: "US", Continent: "north-america", Zone: "US-CAR-SC"}); list[1].Region != want {
		t.Errorf("have %+v", list[1].Region)
	}
	for text, message := range map[string]string{
		priceHeader + "mars-north1,n2-standard-8,8,1,1,1\n":               "line 2: where the region mars-north1 lies is not known",
		header + "mars-north1,n2-standard-8,8,1,1,1,,,\n":                 "line 2: where the region mars-north1 lies is not known",
		header + "mars-north1,n2-standard-8,8,1,1,1,Sweden,europe,SE\n":   "line 2: country",
		header + "mars-north1,n2-standard-8,8,1,1,1,SE,mars,SE\n":         "line 2: continent",
		header + "mars-north1,n2-standard-8,8,1,1,1,SE,europe,\n":         "line 2: zone",
		strings.TrimSuffix(priceHeader, "\n") + ",zone\na,b,8,1,1,1,SE\n": "line 1: no column country",
	} {
		if _, err := readPriceText(text); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v, want %q", text, err, message)
		}
	}
}

func TestReadPrices_ErrorsNameTheLine(t *testing.T) {
	t.Parallel()
	other := "us-west1,n1-standard-1,x,y,z,\n" // is not looked at
	for line, message := range map[string]string{
		"us-east1,n2-standard-8,8,32,,1\n":                                   "line 3: usd_per_hour_ondemand is empty",
		"us-east1,n2-standard-8,8,32,1,\n":                                   "line 3: usd_per_hour_preemptible is empty",
		"us-east1,n2-standard-8,8,32,1,-1\n":                                 "line 3: usd_per_hour_preemptible: not a plain decimal",
		"us-east1,n2-standard-8,8,32,1e999999999,1\n":                        "line 3: usd_per_hour_ondemand: not a plain decimal",
		"us-east1,n2-standard-8,8,32,NaN,1\n":                                "line 3: usd_per_hour_ondemand: not a plain decimal",
		"us-east1,n2-standard-8,8,32,1,0.000007\n":                           "line 3: usd_per_hour_preemptible is 0.000007 for 8 vCPUs, less than the smallest price 0.000001",
		"us-east1,n2-standard-8,8,32,9000000,1\n":                            "line 3: usd_per_hour_ondemand: 1125000 per unit-hour is above",
		"us-east1,n2-standard-8,0,32,1,1\n":                                  "line 3: vcpus is not a whole number",
		"us-east1,n2-standard-8,0.5,32,1,1\n":                                "line 3: vcpus is not a whole number",
		"us-east1,n2-standard-8,99999999999999999999,3,1,1\n":                "line 3: vcpus is not a whole number",
		"us-east1,n2-standard-8,8,32,1\n":                                    "line 3: 5 columns where the header has 6",
		"us-east1,n2-standard-8,8,\"32\"x,1,1\n":                             "line 3: ",
		"us/east1,n2-standard-8,8,32,1,1\n":                                  "line 3: not the name of a region",
		"us-east1,n2-standard-8,8,32,1,1\nus-east1,n2-standard-8,8,32,1,1\n": "line 4: the region us-east1 has this machine type already in line 3",
	} {
		_, err := readPriceText(priceHeader + other + line)
		if corehour.CodeOf(err) != CodeBadTable || corehour.KindOf(err) != corehour.KindInvalid || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v, want %q", line, err, message)
		}
	}
}

func TestReadPrices_MissingColumnNamesTheOthers(t *testing.T) {
	t.Parallel()
	for text, message := range map[string]string{
		"":                             "price list: it is empty",
		"region,machine_type\n":        "no column vcpus; there are region, machine_type",
		"region,region," + priceHeader: "two columns could be meant",
	} {
		if _, err := readPriceText(text); corehour.CodeOf(err) != CodeBadTable || !strings.Contains(err.Error(), message) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadPrices_UnknownMachineNamesSimilarOnes(t *testing.T) {
	t.Parallel()
	_, err := ReadPrices(openData(t, "price", "gcp-vm-2024-03.derived.csv"), "n2-standart-8")
	if corehour.CodeOf(err) != CodeUnknownMachine || !strings.Contains(err.Error(), `"n2-standart-8"`) ||
		!strings.Contains(err.Error(), "are n2-standard-16, n2-standard-2,") {
		t.Errorf("have %v", err)
	}
	if _, err := readPriceText(priceHeader); corehour.CodeOf(err) != CodeUnknownMachine {
		t.Errorf("have %v", err)
	}
}

func TestReadPrices_MoreRegionsThanTheCatalogueHoldsAreRefused(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(strings.TrimSuffix(priceHeader, "\n") + ",country,continent,zone\n")
	for i := range corehour.MaxRegions + 1 {
		fmt.Fprintf(&text, "r%d,n2-standard-8,8,32,1,1,SE,europe,SE\n", i)
	}
	if _, err := readPriceText(text.String()); err == nil || !strings.Contains(err.Error(), "line 258: there are more than 256 regions") {
		t.Errorf("have %v", err)
	}
}

func TestPriceRange_IsFromTheLowestPreemptibleToTheHighestOnDemand(t *testing.T) {
	t.Parallel()
	lowest, highest, err := PriceRange(prices(t, "n2-standard-8"))
	if err != nil || lowest.String() != "0.00671" || highest.String() != "0.07708" {
		t.Errorf("have %s to %s, %v", lowest, highest, err)
	}
	if _, _, err := PriceRange([]RegionPrice{{OnDemand: 1, Preemptible: 2}}); corehour.CodeOf(err) != CodeBadTable {
		t.Errorf("have %v", err)
	}
}

func FuzzReadPrices_PricesAreAboveZeroAndOnTheTick(f *testing.F) {
	f.Add(priceHeader + "us-east1,n2-standard-8,8,32,0.388472,0.10048\n")
	f.Add("\xef\xbb\xbf" + priceHeader + "us-east1,n2-standard-8,\"8\",,1e9,1\r\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readPriceText(text)
		if err != nil {
			if corehour.KindOf(err) != corehour.KindInvalid {
				t.Errorf("%v", err)
			}
			return
		}
		if len(list) == 0 {
			t.Error("an empty list is no error")
		}
		for _, p := range list {
			for _, price := range []corehour.Price{p.OnDemand, p.Preemptible} {
				if price <= 0 || price > corehour.MaxPrice || !price.OnTick() {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}
