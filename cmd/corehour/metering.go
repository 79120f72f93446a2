package main

import (
	"context"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/metering"
)

// currentMetering is metering as the API asks it. Metering learns of leases over
// the bus, a moment after the exchange has answered; a provider that reports right
// after it has started or ended a lease must not be told that there is no such
// lease. So what is refused for that reason is judged again when metering has
// caught up.
type currentMetering struct {
	*metering.Service
	s *service
}

// catchUpWithin bounds the wait for metering; past it the refusal stands.
const catchUpWithin = 5 * time.Second

// Report takes in usage records.
func (m currentMetering) Report(ctx context.Context, provider corehour.AccountID, records []metering.Record) ([]metering.Result, error) {
	return judgeAgain(ctx, m.s, records, func(records []metering.Record) ([]metering.Result, error) {
		return m.Service.Report(ctx, provider, records)
	})
}

// Close closes the usage of leases.
func (m currentMetering) Close(ctx context.Context, provider corehour.AccountID, leases []corehour.LeaseID) ([]metering.Result, error) {
	return judgeAgain(ctx, m.s, leases, func(leases []corehour.LeaseID) ([]metering.Result, error) {
		return m.Service.Close(ctx, provider, leases)
	})
}

func judgeAgain[T any](ctx context.Context, s *service, items []T, judge func([]T) ([]metering.Result, error)) ([]metering.Result, error) {
	results, err := judge(items)
	if err != nil {
		return results, err
	}
	var early []int
	var again []T
	for i, r := range results {
		switch r.Code {
		case metering.CodeUnknownLease, metering.CodeLeaseNotActive, metering.CodeLeaseNotEnded:
			early, again = append(early, i), append(again, items[i])
		}
	}
	if len(early) == 0 {
		return results, nil
	}
	waiting, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	if s.taken(waiting, metering.ConsumerName) != nil {
		return results, nil // metering is behind for long: what it said stands
	}
	second, err := judge(again)
	if err != nil {
		return results, err
	}
	for i, r := range second {
		results[early[i]] = r
	}
	return results, nil
}
