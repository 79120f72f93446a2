package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// small is a run that takes seconds.
func small(t *testing.T) benchOptions {
	return benchOptions{json: true, duration: 40 * time.Millisecond, divide: 2000, dir: t.TempDir()}
}

// runBench gives the object that a run prints.
func runBench(t *testing.T, o benchOptions) map[string]json.RawMessage {
	t.Helper()
	var out bytes.Buffer
	if err := o.run(t.Context(), &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &object); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if left, err := os.ReadDir(o.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return object
}

func requireAboveZero(t *testing.T, object map[string]json.RawMessage, key string) {
	t.Helper()
	var value float64
	if err := json.Unmarshal(object[key], &value); err != nil || value <= 0 {
		t.Errorf("%s is %s", key, object[key])
	}
}

func TestBench_EveryKeyIsMeasured(t *testing.T) {
	o := small(t)
	o.databaseURL = testenv.PostgresURL(t)
	object := runBench(t, o)
	for _, key := range benchKeys() {
		requireAboveZero(t, object, key)
	}
	if len(object) != len(benchKeys())+1 || object["details"] == nil {
		t.Errorf("%d members", len(object))
	}
}

func TestBench_OnlyWhatIsPickedIsMeasured(t *testing.T) {
	o := small(t)
	o.only = []string{keyDurableP99, keyPostgres}
	object := runBench(t, o)
	requireAboveZero(t, object, keyDurableP99)
	if string(object[keyPostgres]) != "null" {
		t.Errorf("without a PostgreSQL its key is %s", object[keyPostgres])
	}
	if len(object) != 3 {
		t.Errorf("%v", object)
	}
}

func TestBench_PostgresSchemaIsGoneAfterwards(t *testing.T) {
	o := small(t)
	o.only, o.databaseURL = []string{keyPostgres}, testenv.PostgresURL(t)
	runBench(t, o)
	var schemas int
	db := testenv.Open(t, database.Config{URL: o.databaseURL})
	if err := db.Reader().QueryRowContext(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'corehour_bench%'`).Scan(&schemas); err != nil || schemas != 0 {
		t.Errorf("%d schemas are left, %v", schemas, err)
	}
}

func TestBench_WrongUseIsOneLineThatSaysWhatIsRight(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--only", "speed"}, strings.Join(benchKeys(), ", ")},
		{[]string{"--duration", "0s"}, "10ms to 1h"},
		{[]string{"--divide", "0"}, "at least 1"},
		{[]string{"--dir", "/nowhere/at/all"}, "not a directory"},
		{[]string{"--database-url", "mysql://u:secret@h/d"}, "only postgres:// is supported"},
		{[]string{"more"}, "unknown command"},
	} {
		_, stderr, code := corehourCommand(t, nil, append([]string{"bench"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "secret") {
			t.Errorf("%v: exit code %d: %s", c.args, code, stderr)
		}
	}
}

// An interruption ends it soon, and nothing stays behind.
func TestBench_InterruptedLeavesNothing(t *testing.T) {
	o := small(t)
	o.duration = time.Minute
	for _, key := range benchKeys() {
		t.Run(key, func(t *testing.T) {
			o.only, o.dir, o.divide = []string{key}, t.TempDir(), 1
			if key == keyPostgres {
				o.databaseURL = testenv.PostgresURL(t)
			}
			ctx, interrupt := context.WithCancel(t.Context())
			notes := &interrupting{after: 1, interrupt: interrupt}
			if err := o.run(ctx, io.Discard, notes); err == nil || !strings.Contains(err.Error(), "interrupted") {
				t.Errorf("%v", err)
			}
			if left, err := os.ReadDir(o.dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// interrupting interrupts a moment after so many lines of progress.
type interrupting struct {
	after     int
	interrupt func()
}

func (i *interrupting) Write(p []byte) (int, error) {
	if i.after--; i.after == 0 {
		time.AfterFunc(200*time.Millisecond, i.interrupt)
	}
	return len(p), nil
}

// Whoever draws the stream twice gets the same commands, and each kind of them.
func TestStream_IsTheSameEveryTimeAndHasEveryKind(t *testing.T) {
	kinds := map[string]int{}
	var hashes []exchange.Hash
	for range 2 {
		s := newStream(newBenchMarket(100))
		count := func(d drawn) error { kinds[fmt.Sprintf("%T", d.command)]++; return nil }
		if err := s.opening(100, 100, count); err != nil {
			t.Fatal(err)
		}
		if err := s.mix(5000, count); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, s.state.Hash())
	}
	if hashes[0] != hashes[1] {
		t.Error("two draws differ")
	}
	for _, c := range []exchange.Command{exchange.PlaceBid{}, exchange.PlaceOffer{}, exchange.CancelBid{}, exchange.CancelOffer{},
		exchange.AmendBid{}, exchange.AmendOffer{}, exchange.Deposit{}} {
		if kinds[fmt.Sprintf("%T", c)] < 100 {
			t.Errorf("%T comes %d times", c, kinds[fmt.Sprintf("%T", c)])
		}
	}
}

func TestWire_ReadsAnswersAsGoWritesThem(t *testing.T) {
	large := strings.Repeat("0123456789", 20_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if string(body) == "large" { // in chunks
			_, _ = io.WriteString(w, large)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "got %s", body)
	}))
	defer server.Close()
	w, err := dialWire(strings.TrimPrefix(server.URL, "http://"), "/path", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.close() }()
	for i := range 3 { // on one connection
		for body, want := range map[string]string{"a": "got a", "large": large, "": "got "} {
			status, err := w.post([]byte(body))
			if err != nil || (status == http.StatusCreated) != (body != "large") || string(w.body) != want {
				t.Fatalf("%d: %.20q: status %d, %d bytes, %v", i, body, status, len(w.body), err)
			}
		}
	}
}

func TestWire_RefusesWhatIsNoAnswer(t *testing.T) {
	for _, answer := range []string{
		"nonsense\r\n\r\n", "HTTP/1.1 2xx OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return // the test fails for want of an answer
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}()
		w, err := dialWire(listener.Addr().String(), "/", "t")
		if err != nil {
			t.Fatal(err)
		}
		if status, err := w.post(nil); err == nil {
			t.Errorf("%q was read as status %d with %q", answer, status, w.body)
		}
		_, _ = w.close(), listener.Close()
	}
}

func TestFigures_AreWrittenForPeopleAndHeldToTheirTargets(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 0.01234567: "0.01235", 12.3456: "12.35", 999.94: "999.9", 1234.5: "1,235", 1234567: "1,234,567"} {
		if got := figure(value); got != want {
			t.Errorf("%v is written %s", value, got)
		}
	}
	good := map[string]float64{keyStateMachine: 500_000, keyDurable: 100_000, keyDurableP99: 19, keyNoop: 100, keySingle: 60, keyBatch: 50_000, keyPostgres: 5_000,
		keyReplay: 300_000, keyRestart: 4.9, keyBytes: 1023}
	bad := map[string]float64{keyStateMachine: 499_999, keyDurable: 99_999, keyDurableP99: 20, keyNoop: 100, keySingle: 59, keyBatch: 50_000, keyPostgres: 5_001,
		keyReplay: 299_999, keyRestart: 5, keyBytes: 1024}
	for _, target := range targets() {
		if target.met == nil {
			continue
		}
		if !target.met(good[target.key], good) || target.met(bad[target.key], bad) {
			t.Errorf("%s: %v and %v are not told apart", target.key, good[target.key], bad[target.key])
		}
	}
	b := &bench{figures: bad}
	var table bytes.Buffer
	if err := b.writeTable(&table); err != nil || strings.Count(table.String(), "NOT MET") != 8 {
		t.Errorf("%v\n%s", err, table.String())
	}
	if keys := benchKeys(); len(keys) != 10 || !slices.IsSortedFunc(keys, func(a, b string) int { return strings.Index(table.String(), a) - strings.Index(table.String(), b) }) {
		t.Errorf("the keys %v are not in the order of the table\n%s", keys, table.String())
	}
}
