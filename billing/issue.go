package billing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// IssueInvoices issues an invoice to every consumer, in the order of their
// account ids, whose posted charges up to the end of a month stand on none yet.
// They are final at once. Issuing a month again issues what is new since, or
// nothing. Each invoice is one transaction: after an error those that are
// returned exist and the others can be issued by calling again.
func (s *Service) IssueInvoices(ctx context.Context, period Period) ([]Invoice, error) {
	var invoices []Invoice
	err := s.issueAll(ctx, invoiceSide, period, func(d *document) {
		d.lines = nil
		invoices = append(invoices, d.invoice())
	})
	return invoices, err
}

// IssueStatements issues a statement to every provider, in the order of their
// account ids, like IssueInvoices.
func (s *Service) IssueStatements(ctx context.Context, period Period) ([]Statement, error) {
	var statements []Statement
	err := s.issueAll(ctx, statementSide, period, func(d *document) {
		d.lines = nil
		statements = append(statements, d.statement())
	})
	return statements, err
}

func (s *Service) issueAll(ctx context.Context, sd *side, period Period, each func(*document)) error {
	if now := corehour.InstantOf(s.clock.Now()); period.IsZero() || now < period.End().Instant() {
		err := corehour.Errorf(corehour.KindRejected, CodePeriodNotOver, "the period %s is not over; it ends at %s", period, period.End())
		err.Field = "period"
		return err
	}
	accounts, err := s.accountsToIssue(ctx, sd, period)
	if err != nil {
		return corehour.Internal("billing.issue", err)
	}
	for _, account := range accounts {
		for {
			d, err := s.issue(ctx, sd, account, period)
			if err != nil {
				return err
			}
			if d == nil {
				break
			}
			s.committed()
			each(d)
		}
	}
	return nil
}

func (s *Service) accountsToIssue(ctx context.Context, sd *side, period Period) ([]corehour.AccountID, error) {
	rows, err := s.db.Reader().QueryContext(ctx,
		`SELECT DISTINCT `+sd.account+` FROM billing_charges
		 WHERE state = 'posted' AND `+sd.reference+` = '' AND month <= $1`, period.String())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var accounts []corehour.AccountID
	for rows.Next() {
		var a corehour.AccountID
		if err := rows.Scan(&a); err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	// Sorted here, byte by byte: PostgreSQL's order depends on its locale, and the
	// numbers of the documents must not.
	slices.Sort(accounts)
	return accounts, rows.Err()
}

// errNothing rolls back a transaction that found nothing to issue, with the
// number that it has not used.
var errNothing = errors.New("billing: nothing to issue")

// issue makes one document of an account's charges, nil if there are none. The
// number is taken, the charges are marked and the event is appended in the one
// transaction, so a number without a document cannot be.
func (s *Service) issue(ctx context.Context, sd *side, account corehour.AccountID, period Period) (*document, error) {
	var d *document
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		d = &document{
			side: sd, period: period, account: account,
			currency: s.currency, issuedAt: corehour.InstantOf(s.clock.Now()),
		}
		return s.issueIn(ctx, tx, d)
	})
	if errors.Is(err, errNothing) {
		return nil, nil
	}
	if err != nil {
		if corehour.KindOf(err) != corehour.KindInternal {
			return nil, err
		}
		return nil, corehour.Internal("billing.issue", err)
	}
	return d, nil
}

func (s *Service) issueIn(ctx context.Context, tx *sql.Tx, d *document) error {
	// With the lock no charge is posted between reading and marking them.
	if _, err := lockQueue(ctx, tx); err != nil {
		return err
	}
	last, charges, err := collect(ctx, tx, d, s.documentLeases)
	if err != nil {
		return err
	}
	if len(d.lines) == 0 {
		return errNothing
	}
	if d.number, err = nextNumber(ctx, tx, d.side.series, d.period.Year()); err != nil {
		return err
	}
	if err := describeAccount(ctx, tx, d); err != nil {
		return err
	}
	if d.hash, err = d.contentHash(); err != nil {
		return err
	}
	if err := markCharges(ctx, tx, d, last, charges); err != nil {
		return err
	}
	if err := saveDocument(ctx, tx, d); err != nil {
		return err
	}
	event, err := corehour.NewEvent(d.side.event, d.issuedAt, d.number, d.issuedEvent())
	if err != nil {
		return err
	}
	return bus.Append(ctx, tx, corehour.ProducerBilling, []corehour.Event{event})
}

// collect sums the charges that no document names yet into lines, for at most so
// many leases. It returns the last lease and the number of charges.
func collect(ctx context.Context, tx *sql.Tx, d *document, most int) (last corehour.LeaseID, charges int64, err error) {
	open := `state = 'posted' AND ` + d.side.reference + ` = '' AND ` + d.side.account + ` = $1 AND month <= $2`
	err = tx.QueryRowContext(ctx,
		`SELECT COALESCE(MAX(lease_id), 0) FROM (
		 SELECT DISTINCT lease_id FROM billing_charges WHERE `+open+` ORDER BY lease_id LIMIT $3) AS first_leases`,
		string(d.account), d.period.String(), most).Scan(&last)
	if err != nil {
		return 0, 0, wrap("read charges", err)
	}
	rows, err := tx.QueryContext(ctx,
		`SELECT c.lease_id, c.kind, c.month, c.charges, c.cpu_us, c.amount, c.fee,
		 l.product, l.region, l.units, l.start_minute, l.end_minute, l.price, l.carbon
		 FROM (SELECT lease_id, kind, month, COUNT(*) AS charges, CAST(SUM(cpu_us) AS BIGINT) AS cpu_us,
		       CAST(SUM(amount) AS BIGINT) AS amount, CAST(SUM(fee) AS BIGINT) AS fee
		       FROM billing_charges WHERE `+open+` AND lease_id <= $3 GROUP BY lease_id, kind, month) AS c
		 JOIN billing_leases l ON l.lease_id = c.lease_id ORDER BY c.lease_id, c.month, c.kind DESC`,
		string(d.account), d.period.String(), int64(last))
	if err != nil {
		return 0, 0, wrap("read charges", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l documentLine
		var month string
		var carbon corehour.CarbonRate
		if err := rows.Scan(&l.Lease, &l.Kind, &month, &l.Charges, &l.CPU, &l.gross, &l.fee,
			&l.Product, &l.Region, &l.Units, &l.Start, &l.End, &l.Price, &carbon); err != nil {
			return 0, 0, wrap("read charges", err)
		}
		if l.Month, err = ParsePeriod(month); err != nil {
			return 0, 0, wrap("read charges", err)
		}
		l.net = l.gross - l.fee
		l.Number = int64(len(d.lines)) + 1
		l.CO2e = corehour.Emitted(carbon, l.CPU)
		charges += l.Charges
		if err := d.add(l); err != nil {
			return 0, 0, err
		}
	}
	return last, charges, wrap("read charges", rows.Err())
}

// nextNumber takes the next number of a series. The counter is a row of the same
// transaction: a rollback gives the number back, and whoever comes at the same
// time waits for the row.
func nextNumber(ctx context.Context, tx *sql.Tx, series string, year int) (string, error) {
	name := seriesName(series, year)
	var n int64
	err := tx.QueryRowContext(ctx,
		`INSERT INTO billing_series (name, last) VALUES ($1, 1)
		 ON CONFLICT (name) DO UPDATE SET last = billing_series.last + 1 RETURNING last`, name).Scan(&n)
	if err != nil {
		return "", wrap("number a document", err)
	}
	if n > MaxSeriesNumber {
		return "", corehour.Errorf(corehour.KindRejected, CodeSeriesExhausted, "the series %s has no number left", name)
	}
	return documentNumber(name, n), nil
}

func seriesName(series string, year int) string { return fmt.Sprintf("%s-%04d", series, year) }

func documentNumber(name string, n int64) string { return fmt.Sprintf("%s-%06d", name, n) }

// describeAccount copies who the account is onto the document, which keeps it
// whatever changes later.
func describeAccount(ctx context.Context, tx *sql.Tx, d *document) error {
	err := tx.QueryRowContext(ctx, `SELECT org, name FROM billing_accounts WHERE account = $1`, string(d.account)).Scan(&d.org, &d.name)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("billing: account %s was never opened", d.account)
	}
	return wrap("read an account", err)
}

func markCharges(ctx context.Context, tx *sql.Tx, d *document, last corehour.LeaseID, charges int64) error {
	result, err := tx.ExecContext(ctx,
		`UPDATE billing_charges SET `+d.side.reference+` = $1
		 WHERE state = 'posted' AND `+d.side.reference+` = '' AND `+d.side.account+` = $2 AND month <= $3 AND lease_id <= $4`,
		d.number, string(d.account), d.period.String(), int64(last))
	if err != nil {
		return wrap("mark charges", err)
	}
	marked, err := result.RowsAffected()
	if err != nil {
		return wrap("mark charges", err)
	}
	if marked != charges {
		return fmt.Errorf("billing: %s sums %d charges but %d were marked", d.number, charges, marked)
	}
	return nil
}

func saveDocument(ctx context.Context, tx *sql.Tx, d *document) error {
	head := []any{
		d.number, d.period.String(), string(d.account), string(d.org), d.name, d.currency,
		int64(d.issuedAt), d.lineCount, int64(d.cpu), int64(d.co2e),
	}
	head = append(append(head, d.side.amounts(d.gross, d.fee, d.net)...), d.hash)
	if err := database.Insert(ctx, tx, d.side.table, d.side.headColumns(), [][]any{head}, ""); err != nil {
		return wrap("write a document", err)
	}
	rows := make([][]any, len(d.lines))
	for i := range d.lines {
		l := &d.lines[i]
		rows[i] = append([]any{
			d.number, l.Number, int64(l.Lease), string(l.Kind), l.Month.String(), string(l.Product), string(l.Region),
			int64(l.Units), int64(l.Start), int64(l.End), int64(l.Price), l.Charges, int64(l.CPU), int64(l.CO2e),
		}, d.side.amounts(l.gross, l.fee, l.net)...)
	}
	return wrap("write lines", database.Insert(ctx, tx, d.side.lineTable, d.side.lineColumns(), rows, ""))
}

func (sd *side) amounts(gross, fee, net corehour.Money) []any {
	if sd.hasFee {
		return []any{int64(gross), int64(fee), int64(net)}
	}
	return []any{int64(gross)}
}

func (sd *side) headColumns() []string {
	amounts := "total"
	if sd.hasFee {
		amounts = "gross fee net"
	}
	return strings.Fields("number period " + sd.account + " org name currency issued_at lines cpu_us co2e_mg " + amounts + " hash")
}

func (sd *side) lineColumns() []string {
	amounts := "amount"
	if sd.hasFee {
		amounts = "gross fee net"
	}
	return strings.Fields(sd.reference + " line lease_id kind month product region units start_minute end_minute price charges cpu_us co2e_mg " + amounts)
}
