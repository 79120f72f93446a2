package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// runReplay runs the program on a log and reads the summary.
func runReplay(t *testing.T, log string) (o *replayOptions, sum map[string]any) {
	t.Helper()
	o = realReplay(t, hpc2nLog)
	o.jobs = log
	_, stderr, code := corehourCommand(t, nil, "replay", "--jobs", o.jobs, "--prices", o.prices, "--carbon", o.carbon,
		"--machine", o.machine, "--capacity", "64", "--out", o.out)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	text, err := os.ReadFile(filepath.Join(o.out, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&sum); err != nil {
		t.Fatal(err)
	}
	return o, sum
}

func TestReplay_SummaryEqualsTheTraceAndTheDatabase(t *testing.T) {
	log := realReplay(t, hpc2nLog).jobs
	o, sum := runReplay(t, log)
	checkKeys(t, sum)
	checkAgainstTrace(t, sum, readPlainLog(t, log))
	checkAgainstDatabase(t, sum, filepath.Join(o.dataDir, sqliteFile))
	checkExports(t, sum, o.out)

	t.Run("the same input gives the same state", func(t *testing.T) {
		_, again := runReplay(t, log)
		for key, value := range sum {
			if fmt.Sprint(again[key]) != fmt.Sprint(value) && key != "wall_seconds" {
				t.Errorf("%s was %v, then %v", key, value, again[key])
			}
		}
	})
	t.Run("verify gives the state hash again", func(t *testing.T) {
		stdout, stderr, code := corehourCommand(t, nil, "verify", "--data-dir", o.dataDir)
		if want := fmt.Sprintf("state_hash %s\n", sum["state_hash"]); code != 0 || !strings.HasSuffix(stdout, want) {
			t.Fatalf("exit code %d, want %s\n%s%s", code, want, stdout, stderr)
		}
		if !strings.Contains(stdout, "ledger adds up and equals the state\n") {
			t.Errorf("verify says\n%s", stdout)
		}
	})
	t.Run("verify notices a changed posting", func(t *testing.T) {
		changeOnePosting(t, filepath.Join(o.dataDir, sqliteFile))
		_, stderr, code := corehourCommand(t, nil, "verify", "--data-dir", o.dataDir)
		if code != 1 || !strings.Contains(stderr, "the books do not hold") {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
	})
}

func changeOnePosting(t *testing.T, file string) {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE ledger_postings SET amount = amount + 1
			WHERE line = 1 AND sequence = (SELECT MIN(sequence) FROM ledger_postings)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkKeys(t *testing.T, sum map[string]any) {
	t.Helper()
	want := strings.Fields(`jobs_read jobs_rejected bids bids_filled bids_partially_filled bids_unfilled leases
		cpu_hours_requested cpu_hours_leased cpu_hours_used cpu_hours_billed amount_billed amount_fees
		amount_paid_to_providers invoices invoice_total ledger_sum co2e_kg wall_seconds state_hash`)
	var have []string
	for key, value := range sum {
		have = append(have, key)
		_, text := value.(string)
		wantText := strings.HasPrefix(key, "cpu_hours") || strings.HasPrefix(key, "amount") ||
			slices.Contains([]string{"invoice_total", "ledger_sum", "state_hash"}, key)
		if text != wantText && key != "jobs_rejected" {
			t.Errorf("%s is %T", key, value)
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("keys are %v, want %v", have, want)
	}
}

// plainJob is a line of a log as a program that knows nothing of ours reads it.
type plainJob struct{ units, runtime, duration int64 }

func readPlainLog(t *testing.T, path string) (jobs []plainJob) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	field := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 18 || strings.HasPrefix(line, ";") {
			continue
		}
		j := plainJob{units: field(f[7]), runtime: field(f[3]), duration: field(f[8])}
		if j.units < 1 {
			j.units = field(f[4])
		}
		if j.duration < 1 {
			j.duration = j.runtime
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// checkAgainstTrace recomputes what follows from the log alone. Every bid of this
// log is filled, so what a job used follows from its run time and request.
func checkAgainstTrace(t *testing.T, sum map[string]any, jobs []plainJob) {
	t.Helper()
	var usable, rejected int64
	requested, used := decimal.Zero, decimal.Zero
	for _, j := range jobs {
		if j.runtime < 1 {
			rejected++
			continue
		}
		usable++
		minutes := (j.duration + 59) / 60
		requested = requested.Add(decimal.NewFromInt(j.units * minutes).Div(decimal.NewFromInt(60)))
		used = used.Add(decimal.NewFromInt(j.units * min(j.runtime, minutes*60)).Div(decimal.NewFromInt(3600)))
	}
	number(t, sum, "jobs_read", int64(len(jobs)))
	number(t, sum, "bids", usable)
	number(t, sum, "bids_filled", usable)
	var refused int64
	for _, n := range sum["jobs_rejected"].(map[string]any) {
		count, err := n.(json.Number).Int64()
		if err != nil {
			t.Fatal(err)
		}
		refused += count
	}
	if refused != rejected {
		t.Errorf("%d jobs rejected, want %d", refused, rejected)
	}
	near(t, sum, "cpu_hours_requested", requested)
	near(t, sum, "cpu_hours_leased", requested)
	near(t, sum, "cpu_hours_used", used)
	near(t, sum, "cpu_hours_billed", used)
}

func number(t *testing.T, sum map[string]any, key string, want int64) {
	t.Helper()
	if fmt.Sprint(sum[key]) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %d", key, sum[key], want)
	}
}

// near compares decimals that were rounded at the tenth digit.
func near(t *testing.T, sum map[string]any, key string, want decimal.Decimal) {
	t.Helper()
	have, err := decimal.NewFromString(fmt.Sprint(sum[key]))
	if err != nil || have.Sub(want).Abs().GreaterThan(decimal.New(1, -6)) {
		t.Errorf("%s is %v, want %s (%v)", key, sum[key], want, err)
	}
}

// checkAgainstDatabase adds up the tables with SQL of its own.
func checkAgainstDatabase(t *testing.T, sum map[string]any, file string) {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for key, query := range map[string]string{
		"bids":   `SELECT COUNT(*) FROM exchange_bids`,
		"leases": `SELECT COUNT(*) FROM exchange_leases WHERE status = 'settled'`,
	} {
		number(t, sum, key, scalar(t, db.Reader(), query))
	}
	for key, query := range map[string]string{
		"amount_billed":            `SELECT SUM(charged_nano) FROM exchange_leases`,
		"amount_fees":              `SELECT SUM(charged_nano * fee_bps / 10000) FROM exchange_leases`,
		"invoice_total":            `SELECT SUM(amount) FROM invoice_lines`,
		"amount_paid_to_providers": `SELECT SUM(charged_nano - fee_paid_nano) FROM exchange_leases`,
	} {
		if want := corehour.Money(scalar(t, db.Reader(), query)).String(); sum[key] != want {
			t.Errorf("%s is %v, SQL says %s", key, sum[key], want)
		}
	}
	used := scalar(t, db.Reader(), `SELECT SUM(CAST(json_extract(data, '$.cpu_us') AS INTEGER)) FROM outbox WHERE type = 'metering.usage.accepted.v1'`)
	if want := corehour.CPUTime(used).Hours(); sum["cpu_hours_used"] != want {
		t.Errorf("cpu_hours_used is %v, the usage events say %s", sum["cpu_hours_used"], want)
	}
	if sum["ledger_sum"] != "0.00" || sum["invoice_total"] != sum["amount_billed"] {
		t.Errorf("ledger sum %v, invoices %v, billed %v", sum["ledger_sum"], sum["invoice_total"], sum["amount_billed"])
	}
	if open := scalar(t, db.Reader(), `SELECT COUNT(*) FROM exchange_bids WHERE closed = ''`); open != 0 {
		t.Errorf("%d bids are open", open)
	}
}

func scalar(t *testing.T, db *sql.DB, query string) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// checkExports adds up the CSV files that finance gets.
func checkExports(t *testing.T, sum map[string]any, dir string) {
	t.Helper()
	lines := column(t, filepath.Join(dir, "invoice_lines.csv"), "amount")
	if total := add(t, lines); total.String() != strip(sum["invoice_total"]) {
		t.Errorf("the invoice lines add up to %s, want %v", total, sum["invoice_total"])
	}
	number(t, sum, "invoices", int64(len(column(t, filepath.Join(dir, "invoices.csv"), "invoice"))))
	if total := add(t, column(t, filepath.Join(dir, "statements.csv"), "net")); total.String() != strip(sum["amount_paid_to_providers"]) {
		t.Errorf("the statements add up to %s, want %v", total, sum["amount_paid_to_providers"])
	}
	checkDocuments(t, sum, filepath.Join(dir, "invoices"))
	if total := add(t, column(t, filepath.Join(dir, "ledger.csv"), "amount")); !total.IsZero() {
		t.Errorf("the ledger adds up to %s", total)
	}
}

// checkDocuments adds up the lines of each invoice as JSON.
func checkDocuments(t *testing.T, sum map[string]any, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	number(t, sum, "invoices", int64(len(files)))
	all := decimal.Zero
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var invoice struct {
			Total decimal.Decimal `json:"total"`
			Lines []struct {
				Amount decimal.Decimal `json:"amount"`
			} `json:"lines"`
		}
		if err := json.Unmarshal(text, &invoice); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		total := decimal.Zero
		for _, line := range invoice.Lines {
			total = total.Add(line.Amount)
		}
		if len(invoice.Lines) == 0 || !total.Equal(invoice.Total) {
			t.Errorf("%s: %d lines add up to %s, total %s", file, len(invoice.Lines), total, invoice.Total)
		}
		all = all.Add(total)
	}
	if all.String() != strip(sum["invoice_total"]) {
		t.Errorf("the invoices add up to %s, want %v", all, sum["invoice_total"])
	}
}

func column(t *testing.T, file, name string) (values []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.Index(rows[0], name)
	if i < 0 {
		t.Fatalf("%s has the columns %v", file, rows[0])
	}
	for _, row := range rows[1:] {
		values = append(values, row[i])
	}
	return values
}

func add(t *testing.T, values []string) decimal.Decimal {
	t.Helper()
	total := decimal.Zero
	for _, v := range values {
		d, err := decimal.NewFromString(v)
		if err != nil {
			t.Fatal(err)
		}
		total = total.Add(d)
	}
	return total
}

func strip(money any) string { return decimal.RequireFromString(money.(string)).String() }

// TestReplay_LogsOfTheWildAreCountedNotGuessedAt replays a log with everything
// that archives contain.
func TestReplay_LogsOfTheWildAreCountedNotGuessedAt(t *testing.T) {
	log := filepath.Join(t.TempDir(), "wild.swf")
	text := strings.Join([]string{
		"1 1000000000 -1 3600 4 -1 -1 -1 -1 -1 1 7 1 1 1 1 -1 -1",            // no header, epoch submit time
		"2 1000000060 5 1800 2 1800.5 -1 4 7200 -1 1 -1 1 1 1 1 -1 -1 extra", // no user, a 19th column
		"2 1000000070 5 1800 2 1800 -1 4 7200 -1 1 8 1 1 1 1 -1 -1",          // duplicate id
		"3 1000000080 5 0 2 0 -1 4 7200 -1 1 8 1 1 1 1 -1 -1",                // did not run
		"4 1000000090 5 100 -1 0 -1 -1 7200 -1 1 8 1 1 1 1 -1 -1",            // unknown processors
		"5 999999990 5 100 1 0 -1 1 60 -1 1 8 1 1 1 1 -1 -1",                 // before the first, longer than requested
		"6 nonsense 5 100 1 0 -1 1 60 -1 1 8 1 1 1 1 -1 -1",                  //
		"7 1000000100 5", // cut off
		"8 1000000200 5 600 5000 0 -1 5000 600 -1 1 9 1 1 1 1 -1 -1", // more than the whole market
	}, "\n")
	if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, sum := runReplay(t, log)
	number(t, sum, "jobs_read", 9)
	number(t, sum, "bids", 4)
	rejected := fmt.Sprint(sum["jobs_rejected"])
	for _, reason := range []string{"duplicate_id:1", "run_time_not_positive:1", "processors_unknown:1", "too_few_columns:1"} {
		if !strings.Contains(rejected, reason) {
			t.Errorf("rejected %s, want %s", rejected, reason)
		}
	}
	var counts int64
	for _, n := range regexp.MustCompile(`:(\d+)`).FindAllStringSubmatch(rejected, -1) {
		count, _ := strconv.ParseInt(n[1], 10, 64)
		counts += count
	}
	if counts != 5 {
		t.Errorf("bids and rejected jobs are not the jobs read: %s", rejected)
	}
	if sum["ledger_sum"] != "0.00" || sum["invoice_total"] != sum["amount_billed"] {
		t.Errorf("%v", sum)
	}
}
