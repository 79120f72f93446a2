// Package canonical encodes values as deterministic CBOR (RFC 8949, section
// 4.2.1): equal values are equal bytes, so that bytes can be hashed, compared and
// kept. Decoding is strict: unknown fields, duplicate ones and indefinite lengths
// are refused.
package canonical

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

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

// Marshal encodes a value. A type that has no encoding is a programmer's error.
func Marshal(v any) []byte {
	b, err := encoder.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("canonical: %T does not encode: %v", v, err))
	}
	return b
}

// Unmarshal decodes all of b.
func Unmarshal(b []byte, into any) error { return decoder.Unmarshal(b, into) }
