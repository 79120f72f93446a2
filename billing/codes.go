package billing

import "github.com/corehour/corehour"

// Codes of this package's errors. They are stable.
const (
	// CodePeriodNotOver: documents are issued for months that are over.
	CodePeriodNotOver corehour.Code = "period_not_over"
	// CodeSeriesExhausted: a year has no number left for another document.
	CodeSeriesExhausted corehour.Code = "number_series_exhausted"
	// CodeOutOfRange: a sum does not fit into money any more.
	CodeOutOfRange corehour.Code = "amount_out_of_range"
)

// Limits of this package.
const (
	// MaxPage bounds how many documents or balances one query returns.
	MaxPage = 500
	// MaxDispatch bounds how many charges or settlements go to the exchange at once.
	MaxDispatch = 256
	// MaxDocumentLeases bounds how many leases stand on one document. Who has more
	// in a month gets several documents.
	MaxDocumentLeases = 50_000
	// MaxSeriesNumber is the highest number of a series in a year; it has six digits.
	MaxSeriesNumber = 999_999
	// MaxFindings bounds what one check reports; more would say nothing new.
	MaxFindings = 1_000
)
