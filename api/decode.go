package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// Limits of a JSON body.
const (
	// MaxBodyDepth bounds how deep arrays and objects nest.
	MaxBodyDepth = 8
	// MaxFieldProblems bounds how many problems of one body are listed.
	MaxFieldProblems = 16
	// maxShownBytes bounds what is repeated of a request in an error about it.
	maxShownBytes = 64
)

// decoder reads one JSON document into a value of a known shape in a single
// pass. It is stricter than encoding/json: names match byte by byte, a name
// comes once, null is no value, integers have no fraction or exponent, strings
// are whole Unicode, and nothing follows the document. What is wrong with the
// form ends the pass; what is wrong with the content is collected.
type decoder struct {
	data  []byte
	at    int
	depth int
	path  []byte
	text  []byte // the last string read, valid until the next one
	found []FieldProblem
	form  string // what is wrong with the form, if anything
}

// decodeBody reads data into v, which is addressable and of the shape's type.
func decodeBody(data []byte, s *shape, v reflect.Value) error {
	if !utf8.Valid(data) {
		return newProblem(http.StatusBadRequest, CodeMalformedJSON, "body", "not UTF-8")
	}
	var space [96]byte
	d := decoder{data: data, path: append(space[:0], "body"...)}
	if d.value(s, v) {
		d.blank()
		if d.at < len(data) {
			d.malformed("something follows the document")
		}
	}
	if d.form != "" {
		return newProblem(http.StatusBadRequest, CodeMalformedJSON, "body",
			fmt.Sprintf("%s, at byte %d", d.form, d.at))
	}
	if len(d.found) > 0 {
		return severalProblems(http.StatusUnprocessableEntity, d.found)
	}
	return nil
}

// value reads one value. Like all of the decoder's readers it returns whether
// the pass goes on.
func (d *decoder) value(s *shape, v reflect.Value) bool {
	d.blank()
	if d.at == len(d.data) {
		return d.malformed("the document ends too early")
	}
	c := d.data[d.at]
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case s.kind == shapeObject && c == '{':
		return d.object(s, v)
	case s.kind == shapeArray && c == '[':
		return d.array(s, v)
	case (s.kind == shapeString || s.kind == shapeText) && c == '"':
		return d.readString() && d.setString(s, v)
	case s.kind == shapeInteger && (c == '-' || isDigit(c)):
		return d.integer(s, v)
	case s.kind == shapeBoolean && (c == 't' || c == 'f'):
		v.SetBool(c == 't')
		return d.skip()
	}
	if c == 'n' {
		return d.problem(corehour.CodeInvalid, "null is not a value; leave the field out") && d.skip()
	}
	return d.problem(corehour.CodeInvalid, "expected "+s.kind.String()) && d.skip()
}

func (d *decoder) object(s *shape, v reflect.Value) bool {
	if !d.enter() {
		return false
	}
	var seen uint64
	base := len(d.path)
	for first := true; ; first = false {
		done, ok := d.next('}', first)
		if !ok {
			return false
		}
		if done {
			break
		}
		if d.at == len(d.data) || d.data[d.at] != '"' {
			return d.malformed("expected a field's name")
		}
		if !d.readString() {
			return false
		}
		n, known := s.byName[string(d.text)]
		d.path = append(append(d.path, '.'), shown(d.text)...)
		d.blank()
		if d.at == len(d.data) || d.data[d.at] != ':' {
			return d.malformed("expected a colon after a field's name")
		}
		d.at++
		switch {
		case !known:
			ok = d.problem(CodeUnknownField, "there is no such field") && d.skip()
		case seen&(1<<n) != 0:
			ok = d.problem(CodeDuplicateField, "the field comes twice") && d.skip()
		default:
			seen |= 1 << n
			ok = d.value(s.fields[n].shape, v.FieldByIndex(s.fields[n].index))
		}
		d.path = d.path[:base]
		if !ok {
			return false
		}
	}
	d.depth--
	for missing := s.required &^ seen; missing != 0; missing &= missing - 1 {
		d.path = append(append(d.path, '.'), s.fields[lowestBit(missing)].name...)
		ok := d.problem(CodeMissingField, "the field is required")
		d.path = d.path[:base]
		if !ok {
			return false
		}
	}
	return true
}

func (d *decoder) array(s *shape, v reflect.Value) bool {
	if !d.enter() {
		return false
	}
	base := len(d.path)
	for n := 0; ; n++ {
		done, ok := d.next(']', n == 0)
		if !ok {
			return false
		}
		if done {
			d.depth--
			if n < s.minItems {
				return d.problem(exchange.CodeOutOfRange, fmt.Sprintf("expected at least %d items", s.minItems))
			}
			return true
		}
		if n == s.maxItems {
			// The rest is not even read: the limit is there to bound the work.
			d.problem(corehour.CodeTooManyItems, fmt.Sprintf("expected at most %d items", s.maxItems))
			return false
		}
		if n >= v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		d.path = append(strconv.AppendInt(append(d.path, '['), int64(n), 10), ']')
		ok = d.value(s.items, v.Index(n))
		d.path = d.path[:base]
		if !ok {
			return false
		}
	}
}

func (d *decoder) integer(s *shape, v reflect.Value) bool {
	begin := d.at
	if !d.skip() {
		return false
	}
	n, err := strconv.ParseInt(string(d.data[begin:d.at]), 10, 64)
	switch {
	case err != nil && isInteger(d.data[begin:d.at]), err == nil && (n < s.min || n > s.max):
		return d.problem(exchange.CodeOutOfRange, fmt.Sprintf("expected %d to %d", s.min, s.max))
	case err != nil:
		return d.problem(corehour.CodeInvalid, "expected an integer without fraction or exponent")
	}
	v.SetInt(n)
	return true
}

// setString checks the string just read and puts it into v.
func (d *decoder) setString(s *shape, v reflect.Value) bool {
	if s.kind == shapeText {
		if err := s.parse(v, d.text); err != nil {
			return d.problem(corehour.CodeInvalid, err.Error())
		}
		return true
	}
	if n := utf8.RuneCount(d.text); n < s.minLength || n > s.maxLength {
		return d.problem(exchange.CodeOutOfRange, fmt.Sprintf("expected %d to %d characters", s.minLength, s.maxLength))
	}
	if s.matches != nil && !s.matches(d.text) {
		return d.problem(corehour.CodeInvalid, "expected a string like "+s.pattern)
	}
	v.SetString(string(d.text))
	return true
}

// enter steps into an array or object.
func (d *decoder) enter() bool {
	d.at++
	d.depth++
	return d.depth <= MaxBodyDepth || d.malformed(fmt.Sprintf("nested deeper than %d", MaxBodyDepth))
}

// next stands at the next element of an array or object, or behind its end.
func (d *decoder) next(end byte, first bool) (done, ok bool) {
	d.blank()
	if d.at == len(d.data) {
		return false, d.malformed("the document ends too early")
	}
	if d.data[d.at] == end {
		d.at++
		return true, true
	}
	if first {
		return false, true
	}
	if d.data[d.at] != ',' {
		return false, d.malformed("expected a comma")
	}
	d.at++
	d.blank()
	if d.at < len(d.data) && d.data[d.at] == end {
		return false, d.malformed("a comma before the end")
	}
	return false, true
}

// skip reads a value of any type and forgets it, checking its form.
func (d *decoder) skip() bool {
	d.blank()
	if d.at == len(d.data) {
		return d.malformed("the document ends too early")
	}
	switch c := d.data[d.at]; {
	case c == '"':
		return d.readString()
	case c == '{', c == '[':
		return d.skipNested(c)
	case c == 't':
		return d.literal("true")
	case c == 'f':
		return d.literal("false")
	case c == 'n':
		return d.literal("null")
	case c == '-', isDigit(c):
		return d.number()
	}
	return d.malformed("expected a value")
}

func (d *decoder) skipNested(open byte) bool {
	if !d.enter() {
		return false
	}
	end := open + 2 // of [ and ], of { and }
	for first := true; ; first = false {
		done, ok := d.next(end, first)
		if !ok {
			return false
		}
		if done {
			d.depth--
			return true
		}
		if open == '{' {
			if d.at == len(d.data) || d.data[d.at] != '"' || !d.readString() {
				return d.malformed("expected a field's name")
			}
			d.blank()
			if d.at == len(d.data) || d.data[d.at] != ':' {
				return d.malformed("expected a colon after a field's name")
			}
			d.at++
		}
		if !d.skip() {
			return false
		}
	}
}

func (d *decoder) literal(word string) bool {
	if len(d.data)-d.at < len(word) || string(d.data[d.at:d.at+len(word)]) != word {
		return d.malformed("expected a value")
	}
	d.at += len(word)
	return true
}

// number reads the grammar of RFC 8259, section 6.
func (d *decoder) number() bool {
	if d.peek() == '-' {
		d.at++
	}
	switch {
	case d.peek() == '0':
		d.at++
	case !d.digits():
		return d.malformed("expected a digit")
	}
	if d.peek() == '.' {
		d.at++
		if !d.digits() {
			return d.malformed("expected a digit")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.at++
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if !d.digits() {
			return d.malformed("expected a digit")
		}
	}
	return true
}

func (d *decoder) digits() bool {
	begin := d.at
	for isDigit(d.peek()) {
		d.at++
	}
	return d.at > begin
}

// readString reads a string into d.text.
func (d *decoder) readString() bool {
	d.at++
	begin := d.at
	for ; d.at < len(d.data); d.at++ {
		switch c := d.data[d.at]; {
		case c == '"':
			d.text = d.data[begin:d.at]
			d.at++
			return true
		case c == '\\':
			return d.readEscaped(begin)
		case c < ' ':
			return d.malformed("a control character in a string")
		}
	}
	return d.malformed("the document ends within a string")
}

// readEscaped goes on with a string that has escapes, and so needs a copy.
func (d *decoder) readEscaped(begin int) bool {
	text := append(make([]byte, 0, 2*(d.at-begin)+16), d.data[begin:d.at]...)
	for d.at < len(d.data) {
		c := d.data[d.at]
		d.at++
		switch {
		case c == '"':
			d.text = text
			return true
		case c < ' ':
			return d.malformed("a control character in a string")
		case c != '\\':
			text = append(text, c)
			continue
		}
		r, ok := d.escape()
		if !ok {
			return false
		}
		text = utf8.AppendRune(text, r)
	}
	return d.malformed("the document ends within a string")
}

// escape reads what follows a backslash.
func (d *decoder) escape() (rune, bool) {
	c := d.peek()
	d.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return d.unicode()
	}
	d.at--
	return 0, d.malformed("an unknown escape in a string")
}

func (d *decoder) unicode() (rune, bool) {
	r, ok := d.hex4()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if d.peek() == '\\' && d.at+1 < len(d.data) && d.data[d.at+1] == 'u' {
		d.at += 2
		low, ok := d.hex4()
		if !ok {
			return 0, false
		}
		if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
			return whole, true
		}
	}
	return 0, d.malformed("half a surrogate pair in a string")
}

func (d *decoder) hex4() (rune, bool) {
	if len(d.data)-d.at < 4 {
		return 0, d.malformed("the document ends within a string")
	}
	n, err := strconv.ParseUint(string(d.data[d.at:d.at+4]), 16, 16)
	if err != nil {
		return 0, d.malformed("expected four hexadecimal digits")
	}
	d.at += 4
	return rune(n), true
}

// blank skips white space.
func (d *decoder) blank() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// peek is the byte ahead, 0 at the end; a 0 byte begins nothing in JSON.
func (d *decoder) peek() byte {
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

// malformed notes what is wrong with the form, which ends the pass.
func (d *decoder) malformed(what string) bool {
	if d.form == "" {
		d.form = what
	}
	return false
}

// problem notes what is wrong with the content at the path, and whether there is
// room for more.
func (d *decoder) problem(code corehour.Code, detail string) bool {
	d.found = append(d.found, FieldProblem{Code: code, Field: string(d.path), Detail: detail})
	return len(d.found) < MaxFieldProblems
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isInteger reports whether a JSON number is written without fraction and exponent.
func isInteger(b []byte) bool {
	for _, c := range b {
		if c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// shown is as much of a caller's text as an error about it repeats.
func shown(text []byte) []byte {
	if len(text) <= maxShownBytes {
		return text
	}
	cut := maxShownBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
