package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"

	"github.com/corehour/corehour"
)

// probe has every kind of field that a body may have.
type probe struct {
	Name   corehour.ProductID  `json:"name" maxLength:"64"`
	Text   string              `json:"text,omitempty" minLength:"2" maxLength:"8"`
	Count  corehour.Units      `json:"count" minimum:"1" maximum:"50"`
	On     bool                `json:"on,omitempty"`
	List   []corehour.RegionID `json:"list,omitempty" minItems:"1" maxItems:"3"`
	Inner  *probeInner         `json:"inner,omitempty"`
	Inners []probeInner        `json:"inners,omitempty" maxItems:"2"`
}

type probeInner struct {
	Number int64 `json:"number" minimum:"-3" maximum:"3"`
}

func probeShape() (huma.Registry, *huma.Schema, *shape) {
	r := newRegistry()
	schema := r.Schema(reflect.TypeFor[probe](), true, "")
	finishSchemas(r, []*huma.Schema{schema})
	return r, schema, shapeOf(r, schema, reflect.TypeFor[probe]())
}

func decodeProbe(s *shape, data []byte) (probe, error) {
	var p probe
	err := decodeBody(data, s, reflect.ValueOf(&p).Elem())
	return p, err
}

// anyValue makes JSON values that are often nearly right.
func anyValue(t *rapid.T, depth int) any {
	names := rapid.SampledFrom([]string{"name", "text", "count", "on", "list", "inner", "inners", "number", "other", "Name"})
	switch rapid.IntRange(0, 8).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]string{"", "a", "ab", "cpu.standard", "-x", "a b", "äöü", "123456789", strings.Repeat("x", 65)}).Draw(t, "string")
	case 1, 2:
		return float64(rapid.IntRange(-5, 55).Draw(t, "integer"))
	case 3:
		return rapid.Bool().Draw(t, "boolean")
	case 4, 5:
		list := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			if depth > 0 {
				list = append(list, anyValue(t, depth-1))
			}
		}
		return list
	default:
		object := map[string]any{}
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			if depth > 0 {
				object[names.Draw(t, "name")] = anyValue(t, depth-1)
			}
		}
		return object
	}
}

// nearlyProbe is a good probe with some fields replaced.
func nearlyProbe(t *rapid.T) any {
	p := map[string]any{"name": "cpu.standard", "count": 7.0, "text": "abc", "on": true, "list": []any{"a", "b"},
		"inner": map[string]any{"number": 2.0}, "inners": []any{map[string]any{"number": -3.0}}}
	for range rapid.IntRange(0, 2).Draw(t, "changes") {
		name := rapid.SampledFrom([]string{"name", "text", "count", "on", "list", "inner", "inners", "other"}).Draw(t, "changed")
		if rapid.Bool().Draw(t, "drop") {
			delete(p, name)
		} else {
			p[name] = anyValue(t, 3)
		}
	}
	return p
}

// What the decoder accepts is what the published schema accepts. huma's own
// validator is the reference; it forgives names in other capitals and nulls,
// which the generator does not make and the decoder does not forgive.
func TestDecoder_AcceptsExactlyWhatTheSchemaDoes(t *testing.T) {
	registry, schema, s := probeShape()
	huma.ValidateStrictCasing = true
	defer func() { huma.ValidateStrictCasing = false }()
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		value := nearlyProbe(t)
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var result huma.ValidateResult
		huma.Validate(registry, schema, huma.NewPathBuffer([]byte("body"), 4), huma.ModeWriteToServer, value, &result)
		got, err := decodeProbe(s, data)
		if (err == nil) != (len(result.Errors) == 0) {
			t.Fatalf("%s: the decoder says %v, the schema %v", data, err, result.Errors)
		}
		if err != nil {
			refused++
			return
		}
		accepted++
		var want probe
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		// As JSON, where an empty list and none are the same.
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Fatalf("%s: decoded %s, want %s", data, a, b)
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted and %d refused: the generator is too narrow", accepted, refused)
	}
}

// The form of a document is judged like encoding/json judges it, except that the
// decoder also refuses what is not whole Unicode and what nests too deep.
func FuzzDecoder_FormIsThatOfTheStandardLibrary(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","count":1}`, `{"count":1e5}`, `{"x":[1,-0.5e+3,"\u00e9\ud83d\ude00",true,null,{}]}`, `{"a":"\ud800"}`, `[]`, ` {"name" : "b" } `,
		`{"count":01}`, `{"a":1,}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":-}`, "{\"a\":\"\t\"}", `{"a":tru}`, `{"list":["a","b",]}`, "\xff", `{"a":"\`,
	} {
		f.Add([]byte(seed))
	}
	_, _, s := probeShape()
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := decodeProbe(s, data)
		p := &Problem{}
		if err != nil {
			p = problemOf(err)
		}
		malformed := p.Code == CodeMalformedJSON
		switch {
		case malformed && json.Valid(data) && utf8.Valid(data) && !bytes.Contains(data, []byte(`\u`)) && bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= MaxBodyDepth:
			t.Errorf("%q is refused as malformed: %s", data, p.Detail)
		case err == nil && !json.Valid(data):
			t.Errorf("%q is accepted", data)
		case err != nil && !malformed && len(p.Errors) < MaxFieldProblems && p.Code != corehour.CodeTooManyItems && !tooMany(p) && !json.Valid(data):
			t.Errorf("%q is taken for JSON: %s", data, p.Detail)
		}
	})
}

func tooMany(p *Problem) bool {
	for _, e := range p.Errors {
		if e.Code == corehour.CodeTooManyItems {
			return true
		}
	}
	return false
}

func TestDecoder_ListsEverythingThatIsWrongUpToALimit(t *testing.T) {
	_, _, s := probeShape()
	_, err := decodeProbe(s, []byte(`{"name":"a b","count":0,"on":1,"other":{},"list":["",7]}`))
	p := problemOf(err)
	var got []string
	for _, e := range p.Errors {
		got = append(got, string(e.Code)+" "+e.Field)
	}
	want := []string{"invalid body.name", "out_of_range body.count", "invalid body.on", "unknown_field body.other", "invalid body.list[0]", "invalid body.list[1]"}
	if !reflect.DeepEqual(got, want) || p.Code != "invalid" || p.Field != "body.name" {
		t.Errorf("%s %s %q", p.Code, p.Field, got)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"x%d":0,`, i)
	}
	_, err = decodeProbe(s, []byte("{"+many.String()+`"count":1}`))
	if p := problemOf(err); len(p.Errors) != MaxFieldProblems {
		t.Errorf("%d problems are listed", len(p.Errors))
	}
}

func TestDecoder_RepeatsLittleOfTheRequest(t *testing.T) {
	_, _, s := probeShape()
	for _, data := range []string{
		`{"` + strings.Repeat("é", 10_000) + `":1}`, `{"name":"` + strings.Repeat("x", 10_000) + `"}`, `{"count":` + strings.Repeat("9", 10_000) + `}`,
	} {
		_, err := decodeProbe(s, []byte(data))
		b, _ := json.Marshal(problemOf(err))
		if len(b) > 1000 || !utf8.Valid(b) {
			t.Errorf("an answer of %d bytes: %.200s", len(b), b)
		}
	}
}

func TestDecoder_ReadsEscapes(t *testing.T) {
	_, _, s := probeShape()
	got, err := decodeProbe(s, []byte(`{"n\u0061me":"\u0061b\u002dc","count":1,"text":"\"\\\/\b\f\n\r\t"}`))
	if err != nil || got.Name != "ab-c" || got.Text != "\"\\/\b\f\n\r\t" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = decodeProbe(s, []byte(`{"name":"a","count":1,"text":"\ud83d\uDE00\u00e9"}`))
	if err != nil || got.Text != "😀é" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestIsName_IsTheNamePattern(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOf(rapid.SampledFrom([]rune("aZ09._:-/ é\n"))).Draw(t, "name")
		if isName([]byte(s)) != corehour.ValidName(s) {
			t.Fatalf("%q", s)
		}
	})
	for _, n := range []int{0, 1, 63, 64, 65} {
		if s := strings.Repeat("a", n); isName([]byte(s)) != corehour.ValidName(s) {
			t.Errorf("%d letters", n)
		}
	}
}

func TestShape_PanicsOnWhatItCannotCheck(t *testing.T) {
	type noMaximum struct {
		N int64 `json:"n" minimum:"1"`
	}
	type noLength struct {
		S string `json:"s"`
	}
	type noItems struct {
		L []bool `json:"l"`
	}
	type plainEnum struct {
		S string `json:"s" maxLength:"9" enum:"a,b"`
	}
	type multiple struct {
		N int64 `json:"n" minimum:"1" maximum:"9" multipleOf:"3"`
	}
	type float struct {
		F float64 `json:"f"`
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[noMaximum](), reflect.TypeFor[noLength](), reflect.TypeFor[noItems](), reflect.TypeFor[plainEnum](),
		reflect.TypeFor[multiple](), reflect.TypeFor[float](),
	} {
		t.Run(typ.Name(), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("a body without enforceable limits was taken")
				}
			}()
			r := newRegistry()
			shapeOf(r, r.Schema(typ, true, ""), typ)
		})
	}
}

func TestCPUSeconds_AreExact(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1_000_000, "0.000001": 1, "57600.25": 57_600_250_000, "999999999999.999999": 999_999_999_999_999_999, "007": 7_000_000, "1.10": 1_100_000,
	} {
		var c CPUSeconds
		if err := c.UnmarshalText([]byte(text)); err != nil || int64(c) != want {
			t.Errorf("%s: %d, %v", text, c, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := CPUSeconds(rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, "micros"))
		b, _ := want.MarshalText()
		var got CPUSeconds
		if err := got.UnmarshalText(b); err != nil || got != want {
			t.Fatalf("%d was written %s and read %d, %v", want, b, got, err)
		}
	})
}
