package metering

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// Report takes in up to MaxBatch usage records of one provider and answers each
// in the order given. A batch is not all or nothing: each record stands alone,
// and the outcome is that of reporting them one after another. What was accepted
// is durable, with its events, when Report returns; so after an error or a lost
// answer the same batch is simply reported again.
//
// Its error is invalid (provider or records), too_many_items, or a failure of
// the database, in which case nothing was accepted.
func (s *Service) Report(ctx context.Context, provider corehour.AccountID, records []Record) ([]Result, error) {
	if err := checkBatch(provider, "records", len(records)); err != nil {
		return nil, err
	}
	now := s.now()
	contents := make([]string, len(records))
	for i := range records {
		contents[i] = records[i].content()
	}
	var in *intake
	var results []Result
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var err error
		if in, err = openIntake(ctx, tx, provider, records, now); err != nil {
			return err
		}
		results = make([]Result, len(records))
		for i := range records {
			results[i] = in.take(&records[i], contents[i])
		}
		return in.save(ctx, tx)
	})
	if err != nil {
		return nil, internal("Report", err)
	}
	if len(in.accepted) > 0 {
		s.committed()
	}
	return results, nil
}

// intake is a batch in progress: what had been accepted before it, and what it
// has accepted so far. Everything is decided in memory and then written at once.
type intake struct {
	provider corehour.AccountID
	now      corehour.Instant
	contents map[string]string // of all accepted records, by their id
	leases   map[corehour.LeaseID]*lease
	sums     map[leaseHourKey]usageSum
	accepted []acceptedRecord
}

type acceptedRecord struct {
	Record
	hour    corehour.Minute
	content string
}

// openIntake locks the provider's usage and reads what the batch may touch.
func openIntake(ctx context.Context, tx *sql.Tx, provider corehour.AccountID, records []Record, now corehour.Instant) (*intake, error) {
	in := &intake{provider: provider, now: now}
	known, err := lockProvider(ctx, tx, provider)
	if err != nil || !known {
		// A provider that never had a lease has no records either: every record
		// of it is about an unknown lease.
		return in, err
	}
	recordIDs := make([]string, 0, len(records))
	seen := make(map[corehour.LeaseID]bool, len(records))
	var leaseIDs []corehour.LeaseID
	for i := range records {
		if r := &records[i]; corehour.ValidName(r.RecordID) {
			recordIDs = append(recordIDs, r.RecordID)
			if !seen[r.Lease] {
				seen[r.Lease] = true
				leaseIDs = append(leaseIDs, r.Lease)
			}
		}
	}
	if in.contents, err = loadContents(ctx, tx, provider, recordIDs); err != nil {
		return nil, err
	}
	if in.leases, err = loadLeases(ctx, tx, leaseIDs); err != nil {
		return nil, err
	}
	in.sums, err = loadHours(ctx, tx, in.hoursOf(records))
	return in, err
}

// hoursOf lists the lease-hours that records of known leases may fall in.
func (in *intake) hoursOf(records []Record) []leaseHourKey {
	seen := make(map[leaseHourKey]bool)
	var keys []leaseHourKey
	for i := range records {
		r := &records[i]
		l := in.leases[r.Lease]
		if l == nil || r.From < l.start.Instant() || r.From >= l.end.Instant() {
			continue
		}
		if k := (leaseHourKey{l.id, l.hourOf(r.From)}); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}

// take decides on one record and remembers it where it is accepted.
func (in *intake) take(r *Record, content string) Result {
	result := Result{RecordID: r.RecordID, Lease: r.Lease}
	if before, ok := in.contents[r.RecordID]; ok && before == content {
		result.Status = StatusRepeated
		return result
	}
	if no := in.check(r); no != nil {
		result.Status = StatusRejected
		result.Code, result.Field, result.Message = no.code, no.field, no.message
		return result
	}
	key := leaseHourKey{r.Lease, in.leases[r.Lease].hourOf(r.From)}
	sum := in.sums[key]
	in.sums[key] = usageSum{records: sum.records + 1, used: sum.used + r.Used}
	in.contents[r.RecordID] = content
	in.accepted = append(in.accepted, acceptedRecord{Record: *r, hour: key.hour, content: content})
	result.Status = StatusAccepted
	return result
}

// check decides on a record that is not a repeat.
func (in *intake) check(r *Record) *refusal {
	if !corehour.ValidName(r.RecordID) {
		return refuse(CodeInvalidRecordID, fieldRecordID, "a record id looks like %s", corehour.NamePattern)
	}
	if _, used := in.contents[r.RecordID]; used {
		return refuse(CodeRecordIDReused, fieldRecordID, "you have reported another record under this id")
	}
	l := in.leases[r.Lease]
	if l == nil || l.provider != in.provider {
		return unknownLease()
	}
	var sum usageSum
	if r.From >= l.start.Instant() && r.From < l.end.Instant() {
		sum = in.sums[leaseHourKey{l.id, l.hourOf(r.From)}]
	}
	return check(l, sum.used, r, in.now)
}

// save appends the events of what was accepted and writes the records and sums.
func (in *intake) save(ctx context.Context, tx *sql.Tx) error {
	if len(in.accepted) == 0 {
		return nil
	}
	events, err := in.events()
	if err != nil {
		return err
	}
	// First, because it gives the events the sequences that the records keep.
	if err := bus.Append(ctx, tx, corehour.ProducerMetering, events); err != nil {
		return err
	}
	rows := make([][]any, len(in.accepted))
	added := make(map[leaseHourKey]usageSum)
	var order []leaseHourKey
	for i := range in.accepted {
		a := &in.accepted[i]
		rows[i] = []any{
			string(in.provider), a.RecordID, int64(a.Lease), int64(a.From), int64(a.To),
			int64(a.hour), int64(a.Used), a.content, int64(in.now), events[i].Sequence,
		}
		k := leaseHourKey{a.Lease, a.hour}
		sum, ok := added[k]
		if !ok {
			order = append(order, k)
		}
		added[k] = usageSum{records: sum.records + 1, used: sum.used + a.Used}
	}
	// By lease, as the index of leases is: neighbours share its pages.
	slices.SortStableFunc(rows, func(a, b []any) int { return cmp.Compare(a[2].(int64), b[2].(int64)) })
	err = database.Insert(ctx, tx, "usage_records", []string{
		"provider", "record_id", "lease", "from_us", "to_us", "hour", "cpu_us", "hash", "received_at", "sequence",
	}, rows, "")
	if err != nil {
		return err
	}
	hours := make([][]any, len(order))
	for i, k := range order {
		hours[i] = []any{int64(k.lease), int64(k.hour), added[k].records, int64(added[k].used)}
	}
	return database.Insert(ctx, tx, "usage_hours", []string{"lease", "hour", "records", "cpu_us"}, hours,
		`ON CONFLICT (lease, hour) DO UPDATE SET records = usage_hours.records + excluded.records, cpu_us = usage_hours.cpu_us + excluded.cpu_us`)
}

func (in *intake) events() ([]corehour.Event, error) {
	events := make([]corehour.Event, len(in.accepted))
	for i := range in.accepted {
		a := &in.accepted[i]
		var err error
		events[i], err = corehour.NewEvent(corehour.EventUsageAccepted, in.now, a.Lease.String(), corehour.UsageAccepted{
			Provider: in.provider, RecordID: a.RecordID, Lease: a.Lease,
			From: a.From, To: a.To, Hour: a.hour, Used: a.Used,
		})
		if err != nil {
			return nil, fmt.Errorf("usage event: %w", err)
		}
	}
	return events, nil
}
