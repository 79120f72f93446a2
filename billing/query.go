package billing

import (
	"context"
	"strings"

	"github.com/corehour/corehour"
)

// InvoiceFilter selects a page of invoices.
type InvoiceFilter struct {
	Consumer corehour.AccountID // empty: of all
	After    string             // the number that the page begins after
	Limit    int                // at most MaxPage; 0 is MaxPage
}

// StatementFilter selects a page of statements.
type StatementFilter struct {
	Provider corehour.AccountID // empty: of all
	After    string
	Limit    int
}

// Invoices returns a page of invoices without their lines, in the order of their
// numbers.
func (s *Service) Invoices(ctx context.Context, f InvoiceFilter) ([]Invoice, error) {
	documents, err := s.documents(ctx, invoiceSide, f.Consumer, f.After, f.Limit)
	invoices := make([]Invoice, len(documents))
	for i, d := range documents {
		invoices[i] = d.invoice()
	}
	return invoices, err
}

// Statements returns a page of statements without their lines, in the order of
// their numbers.
func (s *Service) Statements(ctx context.Context, f StatementFilter) ([]Statement, error) {
	documents, err := s.documents(ctx, statementSide, f.Provider, f.After, f.Limit)
	statements := make([]Statement, len(documents))
	for i, d := range documents {
		statements[i] = d.statement()
	}
	return statements, err
}

// Invoice returns an invoice with its lines. Whether the caller may see it is for
// the caller to decide by its Consumer.
func (s *Service) Invoice(ctx context.Context, number string) (Invoice, error) {
	d, err := s.document(ctx, invoiceSide, number)
	if err != nil {
		return Invoice{}, err
	}
	return d.invoice(), nil
}

// Statement returns a statement with its lines.
func (s *Service) Statement(ctx context.Context, number string) (Statement, error) {
	d, err := s.document(ctx, statementSide, number)
	if err != nil {
		return Statement{}, err
	}
	return d.statement(), nil
}

func (s *Service) documents(ctx context.Context, sd *side, account corehour.AccountID, after string, limit int) ([]*document, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return nil, err
	}
	documents, err := readDocuments(ctx, s.db.Reader(), sd, account, after, limit)
	if err != nil {
		return nil, corehour.Internal("billing.documents", err)
	}
	return documents, nil
}

func (s *Service) document(ctx context.Context, sd *side, number string) (*document, error) {
	var found *document
	err := s.snapshot(ctx, func(ctx context.Context, q querier) error {
		documents, err := selectDocuments(ctx, q, sd, `WHERE number = $1`, number)
		if err != nil || len(documents) == 0 {
			return err
		}
		found = documents[0]
		return readLines(ctx, q, found)
	})
	if err != nil {
		return nil, corehour.Internal("billing.document", err)
	}
	if found == nil {
		return nil, corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "there is no %s with this number", sd.reference)
	}
	return found, nil
}

// readDocuments reads a page of documents without lines.
func readDocuments(ctx context.Context, q querier, sd *side, account corehour.AccountID, after string, limit int) ([]*document, error) {
	if account != "" {
		return selectDocuments(ctx, q, sd,
			`WHERE `+sd.account+` = $1 AND number > $2 ORDER BY number LIMIT $3`, string(account), after, limit)
	}
	return selectDocuments(ctx, q, sd, `WHERE number > $1 ORDER BY number LIMIT $2`, after, limit)
}

func selectDocuments(ctx context.Context, q querier, sd *side, where string, args ...any) ([]*document, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+strings.Join(sd.headColumns(), ", ")+` FROM `+sd.table+` `+where, args...)
	if err != nil {
		return nil, wrap("read documents", err)
	}
	defer rows.Close()
	var documents []*document
	for rows.Next() {
		d := &document{side: sd}
		var period string
		into := []any{&d.number, &period, &d.account, &d.org, &d.name, &d.currency,
			&d.issuedAt, &d.lineCount, &d.cpu, &d.co2e, &d.gross}
		if sd.hasFee {
			into = append(into, &d.fee, &d.net)
		}
		if err := rows.Scan(append(into, &d.hash)...); err != nil {
			return nil, wrap("read documents", err)
		}
		if d.period, err = ParsePeriod(period); err != nil {
			return nil, wrap("read documents", err)
		}
		documents = append(documents, d)
	}
	return documents, wrap("read documents", rows.Err())
}

// readLines reads the lines of a document.
func readLines(ctx context.Context, q querier, d *document) error {
	rows, err := q.QueryContext(ctx,
		`SELECT `+strings.Join(d.side.lineColumns(), ", ")+` FROM `+d.side.lineTable+`
		 WHERE `+d.side.reference+` = $1 ORDER BY line`, d.number)
	if err != nil {
		return wrap("read lines", err)
	}
	defer rows.Close()
	d.lines = make([]documentLine, 0, d.lineCount)
	for rows.Next() {
		var l documentLine
		var number, month string
		into := []any{&number, &l.Number, &l.Lease, &l.Kind, &month, &l.Product, &l.Region,
			&l.Units, &l.Start, &l.End, &l.Price, &l.Charges, &l.CPU, &l.CO2e, &l.gross}
		if d.side.hasFee {
			into = append(into, &l.fee, &l.net)
		}
		if err := rows.Scan(into...); err != nil {
			return wrap("read lines", err)
		}
		if l.Month, err = ParsePeriod(month); err != nil {
			return wrap("read lines", err)
		}
		d.lines = append(d.lines, l)
	}
	return wrap("read lines", rows.Err())
}
