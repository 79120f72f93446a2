package corehour

// What metering publishes.
const (
	EventUsageAccepted EventType = "metering.usage.accepted.v1"
	EventUsageClosed   EventType = "metering.usage.closed.v1"
)

// UsageAccepted is a usage record that metering will never accept again and
// that billing must bill exactly once. A record never spans two lease-hours.
type UsageAccepted struct {
	Provider AccountID `json:"provider"`
	RecordID string    `json:"record_id"`
	Lease    LeaseID   `json:"lease"`
	From     Instant   `json:"from"`
	To       Instant   `json:"to"`
	// Hour is when the lease-hour begins that the record falls in: the lease's
	// start plus whole hours.
	Hour Minute `json:"hour"`
	// Used is CPU time in microseconds, summed over the units.
	Used CPUTime `json:"cpu_us"`
}

// UsageClosed says that no more usage will be accepted for a lease. It comes
// after every UsageAccepted of that lease.
type UsageClosed struct {
	Lease   LeaseID `json:"lease"`
	Records int64   `json:"records"`
	Used    CPUTime `json:"cpu_us"`
}
