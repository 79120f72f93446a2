package corehour

import (
	"encoding/json"
	"strconv"
)

// Producer names the owner of a feed of events.
type Producer string

// The producers. Each writes its own outbox and numbers its events from 1
// without gaps.
const (
	ProducerExchange Producer = "exchange"
	ProducerMetering Producer = "metering"
	ProducerBilling  Producer = "billing"
)

// EventType is <owner>.<noun>.<past-verb>.v<N>.
type EventType string

// Event is a fact that has happened, as it stands in an outbox and on the bus.
// (Producer, Sequence) identifies it forever.
type Event struct {
	Producer Producer        `json:"producer"`
	Sequence int64           `json:"sequence"`
	Type     EventType       `json:"type"`
	Time     Instant         `json:"time"`
	Subject  string          `json:"subject"` // what it is about: bid-17, lease-4, an account
	Data     json.RawMessage `json:"data"`

	payload any // what Data says, where it has been decoded
}

// ID is producer/sequence.
func (e *Event) ID() string {
	return string(e.Producer) + "/" + strconv.FormatInt(e.Sequence, 10)
}

// MaxFeedEvents bounds how many events travel in one message of the bus and are
// taken in one transaction of a consumer.
const MaxFeedEvents = 2048
