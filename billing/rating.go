package billing

import (
	"fmt"

	"github.com/corehour/corehour"
)

// maxRunningCharges bounds how many charges a lease gets while it runs. Usage
// beyond is charged when the lease closes, one charge per hour and kind, which is
// at most 2 x 8784 more: together they stay below the 100,000 charges that the
// exchange takes for one lease, however finely a provider reports.
const maxRunningCharges = 50_000

// lease is a row of billing_leases and its row of billing_progress.
type lease struct {
	id                        corehour.LeaseID
	product                   corehour.ProductID
	region                    corehour.RegionID
	consumer, provider        corehour.AccountID
	consumerOrg, providerOrg  corehour.OrgID
	units                     corehour.Units
	start, end                corehour.Minute
	price                     corehour.Price
	carbon                    corehour.CarbonRate
	takeOrPay, feeBasisPoints corehour.BasisPoints
	matchedAt                 corehour.Instant

	status      corehour.LeaseStatus // matched, completed, failed or interrupted
	endedAt     corehour.Instant
	freeFrom    corehour.Minute
	used        corehour.CPUTime
	usageClosed bool
	charges     int64 // rated so far, and the number of the last one
	posted      int64 // posted by the exchange so far
	ready       bool  // no charge will follow
	settleID    int64
	settled     bool
	disputed    bool // not to be settled for now

	// Not columns: what has to be written.
	isNew, dirty bool
}

// hourRow is a row of billing_hours.
type hourRow struct {
	lease     corehour.LeaseID
	begins    corehour.Minute
	used      corehour.CPUTime
	billedCPU corehour.CPUTime // what of used stands behind billed
	billed    corehour.Money
}

// ratedCharge is a new row of billing_charges.
type ratedCharge struct {
	Charge
	lease *lease
	cpu   corehour.CPUTime
}

// use adds accepted CPU time to a lease-hour and charges what has come due.
func (l *lease) use(h *hourRow, used corehour.CPUTime) (ratedCharge, bool) {
	h.used += used
	l.used += used
	if l.charges >= maxRunningCharges {
		return ratedCharge{}, false
	}
	return l.chargeUsage(h)
}

// chargeUsage charges the difference between what the hour's use costs so far
// and what was charged for it. Rounding down the whole, not each record, makes
// the sum independent of how the use was cut into records. CPU time too short to
// cost a nano-unit waits for the next record of its hour.
func (l *lease) chargeUsage(h *hourRow) (ratedCharge, bool) {
	due := corehour.UsageCost(l.price, h.used) - h.billed
	if due <= 0 {
		return ratedCharge{}, false
	}
	c := l.nextCharge(corehour.ChargeUsage, h.begins, due, h.used-h.billedCPU)
	h.billed += due
	h.billedCPU = h.used
	return c, true
}

// topUp charges what the agreed minimum of a lease-hour is above its use.
func (l *lease) topUp(begins corehour.Minute, billed corehour.Money) (ratedCharge, bool) {
	missing := l.minimum(begins) - billed
	if missing <= 0 {
		return ratedCharge{}, false
	}
	return l.nextCharge(corehour.ChargeTakeOrPay, begins, missing, 0), true
}

// minimum is the take-or-pay share of what the units cost in the delivered part
// of a lease-hour. Delivered is [start, free_from): after an early end the
// provider can sell the units again, so nothing is owed for that time.
func (l *lease) minimum(begins corehour.Minute) corehour.Money {
	if l.status != corehour.StatusCompleted {
		return 0
	}
	minutes := min(l.freeFrom.Sub(begins), corehour.MinutesPerHour)
	if minutes <= 0 {
		return 0
	}
	return corehour.Cost(l.price, l.units, minutes).Share(l.takeOrPay)
}

func (l *lease) nextCharge(kind corehour.ChargeKind, begins corehour.Minute, amount corehour.Money, cpu corehour.CPUTime) ratedCharge {
	l.charges++
	return ratedCharge{
		Charge: Charge{Lease: l.id, Number: l.charges, Kind: kind, Hour: begins, Amount: amount},
		lease:  l, cpu: cpu,
	}
}

// ended takes in the end of delivery.
func (l *lease) ended(e *corehour.LeaseEnded) error {
	if !e.Status.EndsDelivery() {
		return fmt.Errorf("%s ended with status %q", l.id, e.Status)
	}
	l.status, l.endedAt = e.Status, e.EndedAt
	l.freeFrom = min(e.FreeFrom, l.end)
	return nil
}

// over reports whether nothing more can become due but what closing rates.
func (l *lease) over() bool {
	return l.usageClosed && l.status != corehour.StatusMatched && !l.ready
}

// closingHours is how many hours closing has to look at, 0 where the charges of
// the running lease are already all there will be.
func (l *lease) closingHours() int64 {
	if l.charges < maxRunningCharges && (l.takeOrPay == 0 || l.status != corehour.StatusCompleted) {
		return 0
	}
	return int64(l.end.Sub(l.start)+corehour.MinutesPerHour-1) / int64(corehour.MinutesPerHour)
}

// rateClosing charges, hour by hour, what use was left for the closing and what
// take-or-pay asks beyond the use. It returns the hours that it changed. The lease is
// ready to be settled afterwards.
func (l *lease) rateClosing(hours map[corehour.Minute]*hourRow) (charges []ratedCharge, changed []*hourRow) {
	for begins := l.start; begins < l.end; begins = begins.Add(corehour.MinutesPerHour) {
		var billed corehour.Money
		if h := hours[begins]; h != nil {
			if c, due := l.chargeUsage(h); due {
				charges, changed = append(charges, c), append(changed, h)
			}
			billed = h.billed
		}
		if c, due := l.topUp(begins, billed); due {
			charges = append(charges, c)
		}
	}
	l.ready = true
	return charges, changed
}
