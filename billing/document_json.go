package billing

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/corehour/corehour"
)

// DocumentFormat is the version of the JSON form of documents.
const DocumentFormat = 1

// The JSON form of documents. The order of the fields is part of it, because the
// hash is taken over it. CPU time stands as exact microseconds and, for people,
// as CPU-hours, which ten digits cannot always write exactly.

type lineJSON struct {
	Number   int64               `json:"line"`
	Lease    corehour.LeaseID    `json:"lease"`
	Kind     corehour.ChargeKind `json:"kind"`
	Month    Period              `json:"month"`
	Product  corehour.ProductID  `json:"product"`
	Region   corehour.RegionID   `json:"region"`
	Units    corehour.Units      `json:"units"`
	Start    corehour.Minute     `json:"start"`
	End      corehour.Minute     `json:"end"`
	Price    corehour.Price      `json:"price"`
	Charges  int64               `json:"charges"`
	CPU      corehour.CPUTime    `json:"cpu_us"`
	CPUHours string              `json:"cpu_hours"`
	CO2e     kilograms           `json:"co2e_kg"`
}

type invoiceLineJSON struct {
	lineJSON
	Amount corehour.Money `json:"amount"`
}

type statementLineJSON struct {
	lineJSON
	Gross corehour.Money `json:"gross"`
	Fee   corehour.Money `json:"fee"`
	Net   corehour.Money `json:"net"`
}

type invoiceJSON struct {
	Format    int                `json:"format"`
	Number    string             `json:"number"`
	Period    Period             `json:"period"`
	Consumer  corehour.AccountID `json:"consumer"`
	Org       corehour.OrgID     `json:"org"`
	Name      string             `json:"name"`
	Currency  string             `json:"currency"`
	IssuedAt  corehour.Instant   `json:"issued_at"`
	LineCount int64              `json:"line_count"`
	CPU       corehour.CPUTime   `json:"cpu_us"`
	CPUHours  string             `json:"cpu_hours"`
	CO2e      kilograms          `json:"co2e_kg"`
	Total     corehour.Money     `json:"total"`
	Hash      string             `json:"hash,omitempty"`
	Lines     []invoiceLineJSON  `json:"lines,omitempty"`
}

type statementJSON struct {
	Format    int                 `json:"format"`
	Number    string              `json:"number"`
	Period    Period              `json:"period"`
	Provider  corehour.AccountID  `json:"provider"`
	Org       corehour.OrgID      `json:"org"`
	Name      string              `json:"name"`
	Currency  string              `json:"currency"`
	IssuedAt  corehour.Instant    `json:"issued_at"`
	LineCount int64               `json:"line_count"`
	CPU       corehour.CPUTime    `json:"cpu_us"`
	CPUHours  string              `json:"cpu_hours"`
	CO2e      kilograms           `json:"co2e_kg"`
	Gross     corehour.Money      `json:"gross"`
	Fee       corehour.Money      `json:"fee"`
	Net       corehour.Money      `json:"net"`
	Hash      string              `json:"hash,omitempty"`
	Lines     []statementLineJSON `json:"lines,omitempty"`
}

// kilograms writes a mass as a decimal string of kilograms, which is exact: six
// digits are milligrams.
type kilograms corehour.CarbonMass

func (k kilograms) MarshalText() ([]byte, error) {
	return []byte(corehour.CarbonMass(k).Kilograms()), nil
}

func (k *kilograms) UnmarshalText(b []byte) error {
	// A mass has at most as many whole digits as money, and fewer fractional ones.
	m, err := corehour.ParseMoney(string(b))
	*k = kilograms(m / 1_000)
	return err
}

func (l *Line) toJSON() lineJSON {
	return lineJSON{
		Number: l.Number, Lease: l.Lease, Kind: l.Kind, Month: l.Month, Product: l.Product, Region: l.Region,
		Units: l.Units, Start: l.Start, End: l.End, Price: l.Price, Charges: l.Charges,
		CPU: l.CPU, CPUHours: l.CPU.Hours(), CO2e: kilograms(l.CO2e),
	}
}

func (l *lineJSON) line() Line {
	return Line{
		Number: l.Number, Lease: l.Lease, Kind: l.Kind, Month: l.Month, Product: l.Product, Region: l.Region,
		Units: l.Units, Start: l.Start, End: l.End, Price: l.Price, Charges: l.Charges,
		CPU: l.CPU, CO2e: corehour.CarbonMass(l.CO2e),
	}
}

// MarshalJSON writes the invoice's document; lines only where it has them.
func (inv Invoice) MarshalJSON() ([]byte, error) {
	d := invoiceJSON{
		Format: DocumentFormat, Number: inv.Number, Period: inv.Period, Consumer: inv.Consumer, Org: inv.Org,
		Name: inv.Name, Currency: inv.Currency, IssuedAt: inv.IssuedAt, LineCount: inv.LineCount,
		CPU: inv.CPU, CPUHours: inv.CPU.Hours(), CO2e: kilograms(inv.CO2e), Total: inv.Total, Hash: inv.Hash,
	}
	for i := range inv.Lines {
		l := &inv.Lines[i]
		d.Lines = append(d.Lines, invoiceLineJSON{lineJSON: l.toJSON(), Amount: l.Amount})
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (inv *Invoice) UnmarshalJSON(b []byte) error {
	var d invoiceJSON
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*inv = Invoice{
		Number: d.Number, Period: d.Period, Consumer: d.Consumer, Org: d.Org, Name: d.Name, Currency: d.Currency,
		IssuedAt: d.IssuedAt, LineCount: d.LineCount, CPU: d.CPU, CO2e: corehour.CarbonMass(d.CO2e),
		Total: d.Total, Hash: d.Hash,
	}
	for i := range d.Lines {
		inv.Lines = append(inv.Lines, InvoiceLine{Line: d.Lines[i].line(), Amount: d.Lines[i].Amount})
	}
	return nil
}

// MarshalJSON writes the statement's document; lines only where it has them.
func (stm Statement) MarshalJSON() ([]byte, error) {
	d := statementJSON{
		Format: DocumentFormat, Number: stm.Number, Period: stm.Period, Provider: stm.Provider, Org: stm.Org,
		Name: stm.Name, Currency: stm.Currency, IssuedAt: stm.IssuedAt, LineCount: stm.LineCount,
		CPU: stm.CPU, CPUHours: stm.CPU.Hours(), CO2e: kilograms(stm.CO2e),
		Gross: stm.Gross, Fee: stm.Fee, Net: stm.Net, Hash: stm.Hash,
	}
	for i := range stm.Lines {
		l := &stm.Lines[i]
		d.Lines = append(d.Lines, statementLineJSON{lineJSON: l.toJSON(), Gross: l.Gross, Fee: l.Fee, Net: l.Net})
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (stm *Statement) UnmarshalJSON(b []byte) error {
	var d statementJSON
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*stm = Statement{
		Number: d.Number, Period: d.Period, Provider: d.Provider, Org: d.Org, Name: d.Name, Currency: d.Currency,
		IssuedAt: d.IssuedAt, LineCount: d.LineCount, CPU: d.CPU, CO2e: corehour.CarbonMass(d.CO2e),
		Gross: d.Gross, Fee: d.Fee, Net: d.Net, Hash: d.Hash,
	}
	for i := range d.Lines {
		l := &d.Lines[i]
		stm.Lines = append(stm.Lines, StatementLine{Line: l.line(), Gross: l.Gross, Fee: l.Fee, Net: l.Net})
	}
	return nil
}

// WriteInvoiceJSON writes an invoice for a file: indented, with a final newline.
func WriteInvoiceJSON(w io.Writer, inv Invoice) error { return writeJSON(w, inv) }

// WriteStatementJSON writes a statement for a file: indented, with a final newline.
func WriteStatementJSON(w io.Writer, stm Statement) error { return writeJSON(w, stm) }

func writeJSON(w io.Writer, document any) error {
	compact, err := json.Marshal(document)
	if err != nil {
		return wrap("write JSON", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return wrap("write JSON", err)
	}
	indented.WriteByte('\n')
	_, err = w.Write(indented.Bytes())
	return wrap("write JSON", err)
}
