package providers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/corehour/corehour"
)

// Delivery is a lease in its provider's inbox.
type Delivery struct {
	// Cursor rises from delivery to delivery, with gaps, and never changes.
	Cursor int64
	Lease  corehour.Lease
	Status corehour.LeaseStatus
}

// Deliveries are up to limit (at most MaxPage) deliveries of a provider after a
// cursor, in its order; after 0 they begin with the first. A lease that changes
// its status keeps its cursor. Errors: KindInvalid with the field to blame.
func (s *Service) Deliveries(ctx context.Context, provider corehour.AccountID, after int64, limit int) ([]Delivery, error) {
	if err := checkInbox(provider, after); err != nil {
		return nil, err
	}
	if limit < 1 || limit > MaxPage {
		return nil, corehour.Invalid("limit", "it is between 1 and %d", MaxPage)
	}
	rows, err := s.db.Reader().QueryContext(ctx,
		`SELECT sequence, status, data FROM providers_deliveries
		WHERE provider = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
		string(provider), after, limit)
	if err != nil {
		return nil, internal("Deliveries", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var page []Delivery
	for rows.Next() {
		var d Delivery
		var data string
		if err := rows.Scan(&d.Cursor, &d.Status, &data); err != nil {
			return nil, internal("Deliveries", err)
		}
		if err := json.Unmarshal([]byte(data), &d.Lease); err != nil {
			return nil, internal("Deliveries", err)
		}
		page = append(page, d)
	}
	if err := rows.Err(); err != nil {
		return nil, internal("Deliveries", err)
	}
	return page, nil
}

// Wait is for long polls: it returns nil as soon as the provider has a delivery
// after a cursor, or when ctx ends, whichever comes first. The caller then asks
// for Deliveries, which may be none. On the node that took the lease it returns
// at once, on others within Config.Recheck. Errors: KindInvalid with the field
// to blame, KindLimited beyond MaxWaiting, KindInternal.
func (s *Service) Wait(ctx context.Context, provider corehour.AccountID, after int64) error {
	if err := checkInbox(provider, after); err != nil {
		return err
	}
	woken, ok := s.waiting.join(provider)
	if !ok {
		s.logger.WarnContext(ctx, "too many providers wait for deliveries", "most", s.waiting.most)
		return corehour.Errorf(corehour.KindLimited, CodeTooManyWaiting,
			"more than %d are waiting for deliveries; ask again without waiting", s.waiting.most)
	}
	defer s.waiting.leave(provider, woken)
	recheck := time.NewTicker(s.recheck)
	defer recheck.Stop()
	for {
		// The first look comes after join, so no delivery falls between the two.
		found, err := s.hasAfter(ctx, provider, after)
		if ctx.Err() != nil || err == nil && found {
			return nil
		}
		if err != nil {
			return internal("Wait", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-recheck.C:
		}
	}
}

func (s *Service) hasAfter(ctx context.Context, provider corehour.AccountID, after int64) (bool, error) {
	var found int64
	err := s.db.Reader().QueryRowContext(ctx,
		`SELECT COUNT(*) FROM (SELECT 1 FROM providers_deliveries
		WHERE provider = $1 AND sequence > $2 LIMIT 1) AS newer`, string(provider), after).Scan(&found)
	return found > 0, err
}

func checkInbox(provider corehour.AccountID, after int64) error {
	if !corehour.ValidName(provider) {
		return corehour.Invalid("provider", "not the name of an account")
	}
	if after < 0 {
		return corehour.Invalid("after", "it is the cursor of a delivery, or 0")
	}
	return nil
}
