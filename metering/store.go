package metering

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// maxInList bounds the values that one statement looks up.
const maxInList = 64

// querier is a transaction or a pool of connections.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// lockProvider makes the caller the only one who takes in or closes usage of a
// provider until its transaction ends. It answers false for a provider that
// never had a lease. It must be the transaction's first statement for that
// provider: what is read after it is what the last holder left.
//
// An UPDATE rather than SELECT ... FOR UPDATE, because both databases take it.
func lockProvider(ctx context.Context, tx *sql.Tx, provider corehour.AccountID) (bool, error) {
	res, err := tx.ExecContext(ctx,
		`UPDATE metering_providers SET touched = touched + 1 WHERE provider = $1`, string(provider))
	if err != nil {
		return false, fmt.Errorf("lock provider: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("lock provider: %w", err)
	}
	return n == 1, nil
}

const leaseColumns = `id, provider, provider_org, consumer, consumer_org, units, starts_at, ends_at, status, ended_at, closed, started`

// loadLeases reads those of the leases that are known.
func loadLeases(ctx context.Context, q querier, ids []corehour.LeaseID) (map[corehour.LeaseID]*lease, error) {
	leases := make(map[corehour.LeaseID]*lease, len(ids))
	err := inChunks(ids, func(part []corehour.LeaseID) error {
		list, args := leaseList(nil, part)
		return query(ctx, q, `SELECT `+leaseColumns+` FROM metering_leases WHERE id IN (`+list+`)`,
			args, func(rows *sql.Rows) error {
				l, err := scanLease(rows)
				if err == nil {
					leases[l.id] = l
				}
				return err
			})
	})
	if err != nil {
		return nil, fmt.Errorf("load leases: %w", err)
	}
	return leases, nil
}

func scanLease(rows *sql.Rows) (*lease, error) {
	var l lease
	var id, closed, started int64
	var endedAt sql.NullInt64
	err := rows.Scan(&id, &l.provider, &l.providerOrg, &l.consumer, &l.consumerOrg,
		&l.units, &l.start, &l.end, &l.status, &endedAt, &closed, &started)
	l.id = corehour.LeaseID(id)
	l.closed, l.started = closed == 1, started == 1
	if endedAt.Valid {
		at := corehour.Instant(endedAt.Int64)
		l.endedAt = &at
	}
	return &l, err
}

// saveLeases writes new leases and the changed status of known ones. Whether
// usage is closed is not touched: only closing writes that.
func saveLeases(ctx context.Context, tx *sql.Tx, leases []*lease) error {
	// In the order of their ids, so that two who save wait but never in a circle.
	slices.SortFunc(leases, func(a, b *lease) int { return cmp.Compare(a.id, b.id) })
	rows := make([][]any, 0, len(leases))
	for _, l := range leases {
		var endedAt, graceFrom any
		if l.endedAt != nil {
			endedAt = int64(*l.endedAt)
		}
		if l.ended() {
			graceFrom = int64(l.graceFrom())
		}
		rows = append(rows, []any{
			int64(l.id), string(l.provider), string(l.providerOrg), string(l.consumer), string(l.consumerOrg),
			int64(l.units), int64(l.start), int64(l.end), string(l.status), endedAt, graceFrom, asInt(l.started),
		})
	}
	return database.Insert(ctx, tx, "metering_leases",
		[]string{"id", "provider", "provider_org", "consumer", "consumer_org",
			"units", "starts_at", "ends_at", "status", "ended_at", "grace_from", "started"}, rows,
		`ON CONFLICT (id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at, grace_from = excluded.grace_from,
		started = excluded.started`)
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// saveProviders makes sure that each provider has the row that lockProvider locks.
func saveProviders(ctx context.Context, tx *sql.Tx, providers []corehour.AccountID) error {
	slices.Sort(providers)
	rows := make([][]any, 0, len(providers))
	for _, p := range slices.Compact(providers) {
		rows = append(rows, []any{string(p), int64(0)})
	}
	return database.Insert(ctx, tx, "metering_providers", []string{"provider", "touched"}, rows,
		`ON CONFLICT (provider) DO NOTHING`)
}

// loadContents reads the content hashes of those of the record ids that the
// provider has used before.
func loadContents(ctx context.Context, q querier, provider corehour.AccountID, recordIDs []string) (map[string]string, error) {
	contents := make(map[string]string, len(recordIDs))
	err := inChunks(recordIDs, func(part []string) error {
		list, args := database.InList([]any{string(provider)}, part, func(id string) any { return id })
		return query(ctx, q, `SELECT record_id, hash FROM usage_records WHERE provider = $1 AND record_id IN (`+
			list+`)`, args, func(rows *sql.Rows) error {
			var id, hash string
			err := rows.Scan(&id, &hash)
			contents[id] = hash
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load records: %w", err)
	}
	return contents, nil
}

// leaseHourKey names one lease-hour.
type leaseHourKey struct {
	lease corehour.LeaseID
	hour  corehour.Minute
}

// usageSum is the number of records and the CPU time they sum up to.
type usageSum struct {
	records int64
	used    corehour.CPUTime
}

// loadHours reads the sums of those of the lease-hours that have any.
func loadHours(ctx context.Context, q querier, keys []leaseHourKey) (map[leaseHourKey]usageSum, error) {
	sums := make(map[leaseHourKey]usageSum, len(keys))
	err := inChunks(keys, func(part []leaseHourKey) error {
		list, args := database.PairList(part, func(k leaseHourKey) (int64, int64) { return int64(k.lease), int64(k.hour) })
		return query(ctx, q, `SELECT lease, hour, records, cpu_us FROM usage_hours WHERE (lease, hour) IN (VALUES `+
			list+`)`, args, func(rows *sql.Rows) error {
			var k leaseHourKey
			var id int64
			var sum usageSum
			err := rows.Scan(&id, &k.hour, &sum.records, &sum.used)
			k.lease = corehour.LeaseID(id)
			sums[k] = sum
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load hours: %w", err)
	}
	return sums, nil
}

// loadTotals sums the usage of leases over their hours.
func loadTotals(ctx context.Context, q querier, ids []corehour.LeaseID) (map[corehour.LeaseID]usageSum, error) {
	totals := make(map[corehour.LeaseID]usageSum, len(ids))
	err := inChunks(ids, func(part []corehour.LeaseID) error {
		list, args := leaseList(nil, part)
		return query(ctx, q, `SELECT lease, CAST(SUM(records) AS BIGINT), CAST(SUM(cpu_us) AS BIGINT) FROM usage_hours WHERE lease IN (`+
			list+`) GROUP BY lease`, args, func(rows *sql.Rows) error {
			var id int64
			var sum usageSum
			err := rows.Scan(&id, &sum.records, &sum.used)
			totals[corehour.LeaseID(id)] = sum
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load totals: %w", err)
	}
	return totals, nil
}

// query reads all rows of a statement.
func query(ctx context.Context, q querier, text string, args []any, each func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// inChunks hands on a list in parts of at most maxInList.
func inChunks[T any](items []T, fn func(part []T) error) error {
	for part := range slices.Chunk(items, maxInList) {
		if err := fn(part); err != nil {
			return err
		}
	}
	return nil
}

// leaseList makes the placeholders and arguments of an IN list of leases that
// follows other arguments.
func leaseList(args []any, ids []corehour.LeaseID) (string, []any) {
	return database.InList(args, ids, func(id corehour.LeaseID) any { return int64(id) })
}
