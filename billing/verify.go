package billing

import (
	"context"
	"strconv"
	"strings"

	"github.com/corehour/corehour"
)

// verifyPage is how many documents a check has in memory, without their lines.
const verifyPage = 200

// VerifyInvoices checks every invoice against its hash, its lines and the
// charges that name it, and the numbers for gaps. It returns what is wrong, in
// the order of the numbers, up to MaxFindings; nothing if all is well.
func (s *Service) VerifyInvoices(ctx context.Context) ([]Finding, error) {
	return s.verifyDocuments(ctx, invoiceSide)
}

// VerifyStatements checks every statement like VerifyInvoices.
func (s *Service) VerifyStatements(ctx context.Context) ([]Finding, error) {
	return s.verifyDocuments(ctx, statementSide)
}

func (s *Service) verifyDocuments(ctx context.Context, sd *side) ([]Finding, error) {
	v := &verification{side: sd, last: make(map[string]int64)}
	err := s.snapshot(ctx, func(ctx context.Context, q querier) error {
		if err := v.readCharges(ctx, q); err != nil {
			return err
		}
		if err := v.checkAll(ctx, q); err != nil {
			return err
		}
		return v.checkCounters(ctx, q)
	})
	if err != nil {
		return nil, corehour.Internal("billing.verify", err)
	}
	return v.findings[:min(len(v.findings), MaxFindings)], nil
}

type verification struct {
	side     *side
	charged  map[string]chargedSum // by the number that the charges name
	last     map[string]int64      // by series, the last number seen
	findings []Finding
}

type chargedSum struct {
	count      int64
	gross, fee corehour.Money
}

// readCharges sums the charges of every document, one entry per document.
func (v *verification) readCharges(ctx context.Context, q querier) error {
	v.charged = make(map[string]chargedSum)
	reference := v.side.reference
	rows, err := q.QueryContext(ctx,
		`SELECT `+reference+`, COUNT(*), CAST(SUM(amount) AS BIGINT), CAST(SUM(fee) AS BIGINT)
		 FROM billing_charges WHERE `+reference+` <> '' GROUP BY `+reference)
	if err != nil {
		return wrap("sum charges", err)
	}
	defer rows.Close()
	for rows.Next() {
		var number string
		var c chargedSum
		if err := rows.Scan(&number, &c.count, &c.gross, &c.fee); err != nil {
			return wrap("sum charges", err)
		}
		v.charged[number] = c
	}
	return wrap("sum charges", rows.Err())
}

func (v *verification) checkAll(ctx context.Context, q querier) error {
	after := ""
	for {
		page, err := readDocuments(ctx, q, v.side, "", after, verifyPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, d := range page {
			if err := readLines(ctx, q, d); err != nil {
				return err
			}
			if err := v.check(d); err != nil {
				return err
			}
			after = d.number
			d.lines = nil
		}
	}
}

func (v *verification) check(d *document) error {
	v.checkNumber(d.number)
	hash, err := d.contentHash()
	if err != nil {
		return err
	}
	if hash != d.hash {
		v.foundf(d.number, "its content has changed since it was issued: the hash is %s, not %s", hash, d.hash)
	}
	sum := &document{side: d.side}
	var charges int64
	for _, l := range d.lines {
		charges += l.Charges
		if err := sum.add(l); err != nil {
			v.foundf(d.number, "its lines exceed the range of money")
			return nil
		}
	}
	if sum.gross != d.gross || sum.fee != d.fee || sum.net != d.net || sum.cpu != d.cpu || sum.co2e != d.co2e || sum.lineCount != d.lineCount {
		v.foundf(d.number, "its lines sum to %s, the document says %s", sum.gross, d.gross)
	}
	have := v.charged[d.number]
	delete(v.charged, d.number)
	if have.gross != d.gross || have.count != charges || d.side.hasFee && have.fee != d.fee {
		v.foundf(d.number, "the %d charges that name it sum to %s, the document says %s of %d", have.count, have.gross, d.gross, charges)
	}
	return nil
}

// checkNumber expects each series to count up by one.
func (v *verification) checkNumber(number string) {
	cut := strings.LastIndexByte(number, '-')
	if cut < 0 {
		v.foundf(number, "this is not a number of a series")
		return
	}
	series := number[:cut]
	n, err := strconv.ParseInt(number[cut+1:], 10, 64)
	if err != nil || documentNumber(series, n) != number {
		v.foundf(number, "this is not a number of a series")
		return
	}
	for missing := v.last[series] + 1; missing < n && len(v.findings) < MaxFindings; missing++ {
		v.foundf(documentNumber(series, missing), "it is missing")
	}
	v.last[series] = n
}

// checkCounters expects the counters to stand at the last numbers, and no charge
// to name a document that is not there.
func (v *verification) checkCounters(ctx context.Context, q querier) error {
	rows, err := q.QueryContext(ctx,
		`SELECT name, last FROM billing_series WHERE name LIKE $1 ORDER BY name`, v.side.series+"-%")
	if err != nil {
		return wrap("read series", err)
	}
	defer rows.Close()
	for rows.Next() {
		var series string
		var last int64
		if err := rows.Scan(&series, &last); err != nil {
			return wrap("read series", err)
		}
		if last != v.last[series] {
			v.foundf(documentNumber(series, last), "the series stands here, its last document is number %d", v.last[series])
		}
	}
	for _, number := range sortedKeys(v.charged) {
		v.foundf(number, "charges name it, but it is not there")
	}
	return wrap("read series", rows.Err())
}

func (v *verification) foundf(subject, format string, args ...any) {
	v.findings = append(v.findings, findingf(subject, format, args...))
}
