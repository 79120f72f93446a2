package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour/billing"
)

type document = map[string]any

func openAPI(t *testing.T, f *fixture) document {
	t.Helper()
	a := f.ask(t, "", "GET", "/openapi.json", "")
	var d document
	if err := json.Unmarshal([]byte(a.body), &d); err != nil || a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %v", a.status, a.header, err)
	}
	return d
}

func at(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(document)
		v = m[p]
	}
	return v
}

// operations calls each for every operation of the document.
func operations(d document, each func(path, method string, op document)) {
	paths, _ := d["paths"].(document)
	for path, item := range paths {
		for method, op := range item.(document) {
			each(path, method, op.(document))
		}
	}
}

func TestOpenAPI_SaysWhatItIs(t *testing.T) {
	d := openAPI(t, newFixture(t))
	for want, path := range map[string][]string{
		"3.1.0": {"openapi"}, "Corehour": {"info", "title"}, "1.2.3": {"info", "version"}, "Apache-2.0": {"info", "license", "identifier"},
		"http": {"components", "securitySchemes", "bearerAuth", "type"}, "bearer": {"components", "securitySchemes", "bearerAuth", "scheme"},
	} {
		if got := at(d, path...); got != want {
			t.Errorf("%v is %v, want %s", path, got, want)
		}
	}
	if servers, _ := d["servers"].([]any); len(servers) != 1 {
		t.Errorf("servers: %v", d["servers"])
	}
}

func TestOpenAPI_YAMLIsTheSameDocument(t *testing.T) {
	f := newFixture(t)
	a := f.ask(t, "", "GET", "/openapi.yaml", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/yaml" || !strings.Contains(a.body, "openapi: 3.1.0") {
		t.Fatalf("%d %v %.200s", a.status, a.header, a.body)
	}
	operations(openAPI(t, f), func(_, _ string, op document) {
		if !strings.Contains(a.body, "operationId: "+op["operationId"].(string)+"\n") {
			t.Errorf("%v is not in the YAML", op["operationId"])
		}
	})
}

func TestOpenAPI_EveryOperationIsDocumented(t *testing.T) {
	d := openAPI(t, newFixture(t))
	tags := map[string]bool{}
	for _, tag := range d["tags"].([]any) {
		tags[at(tag, "name").(string)] = false
	}
	ids := map[string]bool{}
	operations(d, func(path, method string, op document) {
		name := method + " " + path
		id, _ := op["operationId"].(string)
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(id) || ids[id] {
			t.Errorf("%s: operationId %q", name, id)
		}
		ids[id] = true
		if s, _ := op["summary"].(string); s == "" || strings.HasSuffix(s, ".") {
			t.Errorf("%s: summary %q", name, s)
		}
		if s, _ := op["description"].(string); !strings.HasSuffix(s, ".") {
			t.Errorf("%s: description %q", name, s)
		}
		own, _ := op["tags"].([]any)
		if len(own) != 1 {
			t.Errorf("%s: tags %v", name, own)
			return
		}
		if _, known := tags[own[0].(string)]; !known {
			t.Errorf("%s: the tag %v is not described", name, own[0])
		}
		tags[own[0].(string)] = true
		security, _ := json.Marshal(op["security"])
		want := `[{"bearerAuth":[]}]`
		if path == "/healthz" || path == "/readyz" {
			want = `[{}]`
		}
		if string(security) != want {
			t.Errorf("%s: security %s", name, security)
		}
		if at(op, "responses", "default", "content", "application/problem+json", "schema", "$ref") != "#/components/schemas/Problem" {
			t.Errorf("%s: no problem is documented", name)
		}
		checkParameters(t, name, path, op)
	})
	for tag, used := range tags {
		if !used {
			t.Errorf("the tag %s is used by nothing", tag)
		}
	}
}

func checkParameters(t *testing.T, name, path string, op document) {
	t.Helper()
	inPath := regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(path, -1)
	parameters, _ := op["parameters"].([]any)
	documented := 0
	for _, p := range parameters {
		if d, _ := at(p, "description").(string); d == "" {
			t.Errorf("%s: the parameter %v has no description", name, at(p, "name"))
		}
		if at(p, "in") == "path" {
			documented++
			if at(p, "required") != true || !slices.ContainsFunc(inPath, func(m []string) bool { return m[1] == at(p, "name") }) {
				t.Errorf("%s: path parameter %v", name, p)
			}
		}
	}
	if documented != len(inPath) {
		t.Errorf("%s: %d of %d path parameters are documented", name, documented, len(inPath))
	}
}

// walk calls each for every object in the document.
func walk(v any, path string, each func(path string, m document)) {
	switch v := v.(type) {
	case document:
		each(path, v)
		for name, inner := range v {
			walk(inner, path+"/"+name, each)
		}
	case []any:
		for i, inner := range v {
			walk(inner, fmt.Sprintf("%s/%d", path, i), each)
		}
	}
}

func TestOpenAPI_EveryReferenceResolvesAndEverySchemaIsUsed(t *testing.T) {
	d := openAPI(t, newFixture(t))
	used := map[string]bool{}
	walk(d, "", func(path string, m document) {
		ref, is := m["$ref"].(string)
		if !is {
			return
		}
		name, local := strings.CutPrefix(ref, "#/components/schemas/")
		if !local || at(d, "components", "schemas", name) == nil {
			t.Errorf("%s: %s leads nowhere", path, ref)
		}
		used[name] = true
	})
	for name := range at(d, "components", "schemas").(document) {
		if !used[name] {
			t.Errorf("the schema %s is used by nothing", name)
		}
	}
}

func TestOpenAPI_SchemasSayTheirTypes(t *testing.T) {
	d := openAPI(t, newFixture(t))
	walk(at(d, "components", "schemas"), "", func(path string, m document) {
		properties, is := m["properties"].(document)
		if !is {
			return
		}
		if m["type"] != "object" {
			t.Errorf("%s has properties and is %v", path, m["type"])
		}
		for name, p := range properties {
			if at(p, "$ref") == nil {
				if kind, _ := at(p, "type").(string); !slices.Contains([]string{"string", "integer", "boolean", "array", "object"}, kind) {
					t.Errorf("%s: %s is %v: no answer has floats, nulls or anything", path, name, at(p, "type"))
				}
			}
			if pattern, is := at(p, "pattern").(string); is {
				if _, err := regexp.Compile(pattern); err != nil {
					t.Errorf("%s: %s: %v", path, name, err)
				}
			}
		}
		required, _ := m["required"].([]any)
		for _, name := range required {
			if properties[name.(string)] == nil {
				t.Errorf("%s requires %v, which it has not", path, name)
			}
		}
	})
}

// Bodies are closed and every field of theirs has a description and an example;
// answers are open, so that they can get more fields.
func TestOpenAPI_BodiesAreDescribedAndClosed(t *testing.T) {
	d := openAPI(t, newFixture(t))
	closed := map[string]bool{}
	operations(d, func(path, method string, op document) {
		if ref, is := at(op, "requestBody", "content", "application/json", "schema", "$ref").(string); is {
			closed[strings.TrimPrefix(ref, "#/components/schemas/")] = true
			if at(op, "requestBody", "required") != true {
				t.Errorf("%s %s: its body is not required", method, path)
			}
		}
	})
	if len(closed) < 8 {
		t.Errorf("only %d bodies", len(closed))
	}
	for name := range closed {
		schema := at(d, "components", "schemas", name)
		if at(schema, "additionalProperties") != false {
			t.Errorf("%s takes any field", name)
		}
		for field, p := range at(schema, "properties").(document) {
			description, _ := at(p, "description").(string)
			if description == "" && at(p, "$ref") == nil {
				t.Errorf("%s.%s has no description", name, field)
			}
			if at(p, "type") != "array" && at(p, "$ref") == nil && at(p, "examples") == nil {
				t.Errorf("%s.%s has no example", name, field)
			}
		}
	}
	for _, name := range []string{"OfferView", "BidPlaced", "Problem", "Invoice"} {
		if at(d, "components", "schemas", name, "additionalProperties") != nil {
			t.Errorf("%s can never get another field", name)
		}
	}
}

// Every operation stands in the table of the malformed requests, and the other
// way round.
func TestOpenAPI_EveryOperationIsTested(t *testing.T) {
	tested := map[string]string{"healthz": "GET /healthz", "readyz": "GET /readyz"}
	for _, e := range endpoints() {
		tested[e.id] = e.method + " " + e.path
	}
	operations(openAPI(t, newFixture(t)), func(path, method string, op document) {
		id, _ := op["operationId"].(string)
		if tested[id] != strings.ToUpper(method)+" "+path {
			t.Errorf("%s %s (%s) is not in the table", method, path, id)
		}
		delete(tested, id)
	})
	if len(tested) > 0 {
		t.Errorf("in the table but not in the document: %v", tested)
	}
}

// Every answer to a good request satisfies the schema that is documented for it.
func TestOpenAPI_AnswersSatisfyTheirSchemas(t *testing.T) {
	f := newFixture(t)
	f.exchange.reply.Bid, f.exchange.reply.Offer = 1, 1
	f.metering.results = nil
	var op *huma.Operation
	for _, e := range endpoints() {
		a := f.ask(t, e.who, e.method, e.url(), e.body)
		item := f.huma.OpenAPI().Paths[e.path]
		op = map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete, "PUT": item.Put, "PATCH": item.Patch}[e.method]
		response := op.Responses[fmt.Sprint(a.status)]
		if response == nil {
			t.Errorf("%s: the status %d is not documented", e.id, a.status)
			continue
		}
		f.requireSatisfies(t, e.id, response.Content["application/json"].Schema, a.body)
	}
	refused := f.ask(t, "consumer", "POST", "/v1/bids", `{"units":0}`)
	f.requireSatisfies(t, "a problem", op.Responses["default"].Content["application/problem+json"].Schema, refused.body)
}

func (f *fixture) requireSatisfies(t *testing.T, name string, schema *huma.Schema, body string) {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatalf("%s: %v: %s", name, err, body)
	}
	// Closed for the moment, so that a field that is not documented is found.
	var opened []*huma.Schema
	for _, s := range f.registry.Map() {
		if s.Type == huma.TypeObject && s.AdditionalProperties == nil {
			s.AdditionalProperties = false
			opened = append(opened, s)
		}
	}
	var result huma.ValidateResult
	huma.Validate(f.registry, schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeReadFromServer, value, &result)
	for _, s := range opened {
		s.AdditionalProperties = nil
	}
	for _, err := range result.Errors {
		t.Errorf("%s: %v in %s", name, err, body)
	}
}

// The types that describe documents are those that billing writes.
func TestOpenAPI_DocumentsAreAsBillingWritesThem(t *testing.T) {
	invoice, statement := sampleDocuments(t)
	for _, c := range []struct {
		write any
		read  any
	}{{invoice, &Invoice{}}, {statement, &Statement{}}} {
		written, err := json.Marshal(c.write)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(written)))
		d.DisallowUnknownFields()
		if err := d.Decode(c.read); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(c.read); err != nil || string(again) != string(written) {
			t.Errorf("%v\n%s\n%s", err, written, again)
		}
	}
	if billing.DocumentFormat != 1 {
		t.Error("billing writes another form: look at Invoice and Statement")
	}
}

func TestRoutes_WhatIsNotThereIsAProblem(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		method, target string
		status         int
		code           string
		allow          string
	}{
		{"GET", "/", 404, "no_such_route", ""}, {"GET", "/v1", 404, "no_such_route", ""}, {"GET", "/v1/bids/", 404, "no_such_route", ""},
		{"GET", "/v1/bids/bid-1/x", 404, "no_such_route", ""}, {"GET", "/v2/bids", 404, "no_such_route", ""}, {"GET", "/docs", 404, "no_such_route", ""},
		{"GET", "/V1/bids", 404, "no_such_route", ""}, {"GET", "//v1/bids", 404, "no_such_route", ""}, {"GET", "/v1/../healthz", 404, "no_such_route", ""},
		{"PUT", "/v1/bids", 405, "method_not_allowed", "DELETE, GET, POST"}, {"DELETE", "/v1/accounts", 405, "method_not_allowed", "GET, POST"},
		{"OPTIONS", "/v1/bids", 405, "method_not_allowed", "DELETE, GET, POST"}, {"POST", "/healthz", 405, "method_not_allowed", "GET"},
		{"GET", "/v1/leases/lease-1/accept", 405, "method_not_allowed", "POST"}, {"TRACE", "/v1/bids", 405, "method_not_allowed", "DELETE, GET, POST"},
	} {
		a := f.ask(t, "consumer", c.method, c.target, "")
		allow := strings.Split(a.header.Get("Allow"), ", ")
		slices.Sort(allow)
		if a.status != c.status || string(a.problem.Code) != c.code || strings.Join(allow, ", ") != c.allow {
			t.Errorf("%s %s: %d %s, Allow %q", c.method, c.target, a.status, a.problem.Code, allow)
		}
		f.requireUntouched(t)
	}
}

func TestRoutes_RequestIDIsEchoedOrMade(t *testing.T) {
	f := newFixture(t)
	seen := map[string]bool{}
	for _, given := range []string{"trace-42", "", "", "a b", strings.Repeat("x", 65), "a\u00e9"} {
		a := f.ask(t, "", "GET", "/healthz", "", func(r *http.Request) { r.Header.Set("X-Request-Id", given) })
		id := a.header.Get("X-Request-Id")
		if given == "trace-42" != (id == given) || id == "" || seen[id] {
			t.Errorf("given %q, answered %q", given, id)
		}
		seen[id] = true
	}
	if a := f.ask(t, "", "GET", "/nowhere", ""); a.header.Get("X-Request-Id") == "" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.header)
	}
}
