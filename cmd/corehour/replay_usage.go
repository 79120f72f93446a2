package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/metering"
)

// usageReporter reports what the driver's jobs used, as the agents of all
// providers would: in batches, beside the trading.
type usageReporter struct {
	s     *service
	items chan usageItem
	ended chan struct{} // closed when run has ended with err
	err   error
}

// usageItem is one usage record, the last one of its lease where final is set.
type usageItem struct {
	provider corehour.AccountID
	record   metering.Record
	final    bool
}

const (
	usageBatch   = 1000
	usageBacklog = 16 * usageBatch
)

func newUsageReporter(s *service) *usageReporter {
	return &usageReporter{s: s, items: make(chan usageItem, usageBacklog), ended: make(chan struct{})}
}

// report queues a record whose interval is over.
func (u *usageReporter) report(ctx context.Context, item usageItem) error {
	select {
	case u.items <- item:
		return nil
	case <-u.ended:
		return u.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish reports what has queued and returns once metering has all of it.
func (u *usageReporter) finish() error {
	close(u.items)
	<-u.ended
	return u.err
}

// run reports until finish.
func (u *usageReporter) run(ctx context.Context) {
	u.err = u.reportAll(ctx)
	close(u.ended)
}

func (u *usageReporter) reportAll(ctx context.Context) error {
	for first := range u.items {
		batch := []usageItem{first}
		for more := true; more && len(batch) < usageBatch; {
			select {
			case item, ok := <-u.items:
				if more = ok; ok {
					batch = append(batch, item)
				}
			default:
				more = false
			}
		}
		if err := u.reportBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// reportBatch waits until metering knows of the leases as they are by now, then
// reports their usage and closes those that have ended.
func (u *usageReporter) reportBatch(ctx context.Context, batch []usageItem) error {
	if err := u.s.metered(ctx); err != nil {
		return err
	}
	records := make(map[corehour.AccountID][]metering.Record)
	ended := make(map[corehour.AccountID][]corehour.LeaseID)
	for _, item := range batch {
		records[item.provider] = append(records[item.provider], item.record)
		if item.final {
			ended[item.provider] = append(ended[item.provider], item.record.Lease)
		}
	}
	for _, provider := range slices.Sorted(maps.Keys(records)) {
		results, err := u.s.metering.Report(ctx, provider, records[provider])
		if err := allAccepted(results, err); err != nil {
			return err
		}
		if len(ended[provider]) == 0 {
			continue
		}
		results, err = u.s.metering.Close(ctx, provider, ended[provider])
		if err := allAccepted(results, err); err != nil {
			return err
		}
	}
	return nil
}

func allAccepted(results []metering.Result, err error) error {
	for _, r := range results {
		if r.Status == metering.StatusRejected {
			return fmt.Errorf("metering refused %s %s: %s: %s", r.RecordID, r.Lease, r.Code, r.Message)
		}
	}
	return err
}

// metered lets time pass to the clock's and waits until metering has taken what
// has happened by then.
func (s *service) metered(ctx context.Context) error {
	if err := s.do(ctx, exchange.Tick{}); err != nil {
		return err
	}
	return s.taken(ctx, metering.ConsumerName)
}
