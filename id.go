package corehour

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Names that people choose. They are compared byte by byte.
type (
	// AccountID names an account, which holds funds and belongs to one organisation.
	AccountID string
	// OrgID names an organisation. A bid never trades with an offer of its own.
	OrgID string
	// ProductID names a class of interchangeable capacity, such as cpu.standard.
	ProductID string
	// RegionID names where capacity runs, such as europe-north1.
	RegionID string
	// ZoneID names an electricity grid zone, such as FI.
	ZoneID string
	// SessionID names a session of an account, such as desk-1.
	SessionID string
)

// Numbers that the exchange issues, rising in the order of the log. Zero is none.
type (
	// OfferID numbers an offer; it is written offer-17.
	OfferID uint64
	// BidID numbers a bid; it is written bid-17.
	BidID uint64
	// LeaseID numbers a lease; it is written lease-17.
	LeaseID uint64
)

// MaxNameBytes bounds every chosen name and every client reference.
const MaxNameBytes = 64

// NamePattern is what a chosen name looks like. It keeps names safe in paths,
// file names, CSV cells and log lines.
const NamePattern = `^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`

var namePattern = regexp.MustCompile(NamePattern)

// ValidName reports whether s may name an account, organisation, product,
// region, zone or reference.
func ValidName[S ~string](s S) bool { return namePattern.MatchString(string(s)) }

const (
	offerPrefix = "offer-"
	bidPrefix   = "bid-"
	leasePrefix = "lease-"
)

func (id OfferID) String() string { return offerPrefix + strconv.FormatUint(uint64(id), 10) }
func (id BidID) String() string   { return bidPrefix + strconv.FormatUint(uint64(id), 10) }
func (id LeaseID) String() string { return leasePrefix + strconv.FormatUint(uint64(id), 10) }

// MarshalText writes offer-N.
func (id OfferID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText writes bid-N.
func (id BidID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText writes lease-N.
func (id LeaseID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads offer-N.
func (id *OfferID) UnmarshalText(b []byte) error {
	return parseNumber(string(b), offerPrefix, (*uint64)(id))
}

// UnmarshalText reads bid-N.
func (id *BidID) UnmarshalText(b []byte) error {
	return parseNumber(string(b), bidPrefix, (*uint64)(id))
}

// UnmarshalText reads lease-N.
func (id *LeaseID) UnmarshalText(b []byte) error {
	return parseNumber(string(b), leasePrefix, (*uint64)(id))
}

// parseNumber accepts exactly what String writes: no sign, no leading zero.
func parseNumber(s, prefix string, into *uint64) error {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseUint(digits, 10, 63)
	if !ok || err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
		return fmt.Errorf("not an identifier like %s17: %.40q", prefix, s)
	}
	*into = n
	return nil
}
