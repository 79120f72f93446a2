package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/providers"
)

// MaxWait bounds how long a provider may wait for deliveries in one request.
const MaxWait = 30 * time.Second

const deliveriesPath = "/v1/deliveries"

// Deliveries is a provider's inbox of leases to serve.
type Deliveries interface {
	// Deliveries are those after a cursor, in the order of their cursors.
	Deliveries(ctx context.Context, provider corehour.AccountID, after int64, limit int) ([]providers.Delivery, error)
	// Wait returns nil when there may be something after a cursor, or ctx ends.
	Wait(ctx context.Context, provider corehour.AccountID, after int64) error
}

// Delivery is a lease in its provider's inbox.
type Delivery struct {
	Cursor int64                `json:"cursor" minimum:"1" doc:"Where it stands in the inbox; it rises and never changes." example:"42"`
	Lease  corehour.Lease       `json:"lease"`
	Status corehour.LeaseStatus `json:"status"`
}

// DeliveryPage is part of an inbox.
type DeliveryPage struct {
	Items []Delivery `json:"items"`
	Next  string     `json:"next" doc:"Pass it as after to go on; also when nothing has come." example:"42"`
}

func (s *Server) registerDeliveries() {
	register(s, operation{
		id: "list-deliveries", method: http.MethodGet, path: deliveriesPath, tag: "deliveries",
		summary: "Read the inbox of leases to deliver",
		description: "Leases of the token's account in the order of a rising cursor. With wait the answer comes as soon as " +
			"there is something after the cursor, and is empty when that time has passed.",
		roles: []Role{RoleProvider}, waits: true,
	}, s.listDeliveries)
}

func (s *Server) listDeliveries(ctx context.Context, c Caller, in *struct {
	LimitParam
	After int64 `query:"after" minimum:"0" doc:"The last cursor that was seen; from the beginning if not given." example:"41"`
	Wait  int   `query:"wait" minimum:"0" maximum:"30" doc:"How many seconds to wait for something to come; 0 if not given." example:"20"`
}) (*struct{ Body DeliveryPage }, error) {
	items, err := s.config.Deliveries.Deliveries(ctx, c.Account, in.After, in.limit())
	if err != nil {
		return nil, err
	}
	if len(items) == 0 && in.Wait > 0 {
		if err := s.waitForDelivery(ctx, c.Account, in.After, time.Duration(in.Wait)*time.Second); err != nil {
			return nil, err
		}
		if items, err = s.config.Deliveries.Deliveries(ctx, c.Account, in.After, in.limit()); err != nil {
			return nil, err
		}
	}
	page := DeliveryPage{Items: make([]Delivery, len(items)), Next: strconv.FormatInt(in.After, 10)}
	for i, d := range items {
		page.Items[i] = Delivery{Cursor: d.Cursor, Lease: d.Lease, Status: d.Status}
		page.Next = strconv.FormatInt(d.Cursor, 10)
	}
	return &struct{ Body DeliveryPage }{Body: page}, nil
}

// waitForDelivery ends when something has come, the time has passed or the
// server stops accepting, so that a drain does not wait for those who wait.
func (s *Server) waitForDelivery(ctx context.Context, provider corehour.AccountID, after int64, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, min(wait, s.limits.maxWait))
	defer cancel()
	stop := context.AfterFunc(s.draining, cancel)
	defer stop()
	return s.config.Deliveries.Wait(ctx, provider, after)
}
