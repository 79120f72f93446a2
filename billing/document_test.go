package billing

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// issuedWorld has one invoice and one statement of two lines.
func issuedWorld(t testing.TB, db *database.DB) *world {
	w := twoLeases(t, db)
	w.clock.set(mustPeriod("2024-01").End())
	_, err := w.service.IssueInvoices(w.ctx, mustPeriod("2024-01"))
	w.must(err)
	_, err = w.service.IssueStatements(w.ctx, mustPeriod("2024-01"))
	w.must(err)
	return w
}

func TestDocument_JSONReadsBackToTheSame(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := issuedWorld(t, db)
		inv, err := w.service.Invoice(w.ctx, "INV-2024-000001")
		w.must(err)
		var file bytes.Buffer
		w.must(WriteInvoiceJSON(&file, inv))
		var back Invoice
		w.must(json.Unmarshal(file.Bytes(), &back))
		if !reflect.DeepEqual(inv, back) {
			t.Errorf("the invoice came back as\n%+v, was\n%+v", back, inv)
		}
		stm, err := w.service.Statement(w.ctx, "STM-2024-000001")
		w.must(err)
		file.Reset()
		w.must(WriteStatementJSON(&file, stm))
		var stmBack Statement
		w.must(json.Unmarshal(file.Bytes(), &stmBack))
		if !reflect.DeepEqual(stm, stmBack) {
			t.Errorf("the statement came back as\n%+v, was\n%+v", stmBack, stm)
		}
	})
}

// The form of the documents is published, so it stands here word for word.
const invoiceText = `{
  "format": 1,
  "number": "INV-2024-000001",
  "period": "2024-01",
  "consumer": "acme",
  "org": "org-acme",
  "name": "=ACME, \"Ltd\"",
  "currency": "USD",
  "issued_at": "2024-02-01T00:00:00Z",
  "line_count": 2,
  "cpu_us": 10800000007,
  "cpu_hours": "3.0000000019",
  "co2e_kg": "0.1719",
  "total": "0.2359",
  "hash": "HASH",
  "lines": [
    {
      "line": 1,
      "lease": "lease-1",
      "kind": "usage",
      "month": "2024-01",
      "product": "cpu.standard",
      "region": "europe-north1",
      "units": 2,
      "start": "2024-01-01T10:00:00Z",
      "end": "2024-01-01T12:30:00Z",
      "price": "0.0337",
      "charges": 3,
      "cpu_us": 10800000007,
      "cpu_hours": "3.0000000019",
      "co2e_kg": "0.1719",
      "amount": "0.1011"
    },
    {
      "line": 2,
      "lease": "lease-2",
      "kind": "take_or_pay",
      "month": "2024-01",
      "product": "cpu.standard",
      "region": "europe-north1",
      "units": 2,
      "start": "2024-01-01T10:00:00Z",
      "end": "2024-01-01T12:30:00Z",
      "price": "0.0337",
      "charges": 3,
      "cpu_us": 0,
      "cpu_hours": "0.00",
      "co2e_kg": "0.00",
      "amount": "0.1348"
    }
  ]
}
`

func TestDocument_InvoiceJSONIsAsPublished(t *testing.T) {
	w := issuedWorld(t, testenv.SQLite(t))
	inv, err := w.service.Invoice(w.ctx, "INV-2024-000001")
	w.must(err)
	var file bytes.Buffer
	w.must(WriteInvoiceJSON(&file, inv))
	if want := strings.Replace(invoiceText, "HASH", inv.Hash, 1); file.String() != want {
		t.Errorf("the document is\n%s\nwant\n%s", file.String(), want)
	}
}

func readCSV(t *testing.T, r *bytes.Reader) (header []string, rows []map[string]string) {
	t.Helper()
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		row := make(map[string]string)
		for i, cell := range record {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return records[0], rows
}

func TestDocument_CSVLinesSumToTheTotal(t *testing.T) {
	w := issuedWorld(t, testenv.SQLite(t))
	inv, err := w.service.Invoice(w.ctx, "INV-2024-000001")
	w.must(err)
	var file bytes.Buffer
	w.must(WriteInvoiceCSV(&file, inv))
	_, rows := readCSV(t, bytes.NewReader(file.Bytes()))
	var sum corehour.Money
	for _, row := range rows {
		amount, err := corehour.ParseMoney(row["amount"])
		w.must(err)
		sum += amount
	}
	if len(rows) != 2 || sum != inv.Total || rows[1]["kind"] != "take_or_pay" || rows[0]["start"] != "2024-01-01T10:00:00Z" {
		t.Errorf("%d rows sum to %s, the invoice says %s: %v", len(rows), sum, inv.Total, rows)
	}
	stm, err := w.service.Statement(w.ctx, "STM-2024-000001")
	w.must(err)
	file.Reset()
	w.must(WriteStatementCSV(&file, stm))
	_, rows = readCSV(t, bytes.NewReader(file.Bytes()))
	if len(rows) != 2 || rows[0]["gross"] != "0.1011" || rows[0]["fee"] != "0.0025275" || rows[0]["net"] != "0.0985725" {
		t.Errorf("statement rows %v", rows)
	}
}

func TestDocument_CSVNeutralisesFormulas(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"=1+1", "'=1+1"}, {"+1", "'+1"}, {"-1", "'-1"}, {"@SUM(A1)", "'@SUM(A1)"}, {"\t=1", "'\t=1"}, {"\r=1", "'\r=1"},
		{"Acme = best", "Acme = best"}, {"", ""}, {"a, \"b\"\nc", "a, \"b\"\nc"},
	} {
		if have := text(c.name); have != c.want {
			t.Errorf("%q became %q, want %q", c.name, have, c.want)
		}
	}
	// The world's consumer is named =ACME; amounts below zero stay numbers.
	w := issuedWorld(t, testenv.SQLite(t))
	dir := t.TempDir()
	w.must(w.service.Export(w.ctx, dir))
	content, err := os.ReadFile(filepath.Join(dir, "invoices.csv"))
	w.must(err)
	_, rows := readCSV(t, bytes.NewReader(content))
	if rows[0]["name"] != `'=ACME, "Ltd"` {
		t.Errorf("the name became %q", rows[0]["name"])
	}
	content, err = os.ReadFile(filepath.Join(dir, "ledger.csv"))
	w.must(err)
	_, rows = readCSV(t, bytes.NewReader(content))
	if rows[0]["account"] != "cash" || rows[0]["amount"] != "-1000.00" {
		t.Errorf("the first posting is %v", rows[0])
	}
}

// files reads every file below a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir+string(filepath.Separator))] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestExport_SameContentSameBytesOnBothDatabases(t *testing.T) {
	want := map[string]string(nil)
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := issuedWorld(t, db)
		dir := filepath.Join(t.TempDir(), "out")
		w.must(w.service.Export(w.ctx, dir))
		first := files(t, dir)
		w.must(w.service.Export(w.ctx, dir)) // over what is there
		if again := files(t, dir); !reflect.DeepEqual(first, again) {
			t.Error("exported again, the files differ")
		}
		for _, name := range []string{
			"invoices.csv", "invoice_lines.csv", "statements.csv", "statement_lines.csv", "ledger.csv",
			"invoices/INV-2024-000001.json", "statements/STM-2024-000001.json",
		} {
			if first[name] == "" {
				t.Errorf("%s is missing or empty", name)
			}
		}
		if len(first) != 7 {
			t.Errorf("%d files, want 7: left-over temporary files?", len(first))
		}
		if want == nil {
			want = first
		}
		if !reflect.DeepEqual(first, want) {
			t.Error("the databases export different files")
		}
	})
}

func TestExport_LedgerFileSumsToZero(t *testing.T) {
	w := issuedWorld(t, testenv.SQLite(t))
	dir := t.TempDir()
	w.must(w.service.Export(w.ctx, dir))
	content, err := os.ReadFile(filepath.Join(dir, "ledger.csv"))
	w.must(err)
	_, rows := readCSV(t, bytes.NewReader(content))
	sums := make(map[string]corehour.Money)
	for _, row := range rows {
		amount, err := corehour.ParseMoney(row["amount"])
		w.must(err)
		sums[row["transaction"]] += amount
	}
	if int64(len(rows)) != w.number(`SELECT COUNT(*) FROM ledger_postings`) || len(sums) < 10 {
		t.Errorf("%d postings of %d transactions", len(rows), len(sums))
	}
	for transaction, sum := range sums {
		if sum != 0 {
			t.Errorf("%s sums to %s", transaction, sum)
		}
	}
}

func TestExport_AFailureLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "invoices.csv")
	w := issuedWorld(t, testenv.SQLite(t))
	dir := filepath.Dir(path)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.exec(`UPDATE invoice_lines SET month = 'broken'`)
	if err := w.service.Export(w.ctx, dir); err == nil {
		t.Fatal("a broken line was exported")
	}
	have := files(t, dir)
	if have["invoices.csv"] != "old" || len(have) != 1 {
		t.Errorf("after the failure the folder holds %v", have)
	}
}
