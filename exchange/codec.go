package exchange

import (
	"fmt"

	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/canonical"
)

// Commands travel as deterministic CBOR with numbered fields, so that equal
// commands are equal bytes and old logs stay readable.

func marshal(v any) []byte { return canonical.Marshal(v) }

func unmarshal(b []byte, into any) error { return canonical.Unmarshal(b, into) }

// Hash is a SHA-256.
type Hash = log.Hash

// decodeCommand reads a command's body.
func decodeCommand(kind Kind, body []byte) (Command, error) {
	switch kind {
	case KindTick:
		return decodeAs[Tick](body)
	case KindDefineProduct:
		return decodeAs[DefineProduct](body)
	case KindDefineRegion:
		return decodeAs[DefineRegion](body)
	case KindSetFee:
		return decodeAs[SetFee](body)
	case KindOpenAccount:
		return decodeAs[OpenAccount](body)
	case KindDeposit:
		return decodeAs[Deposit](body)
	case KindPayOut:
		return decodeAs[PayOut](body)
	case KindPlaceOffer:
		return decodeAs[PlaceOffer](body)
	case KindCancelOffer:
		return decodeAs[CancelOffer](body)
	case KindPlaceBid:
		return decodeAs[PlaceBid](body)
	case KindCancelBid:
		return decodeAs[CancelBid](body)
	case KindAcceptLease:
		return decodeAs[AcceptLease](body)
	case KindStartLease:
		return decodeAs[StartLease](body)
	case KindEndLease:
		return decodeAs[EndLease](body)
	case KindPostCharge:
		return decodeAs[PostCharge](body)
	case KindSettleLease:
		return decodeAs[SettleLease](body)
	case KindDefineZone:
		return decodeAs[DefineZone](body)
	case KindSetIntensity:
		return decodeAs[SetIntensity](body)
	case KindPlaceBidGroup:
		return decodeAs[PlaceBidGroup](body)
	case KindAmendBid:
		return decodeAs[AmendBid](body)
	case KindAmendOffer:
		return decodeAs[AmendOffer](body)
	case KindCancelAll:
		return decodeAs[CancelAll](body)
	case KindSetCredit:
		return decodeAs[SetCredit](body)
	case KindSetLimits:
		return decodeAs[SetLimits](body)
	case KindHalt:
		return decodeAs[Halt](body)
	case KindResume:
		return decodeAs[Resume](body)
	case KindOpenSession:
		return decodeAs[OpenSession](body)
	case KindHeartbeat:
		return decodeAs[Heartbeat](body)
	case KindCloseSession:
		return decodeAs[CloseSession](body)
	}
	if decode, ok := leaseDecoders[kind]; ok {
		return decode(body)
	}
	return nil, fmt.Errorf("unknown command kind %d", kind)
}

func decodeAs[C Command](body []byte) (Command, error) {
	var c C
	if err := unmarshal(body, &c); err != nil {
		return nil, fmt.Errorf("command %T does not decode: %w", c, err)
	}
	return c, nil
}

// readBack encodes a command and decodes it again: what is applied is what the log
// will say, and one that would not decode at the next start must not get in.
func readBack(cmd Command) (decoded Command, body []byte, err error) {
	body = marshal(cmd)
	decoded, err = decodeCommand(cmd.kind(), body)
	return decoded, body, err
}
