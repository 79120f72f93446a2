package api

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
)

// shape is a request's type as the decoder needs it: the Go type's fields with
// the limits of the schema that the OpenAPI document shows for it.
type shape struct {
	kind shapeKind

	// Objects. A field's number is its bit in required.
	fields   []shapeField
	byName   map[string]int
	required uint64

	// Arrays.
	items              *shape
	minItems, maxItems int

	// Integers.
	min, max int64

	// Strings.
	minLength, maxLength int
	pattern              string
	matches              func([]byte) bool

	// Text: strings that a type of ours reads.
	parse func(v reflect.Value, text []byte) error
}

type shapeField struct {
	name  string
	index []int
	shape *shape
}

type shapeKind uint8

const (
	shapeObject shapeKind = iota + 1
	shapeArray
	shapeString
	shapeText
	shapeInteger
	shapeBoolean
)

func (k shapeKind) String() string {
	return [...]string{"", "an object", "an array", "a string", "a string", "an integer", "true or false"}[k]
}

// maxFields is how many fields a body's object may have: one bit each.
const maxFields = 64

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

// shapeOf compiles the schema of a type. It panics where the two do not fit or
// where the schema asks for what the decoder does not check: that is a mistake
// in this package, found when the server is made.
func shapeOf(r huma.Registry, schema *huma.Schema, t reflect.Type) *shape {
	for schema.Ref != "" {
		schema = r.SchemaFromRef(schema.Ref)
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	refuseUncheckable(schema, t)
	switch schema.Type {
	case huma.TypeObject:
		return objectShape(r, schema, t)
	case huma.TypeArray:
		s := &shape{kind: shapeArray, items: shapeOf(r, schema.Items, t.Elem())}
		if schema.MaxItems == nil {
			panic("api: no limit to the items of " + t.String())
		}
		s.maxItems = *schema.MaxItems
		if schema.MinItems != nil {
			s.minItems = *schema.MinItems
		}
		return s
	case huma.TypeInteger:
		s := &shape{kind: shapeInteger, min: math.MinInt64, max: math.MaxInt64}
		if schema.Minimum == nil || schema.Maximum == nil {
			panic("api: no limits to the integer " + t.String())
		}
		s.min, s.max = int64(*schema.Minimum), int64(*schema.Maximum)
		return s
	case huma.TypeBoolean:
		return &shape{kind: shapeBoolean}
	case huma.TypeString:
		return stringShape(schema, t)
	}
	panic("api: a request cannot hold a " + t.String())
}

func refuseUncheckable(s *huma.Schema, t reflect.Type) {
	if s.OneOf != nil || s.AnyOf != nil || s.AllOf != nil || s.Not != nil || s.MultipleOf != nil || s.UniqueItems ||
		s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil || s.MinProperties != nil || s.MaxProperties != nil ||
		len(s.DependentRequired) > 0 || s.Default != nil {
		panic("api: the decoder does not check all of the schema of " + t.String())
	}
}

func objectShape(r huma.Registry, schema *huma.Schema, t reflect.Type) *shape {
	s := &shape{kind: shapeObject, byName: map[string]int{}}
	required := map[string]bool{}
	for _, name := range schema.Required {
		required[name] = true
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := schema.Properties[name]
		if f.Anonymous || name == "" || property == nil {
			continue
		}
		n := len(s.fields)
		if n == maxFields {
			panic("api: too many fields in " + t.String())
		}
		s.fields = append(s.fields, shapeField{name: name, index: f.Index, shape: shapeOf(r, property, f.Type)})
		s.byName[name] = n
		if required[name] {
			s.required |= 1 << n
		}
	}
	if len(s.fields) != len(schema.Properties) {
		panic(fmt.Sprintf("api: the schema of %s has %d fields, the type %d", t, len(schema.Properties), len(s.fields)))
	}
	return s
}

func stringShape(schema *huma.Schema, t reflect.Type) *shape {
	if reflect.PointerTo(t).Implements(textUnmarshaler) {
		return &shape{kind: shapeText, parse: func(v reflect.Value, text []byte) error {
			u, _ := v.Addr().Interface().(encoding.TextUnmarshaler)
			return u.UnmarshalText(text)
		}}
	}
	if reflect.PointerTo(t).Implements(jsonUnmarshaler) {
		return &shape{kind: shapeText, parse: func(v reflect.Value, text []byte) error {
			u, _ := v.Addr().Interface().(json.Unmarshaler)
			return u.UnmarshalJSON(strconv.AppendQuote(nil, string(text)))
		}}
	}
	s := &shape{kind: shapeString, pattern: schema.Pattern}
	if schema.MaxLength == nil {
		panic("api: no limit to the length of " + t.String())
	}
	s.maxLength = *schema.MaxLength
	if schema.MinLength != nil {
		s.minLength = *schema.MinLength
	}
	switch {
	case len(schema.Enum) > 0:
		panic("api: an enumeration must be a type that reads itself: " + t.String())
	case schema.Pattern == corehour.NamePattern:
		s.matches = isName
	case schema.Pattern != "":
		s.matches = regexp.MustCompile(schema.Pattern).Match
	}
	return s
}

// isName is corehour.NamePattern by hand: names are in every request, and the
// general matcher costs more than the rest of the decoding.
func isName(b []byte) bool {
	for i, c := range b {
		letterOrDigit := isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letterOrDigit && (i == 0 || c != '.' && c != '_' && c != ':' && c != '-') {
			return false
		}
	}
	return len(b) > 0 && len(b) <= corehour.MaxNameBytes
}

func lowestBit(set uint64) int { return bits.TrailingZeros64(set) }
