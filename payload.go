package corehour

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// payloadOf makes an empty payload of a type of event: a pointer to the struct
// that its Data is the JSON of. It is nil for the types that this vocabulary does
// not know.
func payloadOf(t EventType) any {
	switch t {
	case EventProductDefined:
		return new(Product)
	case EventRegionDefined:
		return new(Region)
	case EventFeeSet:
		return new(FeeSet)
	case EventAccountOpened:
		return new(AccountOpened)
	case EventFundsDeposited, EventFundsPaidOut:
		return new(FundsMoved)
	case EventOfferPlaced:
		return new(Offer)
	case EventOfferClosed:
		return new(OfferClosed)
	case EventBidPlaced:
		return new(BidPlaced)
	case EventBidClosed:
		return new(BidClosed)
	case EventLeaseMatched:
		return new(LeaseMatched)
	case EventLeaseAccepted, EventLeaseStarted:
		return new(LeaseChanged)
	case EventLeaseEnded:
		return new(LeaseEnded)
	case EventLeaseSettled:
		return new(LeaseSettled)
	case EventChargePosted:
		return new(ChargePosted)
	case EventZoneDefined:
		return new(Zone)
	case EventIntensitySet:
		return new(IntensitySet)
	case EventBidAmended:
		return new(BidAmended)
	case EventOfferAmended:
		return new(OfferAmended)
	case EventCreditSet:
		return new(CreditSet)
	case EventLimitsSet:
		return new(LimitsSet)
	case EventTradingHalted:
		return new(Halt)
	case EventTradingResumed:
		return new(TradingResumed)
	case EventSessionOpened:
		return new(SessionOpened)
	case EventSessionClosed:
		return new(SessionClosed)
	case EventLeaseRulesSet:
		return new(LeaseRules)
	case EventLeaseSuspected:
		return new(LeaseSuspected)
	case EventLeaseRecovered:
		return new(LeaseRecovered)
	case EventInterruptionAnnounced:
		return new(InterruptionAnnounced)
	case EventLeaseDisputed:
		return new(LeaseDisputed)
	case EventDisputeResolved:
		return new(DisputeResolved)
	case EventControlLost, EventControlRegained:
		return new(ControlChanged)
	case EventOutageNoticed:
		return new(OutageNoticed)
	case EventBondPosted, EventBondReleased:
		return new(BondMoved)
	case EventSLACredited:
		return new(SLACredited)
	case EventUsageAccepted:
		return new(UsageAccepted)
	case EventUsageClosed:
		return new(UsageClosed)
	}
	return nil
}

// NewEvent makes an event whose data is JSON. The outbox numbers it. What it was
// made of is its payload, where data is the struct of its type.
func NewEvent(t EventType, at Instant, subject string, data any) (Event, error) {
	encoded, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("event %s of %s: %w", t, subject, err)
	}
	e := Event{Type: t, Time: at, Subject: subject, Data: encoded}
	if payload := payloadOf(t); payload != nil && reflect.TypeOf(payload).Elem() == reflect.TypeOf(data) {
		reflect.ValueOf(payload).Elem().Set(reflect.ValueOf(data))
		e.payload = payload
	}
	return e, nil
}

// Decode reads the event's data and keeps what it says for Payload, so that
// several readers of one event share the work. It is not for concurrent use.
func (e *Event) Decode() error {
	payload := payloadOf(e.Type)
	if payload == nil || e.payload != nil {
		return nil
	}
	if err := json.Unmarshal(e.Data, payload); err != nil {
		return fmt.Errorf("event %s %s: %w", e.ID(), e.Type, err)
	}
	e.payload = payload
	return nil
}

// Payload is what the event's data says: a pointer to the struct of its type,
// nil for a type of which this vocabulary has none. Readers share it and must not
// change it.
func (e *Event) Payload() (any, error) {
	if e.payload != nil {
		return e.payload, nil
	}
	decoded := *e
	err := decoded.Decode()
	return decoded.payload, err
}
