package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/corehour/corehour"
)

// Invoice is what a consumer owes for a month. It is final when it exists.
type Invoice struct {
	Number   string
	Period   Period
	Consumer corehour.AccountID
	Org      corehour.OrgID
	Name     string // of the account, as it was when the invoice was issued
	Currency string
	IssuedAt corehour.Instant
	// LineCount is the number of lines, also where Lines were not asked for.
	LineCount int64
	Lines     []InvoiceLine
	CPU       corehour.CPUTime
	CO2e      corehour.CarbonMass
	Total     corehour.Money
	// Hash is the SHA-256 of the canonical JSON, in hex.
	Hash string
}

// InvoiceLine sums the charges of one lease, kind and month.
type InvoiceLine struct {
	Line
	Amount corehour.Money
}

// Statement is what a provider earned in a month. It is final when it exists.
type Statement struct {
	Number    string
	Period    Period
	Provider  corehour.AccountID
	Org       corehour.OrgID
	Name      string
	Currency  string
	IssuedAt  corehour.Instant
	LineCount int64
	Lines     []StatementLine
	CPU       corehour.CPUTime
	CO2e      corehour.CarbonMass
	Gross     corehour.Money
	Fee       corehour.Money
	Net       corehour.Money
	Hash      string
}

// StatementLine sums the charges of one lease, kind and month. Net is Gross less Fee.
type StatementLine struct {
	Line
	Gross corehour.Money
	Fee   corehour.Money
	Net   corehour.Money
}

// Line is what the lines of invoices and statements have in common.
type Line struct {
	Number  int64 // 1, 2, 3 ... on its document
	Lease   corehour.LeaseID
	Kind    corehour.ChargeKind
	Month   Period // of the lease-hours; earlier than the document's where a charge came late
	Product corehour.ProductID
	Region  corehour.RegionID
	Units   corehour.Units
	// Start and End are the agreed interval of the lease.
	Start   corehour.Minute
	End     corehour.Minute
	Price   corehour.Price // per unit-hour
	Charges int64          // how many charges the line sums
	CPU     corehour.CPUTime
	CO2e    corehour.CarbonMass
}

// document is an invoice or a statement. What the two share is written once, for
// this; Invoice and Statement are what leaves the package.
type document struct {
	side      *side
	number    string
	period    Period
	account   corehour.AccountID
	org       corehour.OrgID
	name      string
	currency  string
	issuedAt  corehour.Instant
	lineCount int64
	lines     []documentLine
	cpu       corehour.CPUTime
	co2e      corehour.CarbonMass
	gross     corehour.Money
	fee       corehour.Money
	net       corehour.Money // gross less fee, kept so that a change of the column is seen
	hash      string
}

type documentLine struct {
	Line
	gross corehour.Money
	fee   corehour.Money
	net   corehour.Money
}

// side says whose documents these are and where they are kept. Its strings are
// parts of statements of SQL.
type side struct {
	series    string // the prefix of the numbers
	table     string
	lineTable string
	account   string // the column of the account, also in billing_charges
	reference string // the column that names the document, in lines and in billing_charges
	event     corehour.EventType
	// hasFee: the document shows gross, fee and net, otherwise one amount.
	hasFee bool
}

var (
	invoiceSide = &side{
		series: "INV", table: "invoices", lineTable: "invoice_lines",
		account: "consumer", reference: "invoice", event: EventInvoiceIssued,
	}
	statementSide = &side{
		series: "STM", table: "statements", lineTable: "statement_lines",
		account: "provider", reference: "statement", event: EventStatementIssued, hasFee: true,
	}
)

// add appends a line and adds it to the totals.
func (d *document) add(l documentLine) error {
	gross, err := addMoney(d.gross, l.gross)
	if err != nil {
		return err
	}
	d.gross = gross
	d.fee += l.fee // never above the gross amount
	d.net += l.net
	d.cpu += l.CPU
	d.co2e += l.CO2e
	d.lines = append(d.lines, l)
	d.lineCount = int64(len(d.lines))
	return nil
}

func (d *document) invoice() Invoice {
	inv := Invoice{
		Number: d.number, Period: d.period, Consumer: d.account, Org: d.org, Name: d.name,
		Currency: d.currency, IssuedAt: d.issuedAt, LineCount: d.lineCount,
		CPU: d.cpu, CO2e: d.co2e, Total: d.gross, Hash: d.hash,
	}
	if d.lines != nil {
		inv.Lines = make([]InvoiceLine, len(d.lines))
		for i, l := range d.lines {
			inv.Lines[i] = InvoiceLine{Line: l.Line, Amount: l.gross}
		}
	}
	return inv
}

func (d *document) statement() Statement {
	stm := Statement{
		Number: d.number, Period: d.period, Provider: d.account, Org: d.org, Name: d.name,
		Currency: d.currency, IssuedAt: d.issuedAt, LineCount: d.lineCount,
		CPU: d.cpu, CO2e: d.co2e, Gross: d.gross, Fee: d.fee, Net: d.net, Hash: d.hash,
	}
	if d.lines != nil {
		stm.Lines = make([]StatementLine, len(d.lines))
		for i, l := range d.lines {
			stm.Lines[i] = StatementLine{Line: l.Line, Gross: l.gross, Fee: l.fee, Net: l.net}
		}
	}
	return stm
}

// contentHash is the SHA-256 of the canonical JSON: the document without spaces,
// with the fields in their order and without the hash itself.
func (d *document) contentHash() (string, error) {
	var content any
	if d.side == statementSide {
		stm := d.statement()
		stm.Hash = ""
		content = stm
	} else {
		inv := d.invoice()
		inv.Hash = ""
		content = inv
	}
	canonical, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("billing: canonical JSON of %s: %w", d.number, err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// What billing publishes.
const (
	EventInvoiceIssued   corehour.EventType = "billing.invoice.issued.v1"
	EventStatementIssued corehour.EventType = "billing.statement.issued.v1"
)

// InvoiceIssued is the data of EventInvoiceIssued.
type InvoiceIssued struct {
	Number   string             `json:"number"`
	Period   Period             `json:"period"`
	Consumer corehour.AccountID `json:"consumer"`
	Currency string             `json:"currency"`
	Lines    int64              `json:"lines"`
	Total    corehour.Money     `json:"total"`
	Hash     string             `json:"hash"`
}

// StatementIssued is the data of EventStatementIssued.
type StatementIssued struct {
	Number   string             `json:"number"`
	Period   Period             `json:"period"`
	Provider corehour.AccountID `json:"provider"`
	Currency string             `json:"currency"`
	Lines    int64              `json:"lines"`
	Gross    corehour.Money     `json:"gross"`
	Fee      corehour.Money     `json:"fee"`
	Net      corehour.Money     `json:"net"`
	Hash     string             `json:"hash"`
}

func (d *document) issuedEvent() any {
	if d.side == statementSide {
		return StatementIssued{
			Number: d.number, Period: d.period, Provider: d.account, Currency: d.currency,
			Lines: d.lineCount, Gross: d.gross, Fee: d.fee, Net: d.net, Hash: d.hash,
		}
	}
	return InvoiceIssued{
		Number: d.number, Period: d.period, Consumer: d.account, Currency: d.currency,
		Lines: d.lineCount, Total: d.gross, Hash: d.hash,
	}
}
