package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/metering"
)

// Metering takes in usage and says what leases used.
type Metering interface {
	Report(ctx context.Context, provider corehour.AccountID, records []metering.Record) ([]metering.Result, error)
	Close(ctx context.Context, provider corehour.AccountID, leases []corehour.LeaseID) ([]metering.Result, error)
	LeaseUsage(ctx context.Context, lease corehour.LeaseID) (metering.Usage, error)
}

// CPUSeconds is CPU time as a decimal string of seconds, to the microsecond.
type CPUSeconds corehour.CPUTime

const microDigits = 6

// UnmarshalText reads seconds with at most six fractional digits, without sign
// or exponent.
func (c *CPUSeconds) UnmarshalText(b []byte) error {
	whole, fraction, point := strings.Cut(string(b), ".")
	// Longer than this is beyond all leases; it also keeps the sum below within 64 bits.
	const maxWholeDigits = 12
	ok := whole != "" && len(whole) <= maxWholeDigits && len(fraction) <= microDigits && (!point || fraction != "")
	for _, c := range []byte(whole + fraction) {
		ok = ok && isDigit(c)
	}
	if !ok {
		return fmt.Errorf("not seconds with at most six fractional digits: %.40q", b)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", microDigits-len(fraction)), 10, 64)
	if err != nil {
		return fmt.Errorf("not seconds with at most six fractional digits: %.40q", b)
	}
	*c = CPUSeconds(n)
	return nil
}

// MarshalText writes seconds with as many fractional digits as it takes.
func (c CPUSeconds) MarshalText() ([]byte, error) {
	const micros = 1_000_000
	b := strconv.AppendInt(nil, int64(c)/micros, 10)
	if rest := int64(c) % micros; rest != 0 {
		b = append(b, strings.TrimRight(fmt.Sprintf(".%06d", rest), "0")...)
	}
	return b, nil
}

// Schema is a decimal string; huma calls it.
func (CPUSeconds) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: `^[0-9]{1,12}(\.[0-9]{1,6})?$`,
		Description: "CPU time in seconds, summed over the units.", Examples: []any{"57600.25"},
	}
}

// ReportUsage is the body of POST /v1/usage.
type ReportUsage struct {
	Records []UsageRecord `json:"records" minItems:"1" maxItems:"1000" doc:"Up to 1000 records. Each stands alone: one that is refused does not keep another out."`
}

// UsageRecord says what a lease used in an interval within one lease-hour.
type UsageRecord struct {
	RecordID string           `json:"record_id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$" doc:"Your name for the record, unique forever among all of yours. The same record again changes nothing." example:"lease-17-hour-0"`
	Lease    corehour.LeaseID `json:"lease" doc:"The lease that used it." example:"lease-17"`
	From     corehour.Instant `json:"from" doc:"When the interval begins." example:"2026-03-01T12:00:00Z"`
	To       corehour.Instant `json:"to" doc:"When it ends, within the same lease-hour; lease-hours count from the lease's start." example:"2026-03-01T13:00:00Z"`
	Used     CPUSeconds       `json:"cpu_seconds" doc:"CPU time used, summed over the units." example:"57600.25"`
}

// CloseUsage is the body of POST /v1/usage/close.
type CloseUsage struct {
	Leases []corehour.LeaseID `json:"leases" minItems:"1" maxItems:"1000" doc:"Ended leases that nothing more will be reported for."`
}

// UsageResults answers each item of a batch, in its order.
type UsageResults struct {
	Items []UsageResult `json:"items"`
}

// UsageResult is what became of one record, or of closing one lease.
type UsageResult struct {
	RecordID string           `json:"record_id,omitempty" example:"lease-17-hour-0"`
	Lease    corehour.LeaseID `json:"lease"`
	Status   string           `json:"status" enum:"accepted,repeated,rejected" doc:"Repeated means accepted before; nothing changed."`
	Code     corehour.Code    `json:"code,omitempty" doc:"Why it was rejected."`
	Field    string           `json:"field,omitempty" doc:"What of the item is to blame." example:"body.records[0].to"`
	Detail   string           `json:"detail,omitempty" doc:"Why it was rejected, for a person."`
}

// LeaseUsage is what a lease used so far.
type LeaseUsage struct {
	Lease   corehour.LeaseID     `json:"lease"`
	Status  corehour.LeaseStatus `json:"status"`
	Closed  bool                 `json:"closed" doc:"Whether no more usage will be accepted."`
	Records int64                `json:"records"`
	Used    CPUSeconds           `json:"cpu_seconds"`
	Hours   []HourUsage          `json:"hours" doc:"The lease-hours that have usage, in order of time."`
}

// HourUsage is the sum of one lease-hour.
type HourUsage struct {
	Hour    corehour.Minute `json:"hour" doc:"When the lease-hour begins."`
	Records int64           `json:"records"`
	Used    CPUSeconds      `json:"cpu_seconds"`
}

func (s *Server) registerUsage() {
	const tag = "usage"
	register(s, operation{
		id: "report-usage", method: http.MethodPost, path: "/v1/usage", tag: tag,
		summary:     "Report usage",
		description: "What is answered accepted is stored and will be billed once. After a lost answer report the same records again.",
		roles:       []Role{RoleProvider},
	}, s.reportUsage)
	register(s, operation{
		id: "close-usage", method: http.MethodPost, path: "/v1/usage/close", tag: tag,
		summary:     "Close the usage of ended leases",
		description: "Your word that all usage of these leases has been reported, so that they can be settled at once.",
		roles:       []Role{RoleProvider},
	}, s.closeUsage)
	register(s, operation{
		id: "get-lease-usage", method: http.MethodGet, path: "/v1/leases/{lease}/usage", tag: tag,
		summary: "Read what a lease used", description: "Its consumer and its provider read it, and finance and operator.",
	}, s.leaseUsage)
}

func (s *Server) reportUsage(ctx context.Context, c Caller, in *withBody[ReportUsage]) (*struct{ Body UsageResults }, error) {
	given := in.Body.value.Records
	records := make([]metering.Record, len(given))
	for i, r := range given {
		records[i] = metering.Record{RecordID: r.RecordID, Lease: r.Lease, From: r.From, To: r.To, Used: corehour.CPUTime(r.Used)}
	}
	results, err := s.config.Metering.Report(ctx, c.Account, records)
	if err != nil {
		return nil, inBody(err)
	}
	return usageResults(results, func(i int, field string) string {
		if field == "cpu_us" {
			field = "cpu_seconds"
		}
		return fmt.Sprintf("body.records[%d].%s", i, field)
	}), nil
}

func (s *Server) closeUsage(ctx context.Context, c Caller, in *withBody[CloseUsage]) (*struct{ Body UsageResults }, error) {
	results, err := s.config.Metering.Close(ctx, c.Account, in.Body.value.Leases)
	if err != nil {
		return nil, inBody(err)
	}
	return usageResults(results, func(i int, _ string) string { return fmt.Sprintf("body.leases[%d]", i) }), nil
}

func usageResults(results []metering.Result, place func(i int, field string) string) *struct{ Body UsageResults } {
	out := &struct{ Body UsageResults }{Body: UsageResults{Items: make([]UsageResult, len(results))}}
	for i, r := range results {
		item := UsageResult{RecordID: r.RecordID, Lease: r.Lease, Status: string(r.Status), Code: r.Code, Detail: r.Message}
		if r.Field != "" {
			item.Field = place(i, r.Field)
		}
		out.Body.Items[i] = item
	}
	return out
}

func (s *Server) leaseUsage(ctx context.Context, c Caller, in *LeaseParam) (*struct{ Body LeaseUsage }, error) {
	// Who may read is decided on the exchange's word, which metering follows.
	lease, err := s.lease(ctx, c, in.Lease.id)
	if err != nil {
		return nil, err
	}
	body := LeaseUsage{Lease: lease.ID, Status: lease.Status, Hours: []HourUsage{}}
	u, err := s.config.Metering.LeaseUsage(ctx, in.Lease.id)
	switch {
	case corehour.KindOf(err) == corehour.KindNotFound:
		// Metering has not heard of the lease yet: nothing has been used.
		return &struct{ Body LeaseUsage }{Body: body}, nil
	case err != nil:
		return nil, err
	}
	body.Closed, body.Records, body.Used = u.Closed, u.Records, CPUSeconds(u.Used)
	for _, h := range u.Hours {
		body.Hours = append(body.Hours, HourUsage{Hour: h.Hour, Records: h.Records, Used: CPUSeconds(h.Used)})
	}
	return &struct{ Body LeaseUsage }{Body: body}, nil
}
