package metering_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

// The documented record is reported as it stands, and the documented answer is
// what comes back.
func TestDocs_ExampleIsWhatHappens(t *testing.T) {
	text, err := os.ReadFile("../docs/metering.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of JSON, want a record and an answer", len(blocks))
	}
	var record metering.Record
	strict := json.NewDecoder(strings.NewReader(blocks[0][1]))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&record); err != nil {
		t.Fatal(err)
	}
	var want []metering.Result
	if err := json.Unmarshal([]byte(blocks[1][1]), &want); err != nil {
		t.Fatal(err)
	}

	w := newWorld(t, testenv.SQLite(t))
	from := record.From.FloorMinute()
	w.take(w.matched(record.Lease, prov, 4, from, from.Add(150)), w.started(record.Lease))
	w.clock.set(from.Add(150).Instant())
	second := record
	second.RecordID = want[1].RecordID
	second.From = record.To
	second.To = from.Add(corehour.MinutesPerHour).Instant() + 1
	for i, got := range w.report(prov, record, second) {
		if got != want[i] {
			t.Errorf("result %d is\n%+v, documented is\n%+v", i, got, want[i])
		}
	}
}

func TestDocs_EveryCodeIsListed(t *testing.T) {
	text, err := os.ReadFile("../docs/metering.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("record.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`corehour\.Code += "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 10 {
		t.Fatalf("only %d codes were found in the source", len(codes))
	}
	for _, code := range append(codes, []string{"", string(metering.CodeUnknownLease)}) {
		if !strings.Contains(string(text), "`"+code[1]+"`") {
			t.Errorf("%s is not documented", code[1])
		}
	}
}
