package exchange

import (
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/corehour/corehour"
)

// Commands travel as deterministic CBOR (RFC 8949, section 4.2.1) with numbered
// fields, so that equal commands are equal bytes and old logs stay readable.
var (
	encoder = mustEncoder(cbor.CoreDetEncOptions())
	decoder = mustDecoder(cbor.DecOptions{
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxArrayElements:  1 << 27,
		MaxMapPairs:       1 << 16,
	})
)

func mustEncoder(o cbor.EncOptions) cbor.EncMode {
	mode, err := o.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func mustDecoder(o cbor.DecOptions) cbor.DecMode {
	mode, err := o.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func marshal(v any) []byte {
	b, err := encoder.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("exchange: %T does not encode: %v", v, err))
	}
	return b
}

func unmarshal(b []byte, into any) error { return decoder.Unmarshal(b, into) }

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// batch is one message of the log. Its hash covers every byte of it, its
// Previous among them, so the hash of the newest batch stands for the whole log.
type batch struct {
	Version  uint8   `cbor:"1,keyasint"`
	Writer   string  `cbor:"2,keyasint"`
	Previous Hash    `cbor:"3,keyasint"`
	Entries  []entry `cbor:"4,keyasint"`
}

// entry is one command with the time that it was given.
type entry struct {
	_    struct{} `cbor:",toarray"`
	Kind Kind
	At   corehour.Instant
	Body cbor.RawMessage
}

const batchVersion = 1

// decodeBatch reads one message of the log; it knows nothing about the chain.
func decodeBatch(payload []byte) (batch, error) {
	var b batch
	if err := unmarshal(payload, &b); err != nil {
		return b, fmt.Errorf("batch does not decode: %w", err)
	}
	if b.Version != batchVersion {
		return b, fmt.Errorf("batch has version %d, this program reads %d", b.Version, batchVersion)
	}
	return b, nil
}

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
