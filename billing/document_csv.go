package billing

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/corehour/corehour"
)

// The header rows of the CSV documents. Amounts are plain decimals in the
// document's currency; times are RFC 3339 in UTC.
var (
	invoiceHeader = []string{
		"invoice", "period", "consumer", "org", "name", "currency", "issued_at",
		"lines", "cpu_us", "cpu_hours", "co2e_kg", "total", "hash",
	}
	statementHeader = []string{
		"statement", "period", "provider", "org", "name", "currency", "issued_at",
		"lines", "cpu_us", "cpu_hours", "co2e_kg", "gross", "fee", "net", "hash",
	}
	lineHeader = []string{
		"line", "lease", "kind", "month", "product", "region", "units", "start", "end", "price",
		"charges", "cpu_us", "cpu_hours", "co2e_kg",
	}
	invoiceLineHeader   = append(append([]string{"invoice", "consumer", "currency"}, lineHeader...), "amount")
	statementLineHeader = append(append([]string{"statement", "provider", "currency"}, lineHeader...), "gross", "fee", "net")
	ledgerHeader        = []string{"transaction", "time", "type", "subject", "line", "account", "amount"}
)

// WriteInvoiceCSV writes the lines of an invoice, one a row, under a header row.
func WriteInvoiceCSV(w io.Writer, inv Invoice) error {
	c := csv.NewWriter(w)
	err := c.Write(invoiceLineHeader)
	for i := range inv.Lines {
		if err == nil {
			err = c.Write(invoiceLineRow(&inv, &inv.Lines[i]))
		}
	}
	return flush(c, err)
}

// WriteStatementCSV writes the lines of a statement, one a row, under a header row.
func WriteStatementCSV(w io.Writer, stm Statement) error {
	c := csv.NewWriter(w)
	err := c.Write(statementLineHeader)
	for i := range stm.Lines {
		if err == nil {
			err = c.Write(statementLineRow(&stm, &stm.Lines[i]))
		}
	}
	return flush(c, err)
}

func flush(c *csv.Writer, err error) error {
	if err != nil {
		return wrap("write CSV", err)
	}
	c.Flush()
	return wrap("write CSV", c.Error())
}

func invoiceRow(inv *Invoice) []string {
	return []string{
		inv.Number, inv.Period.String(), text(inv.Consumer), text(inv.Org), text(inv.Name), inv.Currency, inv.IssuedAt.String(),
		integer(inv.LineCount), integer(inv.CPU), inv.CPU.Hours(), inv.CO2e.Kilograms(), inv.Total.String(), inv.Hash,
	}
}

func statementRow(stm *Statement) []string {
	return []string{
		stm.Number, stm.Period.String(), text(stm.Provider), text(stm.Org), text(stm.Name), stm.Currency, stm.IssuedAt.String(),
		integer(stm.LineCount), integer(stm.CPU), stm.CPU.Hours(), stm.CO2e.Kilograms(),
		stm.Gross.String(), stm.Fee.String(), stm.Net.String(), stm.Hash,
	}
}

func invoiceLineRow(inv *Invoice, l *InvoiceLine) []string {
	row := append([]string{inv.Number, text(inv.Consumer), inv.Currency}, lineCells(&l.Line)...)
	return append(row, l.Amount.String())
}

func statementLineRow(stm *Statement, l *StatementLine) []string {
	row := append([]string{stm.Number, text(stm.Provider), stm.Currency}, lineCells(&l.Line)...)
	return append(row, l.Gross.String(), l.Fee.String(), l.Net.String())
}

func lineCells(l *Line) []string {
	return []string{
		integer(l.Number), l.Lease.String(), string(l.Kind), l.Month.String(), text(l.Product), text(l.Region),
		integer(l.Units), rfc3339(l.Start), rfc3339(l.End), l.Price.String(),
		integer(l.Charges), integer(l.CPU), l.CPU.Hours(), l.CO2e.Kilograms(),
	}
}

func integer[N ~int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// rfc3339 writes a minute with its seconds, as the JSON documents do.
func rfc3339(m corehour.Minute) string { return m.Instant().String() }

// text is a cell of words that people chose. A spreadsheet takes a cell that
// begins like a formula for one, so such a cell gets an apostrophe in front,
// which spreadsheets read as "this is text". Cells of numbers stay as they are.
func text[S ~string](s S) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + string(s)
	}
	return string(s)
}
