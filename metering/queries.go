package metering

import (
	"context"
	"database/sql"

	"github.com/corehour/corehour"
)

// MaxPage bounds the records of one page.
const MaxPage = 500

// MaxLeaseHours bounds the hours of one Usage: those of the longest lease.
const MaxLeaseHours = int(corehour.MaxDuration / corehour.MinutesPerHour)

// Usage is what a lease has used so far, or in all once it is closed.
type Usage struct {
	Lease    corehour.LeaseID     `json:"lease"`
	Provider corehour.AccountID   `json:"provider"`
	Consumer corehour.AccountID   `json:"consumer"`
	Units    corehour.Units       `json:"units"`
	Start    corehour.Minute      `json:"start"`
	End      corehour.Minute      `json:"end"`
	Status   corehour.LeaseStatus `json:"status"`
	// EndedAt is nil while the lease has not ended.
	EndedAt *corehour.Instant `json:"ended_at,omitempty"`
	// Closed says that no more usage will be accepted.
	Closed  bool             `json:"closed"`
	Records int64            `json:"records"`
	Used    corehour.CPUTime `json:"cpu_us"`
	// Hours are those that have usage, in order of time.
	Hours []HourUsage `json:"hours"`
}

// HourUsage is the sum of one lease-hour.
type HourUsage struct {
	// Hour is when the lease-hour begins: the lease's start plus whole hours.
	Hour    corehour.Minute  `json:"hour"`
	Records int64            `json:"records"`
	Used    corehour.CPUTime `json:"cpu_us"`
}

// RecordView is an accepted record as it is read back.
type RecordView struct {
	Record
	Hour       corehour.Minute  `json:"hour"`
	ReceivedAt corehour.Instant `json:"received_at"`
	// Sequence is that of the record's event in metering's feed. It rises in the
	// order of acceptance and is the cursor of the next page.
	Sequence int64 `json:"sequence"`
}

// LeaseUsage is the usage of a lease by the hour, or unknown_lease. It does not
// ask who wants to know: Provider and Consumer are there for the caller to check.
func (s *Service) LeaseUsage(ctx context.Context, id corehour.LeaseID) (Usage, error) {
	// The lease is read before its hours: where it says closed, they are complete.
	l, err := s.lease(ctx, id)
	if err != nil {
		return Usage{}, internal("LeaseUsage", err)
	}
	u := Usage{
		Lease: l.id, Provider: l.provider, Consumer: l.consumer, Units: l.units, Start: l.start, End: l.end,
		Status: l.status, EndedAt: l.endedAt, Closed: l.closed, Hours: []HourUsage{},
	}
	err = query(ctx, s.db.Reader(), `SELECT hour, records, cpu_us FROM usage_hours WHERE lease = $1 ORDER BY hour LIMIT $2`,
		[]any{int64(id), MaxLeaseHours}, func(rows *sql.Rows) error {
			var h HourUsage
			if err := rows.Scan(&h.Hour, &h.Records, &h.Used); err != nil {
				return err
			}
			u.Records += h.Records
			u.Used += h.Used
			u.Hours = append(u.Hours, h)
			return nil
		})
	if err != nil {
		return Usage{}, internal("LeaseUsage", err)
	}
	return u, nil
}

// Records are up to limit (at most MaxPage) accepted records of a lease, in the
// order of acceptance, after a sequence: 0 for the first page, then the Sequence
// of the last one read. Fewer than limit is the last page.
func (s *Service) Records(ctx context.Context, id corehour.LeaseID, after int64, limit int) ([]RecordView, error) {
	if limit < 1 || limit > MaxPage {
		return nil, corehour.Invalid("limit", "it is between 1 and %d", MaxPage)
	}
	if after < 0 {
		return nil, corehour.Invalid("after", "it is not below zero")
	}
	if _, err := s.lease(ctx, id); err != nil {
		return nil, internal("Records", err)
	}
	page := make([]RecordView, 0, limit)
	err := query(ctx, s.db.Reader(), `SELECT record_id, from_us, to_us, hour, cpu_us, received_at, sequence
		FROM usage_records WHERE lease = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
		[]any{int64(id), after, limit}, func(rows *sql.Rows) error {
			v := RecordView{Record: Record{Lease: id}}
			err := rows.Scan(&v.RecordID, &v.From, &v.To, &v.Hour, &v.Used, &v.ReceivedAt, &v.Sequence)
			page = append(page, v)
			return err
		})
	if err != nil {
		return nil, internal("Records", err)
	}
	return page, nil
}

// Totals is how many records were ever accepted and what they sum up to. Beyond
// what a CPUTime holds, 2.5 billion CPU-hours, it is an error and never wrong.
func (s *Service) Totals(ctx context.Context) (records int64, used corehour.CPUTime, err error) {
	err = s.db.Reader().QueryRowContext(ctx,
		`SELECT CAST(COALESCE(SUM(records), 0) AS BIGINT), CAST(COALESCE(SUM(cpu_us), 0) AS BIGINT) FROM usage_hours`,
	).Scan(&records, &used)
	return records, used, internal("Totals", err)
}

func (s *Service) lease(ctx context.Context, id corehour.LeaseID) (*lease, error) {
	leases, err := loadLeases(ctx, s.db.Reader(), []corehour.LeaseID{id})
	if err != nil {
		return nil, err
	}
	l := leases[id]
	if l == nil {
		return nil, corehour.Errorf(corehour.KindNotFound, CodeUnknownLease, "there is no such lease")
	}
	return l, nil
}
