package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// The keys of bench, in the order in which they are printed. Their names are
// stable.
const (
	keyStateMachine = "state_machine_per_second"
	keyDurable      = "durable_orders_per_second"
	keyDurableP99   = "durable_p99_ms"
	keyNoop         = "http_noop_per_second"
	keySingle       = "http_single_per_second"
	keyBatch        = "http_batch_orders_per_second"
	keyPostgres     = "postgres_single_per_second"
	keyReplay       = "replay_per_second"
	keyRestart      = "restart_1m_seconds"
	keyBytes        = "bytes_per_open_order"
)

// What is wanted.
const (
	wantStateMachine = 500_000
	wantDurable      = 100_000
	wantDurableP99   = 20
	wantOfNoop       = 0.6
	wantBatch        = 50_000
	wantOverPostgres = 10
	wantReplay       = 300_000
	wantRestart      = 5
	wantBytes        = 1024
)

// target is what a key is compared with; met is nil for one that others are
// compared with.
type target struct {
	key  string
	text string
	met  func(value float64, all map[string]float64) bool
}

func targets() []target {
	atLeast := func(least float64) func(float64, map[string]float64) bool {
		return func(v float64, _ map[string]float64) bool { return v >= least }
	}
	under := func(most float64) func(float64, map[string]float64) bool {
		return func(v float64, _ map[string]float64) bool { return v < most }
	}
	return []target{
		{keyStateMachine, "at least 500,000", atLeast(wantStateMachine)},
		{keyDurable, "at least 100,000", atLeast(wantDurable)},
		{keyDurableP99, "under 20", under(wantDurableP99)},
		{keyNoop, "", nil},
		{keySingle, "at least 60 % of the no-op", func(v float64, all map[string]float64) bool { return v >= wantOfNoop*all[keyNoop] }},
		{keyBatch, "at least 50,000, and 10 times PostgreSQL", func(v float64, all map[string]float64) bool {
			return v >= wantBatch && v >= wantOverPostgres*all[keyPostgres]
		}},
		{keyPostgres, "", nil},
		{keyReplay, "at least 300,000", atLeast(wantReplay)},
		{keyRestart, "under 5", under(wantRestart)},
		{keyBytes, "under 1,024", under(wantBytes)},
	}
}

func benchKeys() []string {
	var keys []string
	for _, t := range targets() {
		keys = append(keys, t.key)
	}
	return keys
}

// details are what stands beside the figures: what a reader needs to judge them.
type details []detail

type detail struct {
	name, text string
	value      any
}

// detail notes a value for programs and what it says to people, if anything.
func (b *bench) detail(name string, value any, format string, args ...any) {
	b.details = append(b.details, detail{name: name, value: value, text: fmt.Sprintf(format, args...)})
}

// writeJSON writes one object: the keys that were asked for, null where one
// could not be measured, and the details.
func (b *bench) writeJSON(out io.Writer) error {
	var object members
	for _, key := range benchKeys() {
		value, measured := b.figures[key]
		switch {
		case !b.wanted(key):
		case measured:
			object.add(key, round(value))
		default:
			object.add(key, nil)
		}
	}
	var about members
	for _, d := range b.details {
		about.add(d.name, d.value)
	}
	object.add("details", json.RawMessage(about.bytes()))
	if object.err != nil || about.err != nil {
		return fmt.Errorf("bench: %w", firstError(about.err, object.err))
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, object.bytes(), "", "  "); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	_, err := fmt.Fprintln(out, indented.String())
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// members are those of a JSON object, in the order in which they were added,
// which a map would not keep.
type members struct {
	texts []string
	err   error
}

func (m *members) add(name string, value any) {
	text, err := json.Marshal(value)
	m.err = firstError(m.err, err)
	m.texts = append(m.texts, strconv.Quote(name)+":"+string(text))
}

func (m *members) bytes() []byte { return []byte("{" + strings.Join(m.texts, ",") + "}") }

// round leaves four digits, which is more than two runs agree in, and never
// makes something nothing.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	if scale < 1 {
		return math.Round(v)
	}
	return math.Round(v*scale) / scale
}

func (b *bench) writeTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var err error
	line := func(format string, args ...any) {
		_, failure := fmt.Fprintf(w, format, args...)
		err = firstError(err, failure)
	}
	line("key\tmeasured\twanted\t\n")
	for _, t := range targets() {
		value, measured := b.figures[t.key]
		switch {
		case !b.wanted(t.key):
		case !measured:
			line("%s\tnot measured\t\tneeds --database-url or DATABASE_URL\n", t.key)
		default:
			line("%s\t%s\t%s\t%s\n", t.key, figure(value), t.text, b.verdict(t, value))
		}
	}
	line("\n")
	for _, d := range b.details {
		if d.text != "" {
			line("%s\n", d.text)
		}
	}
	return firstError(err, w.Flush())
}

func (b *bench) verdict(t target, value float64) string {
	switch {
	case t.met == nil:
		return "for comparison"
	case t.key == keySingle && b.figures[keyNoop] == 0:
		return "not compared: " + keyNoop + " was not measured"
	case !t.met(value, b.figures):
		return "NOT MET"
	case t.key == keyBatch && b.figures[keyPostgres] == 0:
		return "met, not compared with PostgreSQL"
	}
	return "met"
}

// figure writes a number as people read it: 1,234,567 or 0.123.
func figure(v float64) string {
	v = round(v)
	if v < 1000 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
