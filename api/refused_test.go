package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
)

// requireUntouched fails where anything reached what is behind the API.
func (f *fixture) requireUntouched(t *testing.T) {
	t.Helper()
	if c := f.exchange.taken(); len(c) > 0 {
		t.Fatalf("commands were submitted: %+v", c)
	}
	if f.metering.calls != 0 || len(f.billing.issued) != 0 {
		t.Fatal("metering or billing was told something")
	}
}

func (f *fixture) requireRefused(t *testing.T, e *endpoint, b badRequest, change ...func(*http.Request)) {
	t.Helper()
	who, target, body := e.who, e.url(), e.body
	if b.who != "" {
		who = b.who
	}
	if b.target != "" {
		target = b.target
	}
	if b.body != "" {
		body = b.body
	}
	a := f.ask(t, who, e.method, target, body, change...)
	if a.status != b.status || a.problem.Code != b.code || a.problem.Field != b.field {
		t.Errorf("%s %s %.200s: got %d %s %q (%s), want %d %s %q", e.method, target, body,
			a.status, a.problem.Code, a.problem.Field, a.problem.Detail, b.status, b.code, b.field)
	}
	f.requireUntouched(t)
}

func TestEndpoints_BadRequestsAreRefusedAndChangeNothing(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			for _, b := range e.bad {
				t.Run(b.name, func(t *testing.T) { f.requireRefused(t, &e, b) })
			}
		})
	}
}

func TestEndpoints_TokensAndRolesAreChecked(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			unknown := badRequest{status: 401, code: CodeTokenMissing}
			f.requireRefused(t, &e, unknown, func(r *http.Request) { r.Header.Del("Authorization") })
			f.clock.set(testTime.Add(time.Hour + TokenLeeway))
			f.requireRefused(t, &e, badRequest{status: 401, code: CodeTokenExpired})
			f.clock.set(testTime)
			for _, who := range e.others {
				f.requireRefused(t, &e, badRequest{who: who, status: 403, code: corehour.CodeForbidden})
			}
			// A wrong role learns that before anything of the request is looked at.
			for _, who := range e.others {
				f.requireRefused(t, &e, badRequest{who: who, body: `{`, status: 403, code: corehour.CodeForbidden})
				f.requireRefused(t, &e, badRequest{who: who, target: e.asking("nonsense"), status: 403, code: corehour.CodeForbidden})
			}
			f.requireRefused(t, &e, badRequest{target: e.asking("nonsense=1"), status: 400, code: CodeUnknownParameter, field: "query.nonsense"})
		})
	}
}

func TestEndpoints_UnreadableBodiesAreRefused(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			if e.body == "" {
				f.requireRefused(t, &e, badRequest{body: `{}`, status: 400, code: wrong, field: "body"})
				return
			}
			for name, body := range map[string]string{
				"cut off": e.body[:len(e.body)-1], "only white space": "  ", "trailing comma": e.body[:len(e.body)-1] + ",}",
				"something after": e.body + " {}", "a byte after": e.body + "x", "a byte order mark": "\ufeff" + e.body,
				"single quotes": strings.ReplaceAll(e.body, `"`, `'`), "a comment": "/* */" + e.body, "not UTF-8": e.body[:1] + "\"\xff\":1," + e.body[1:],
				"a control character": e.body[:1] + "\"a\nb\":1," + e.body[1:], "half a surrogate pair": e.body[:1] + `"\ud800":1,` + e.body[1:],
				"an unknown escape": e.body[:1] + `"\x":1,` + e.body[1:], "a leading zero": e.body[:1] + `"x":01,` + e.body[1:],
				"a NaN": e.body[:1] + `"x":NaN,` + e.body[1:], "a plus": e.body[:1] + `"x":+1,` + e.body[1:],
				"nested too deep":    e.body[:1] + `"x":` + strings.Repeat("[", MaxBodyDepth) + strings.Repeat("]", MaxBodyDepth) + "," + e.body[1:],
				"nested without end": strings.Repeat(`{"x":`, 100_000),
			} {
				t.Run(name, func(t *testing.T) {
					f.requireRefused(t, &e, badRequest{body: body, status: 400, code: CodeMalformedJSON, field: "body"})
				})
			}
			first := strings.SplitN(e.body[1:], ":", 2)[0]
			name := strings.Trim(first, `"`)
			f.requireRefused(t, &e, invalid("", e.body[:1]+first+`:`+strings.SplitN(e.body, ":", 2)[1][:len(strings.SplitN(e.body, ":", 2)[1])-1]+","+e.body[1:], CodeDuplicateField, "body."+name))
			for _, body := range []string{`[]`, `null`, `"x"`, `5`, `true`, `[` + e.body + `]`} {
				f.requireRefused(t, &e, invalid("", body, wrong, "body"))
			}
			f.requireRefused(t, &e, invalid("", `{"nonsense":{"a":[1,"b",null]},`+e.body[1:], CodeUnknownField, "body.nonsense"))
			f.requireRefused(t, &e, badRequest{body: e.body + strings.Repeat(" ", MaxBodyBytes), status: 413, code: CodeBodyTooLarge, field: "body"})
			f.requireRefused(t, &e, badRequest{body: e.body + strings.Repeat(" ", MaxBodyBytes), status: 413, code: CodeBodyTooLarge, field: "body"},
				func(r *http.Request) { r.ContentLength = -1 }) // as a chunked one has
			f.requireRefused(t, &e, badRequest{status: 400, code: CodeBodyMissing, field: "body"},
				func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 })
			for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx", ";"} {
				f.requireRefused(t, &e, badRequest{status: 415, code: CodeUnsupportedMedia, field: "header.Content-Type"},
					func(r *http.Request) { r.Header.Set("Content-Type", kind) })
			}
		})
	}
}

// Every field of every body is tried with values of other types, without it
// where it is required, and beyond its limits, as the document states them.
func TestEndpoints_EveryFieldIsHeldToItsSchema(t *testing.T) {
	f := newFixture(t)
	for _, e := range endpoints() {
		if e.body == "" {
			continue
		}
		t.Run(e.id, func(t *testing.T) {
			schema := f.bodySchema(t, e.id)
			for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
				p := f.resolve(schema.Properties[name])
				field := "body." + name
				for kind, value := range map[string]string{"string": `"x"`, "integer": `1`, "number": `1.5`, "boolean": `true`, "object": `{}`, "array": `[]`, "null": `null`} {
					if kind == p.Type || kind == "array" && p.Type == "array" {
						continue
					}
					f.requireRefused(t, &e, invalid("", with(e.body, name, value), wrong, field))
				}
				if slices.Contains(schema.Required, name) {
					f.requireRefused(t, &e, invalid("", with(e.body, name, ""), missing, field))
				}
				if p.Maximum != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, fmt.Sprintf("%.0f", *p.Maximum+1)), oor, field))
				}
				if p.Minimum != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, fmt.Sprintf("%.0f", *p.Minimum-1)), oor, field))
				}
				if p.MaxLength != nil {
					f.requireRefused(t, &e, invalid("", with(e.body, name, `"`+strings.Repeat("A", *p.MaxLength+1)+`"`), oor, field))
				}
			}
		})
	}
}

func (f *fixture) resolve(s *huma.Schema) *huma.Schema {
	for s.Ref != "" {
		s = f.registry.SchemaFromRef(s.Ref)
	}
	return s
}

func (f *fixture) bodySchema(t *testing.T, id string) *huma.Schema {
	t.Helper()
	for _, item := range f.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op != nil && op.OperationID == id {
				return f.resolve(op.RequestBody.Content[jsonContentType].Schema)
			}
		}
	}
	t.Fatalf("no body of %s", id)
	return nil
}

// The requests that the tests above spoil are good ones.
func TestEndpoints_GoodRequestsAreAnswered(t *testing.T) {
	for _, e := range endpoints() {
		t.Run(e.id, func(t *testing.T) {
			f := newFixture(t)
			f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
			if a := f.ask(t, e.who, e.method, e.url(), e.body); a.status != 200 && a.status != 201 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		})
	}
}

// A stranger cannot tell what belongs to others from what does not exist.
func TestEndpoints_ForeignLooksLikeMissing(t *testing.T) {
	f := newFixture(t)
	f.exchange.offer.Status = "closed"
	for _, c := range []struct{ who, method, there, missing, body string }{
		{"consumer2", "GET", "/v1/accounts/lab-a", "/v1/accounts/nobody", ""},
		{"consumer2", "GET", "/v1/offers/offer-1", "/v1/offers/offer-2", ""},
		{"provider2", "DELETE", "/v1/offers/offer-1", "/v1/offers/offer-2", ""},
		{"consumer2", "GET", "/v1/bids/bid-1", "/v1/bids/bid-2", ""},
		{"consumer2", "DELETE", "/v1/bids/bid-1", "/v1/bids/bid-2", ""},
		{"consumer2", "GET", "/v1/bids/bid-1/explanation", "/v1/bids/bid-2/explanation", ""},
		{"consumer2", "PATCH", "/v1/bids/bid-1", "/v1/bids/bid-2", `{"units":1}`},
		{"provider2", "PATCH", "/v1/offers/offer-1", "/v1/offers/offer-2", `{"units":1}`},
		{"consumer2", "POST", "/v1/accounts/lab-a/cancel-all", "/v1/accounts/nobody/cancel-all", `{}`},
		{"consumer2", "GET", "/v1/leases/lease-1", "/v1/leases/lease-2", ""},
		{"provider2", "POST", "/v1/leases/lease-1/accept", "/v1/leases/lease-2/accept", ""},
		{"provider2", "POST", "/v1/leases/lease-1/end", "/v1/leases/lease-2/end", `{}`},
		{"consumer2", "GET", "/v1/leases/lease-1/usage", "/v1/leases/lease-2/usage", ""},
		{"consumer2", "GET", "/v1/invoices/INV-2026-000001", "/v1/invoices/INV-2026-000002", ""},
		{"provider2", "GET", "/v1/statements/STM-2026-000001", "/v1/statements/STM-2026-000002", ""},
	} {
		there, missing := f.ask(t, c.who, c.method, c.there, c.body), f.ask(t, c.who, c.method, c.missing, c.body)
		if there.status != 404 || there.body != missing.body {
			t.Errorf("%s %s: %d %s, but %s: %s", c.method, c.there, there.status, there.body, c.missing, missing.body)
		}
		f.requireUntouched(t)
	}
}
