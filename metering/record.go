package metering

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/corehour/corehour"
)

// MaxBatch bounds the records of one Report and the leases of one Close.
const MaxBatch = 1_000

// Record is what a provider reports that a lease used in [From, To), which lies
// within one lease-hour.
type Record struct {
	// RecordID is the provider's own name for the record, unique forever among
	// all its records.
	RecordID string           `json:"record_id"`
	Lease    corehour.LeaseID `json:"lease"`
	From     corehour.Instant `json:"from"`
	To       corehour.Instant `json:"to"`
	// Used is CPU time in microseconds, summed over the units. Zero says that
	// the lease was idle.
	Used corehour.CPUTime `json:"cpu_us"`
}

// contentFormat versions what content hashes; it is the first byte hashed.
const contentFormat = 1

// content is the hash of all that a record says besides its name. Two records
// of one name are the same record if and only if it is equal.
func (r *Record) content() string {
	var b [1 + 4*8]byte
	b[0] = contentFormat
	binary.BigEndian.PutUint64(b[1:], uint64(r.Lease))
	binary.BigEndian.PutUint64(b[9:], uint64(r.From))
	binary.BigEndian.PutUint64(b[17:], uint64(r.To))
	binary.BigEndian.PutUint64(b[25:], uint64(r.Used))
	sum := sha256.Sum256(b[:])
	return hex.EncodeToString(sum[:])
}

// Status is what became of one item of a batch.
type Status string

// The outcomes of one record, or of closing one lease.
const (
	StatusAccepted Status = "accepted" // it is stored; its event is in the feed
	StatusRepeated Status = "repeated" // it had been accepted before; nothing changed
	StatusRejected Status = "rejected" // nothing changed; Code says why
)

// Result answers one item of a batch. Code, Field and Message are set where it
// was rejected.
type Result struct {
	RecordID string           `json:"record_id,omitempty"`
	Lease    corehour.LeaseID `json:"lease,omitzero"`
	Status   Status           `json:"status"`
	Code     corehour.Code    `json:"code,omitempty"`
	Field    string           `json:"field,omitempty"`
	Message  string           `json:"message,omitempty"`
}

// Rejection codes. They are stable.
const (
	CodeUnknownLease    corehour.Code = corehour.CodeUnknownLease
	CodeInvalidRecordID corehour.Code = "invalid_record_id"
	CodeRecordIDReused  corehour.Code = "record_id_reused"
	CodeUsageClosed     corehour.Code = "usage_closed"
	CodeLeaseNotActive  corehour.Code = "lease_not_active"
	CodeLeaseNotEnded   corehour.Code = "lease_not_ended"
	CodeBadInterval     corehour.Code = "bad_interval"
	CodeOutsideLease    corehour.Code = "outside_lease"
	CodeSpansHours      corehour.Code = "spans_hours"
	CodeInFuture        corehour.Code = "in_future"
	CodeExceedsCapacity corehour.Code = "exceeds_capacity"
)

// The fields of a record, as a rejection names them.
const (
	fieldRecordID = "record_id"
	fieldLease    = "lease"
	fieldFrom     = "from"
	fieldTo       = "to"
	fieldUsed     = "cpu_us"
)
