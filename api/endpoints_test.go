package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/corehour/corehour"
)

// endpoint is one operation with a request that is good.
type endpoint struct {
	id     string
	method string
	path   string // as the document has it
	target string // as it is asked
	who    string // one of those who may
	others []string
	body   string
	// bad are bodies, or targets where they begin with /, that are refused.
	bad []badRequest
}

type badRequest struct {
	name   string
	body   string
	target string
	who    string // where not the endpoint's
	status int
	code   corehour.Code
	field  string
}

const (
	goodOffer = `{"product":"cpu.standard","region":"europe-north1","units":64,"from":"2026-03-01T12:00:00Z","to":"2026-04-01T00:00:00Z",` +
		`"price":"0.0315","carbon_g":"3.25","sla":"standard","interruptible":true,"min_fill":2,"min_duration_minutes":60,"take_or_pay_bps":2500,"post_only":true,"client_id":"o-1"}`
	goodBid = `{"product":"cpu.standard","units":16,"duration_minutes":120,"earliest_start":"2026-03-01T12:00:00Z","latest_end":"2026-03-02T12:00:00Z",` +
		`"limit_price":"0.04","regions":{"allow":["europe-north1"],"deny":["us-east1"]},"providers":{"allow":["dc-north"],"deny":["dc-south"]},` +
		`"max_carbon_g":"100","carbon_price":"80.5","min_sla":"standard","accepts_interruptible":true,"cover_interrupted":true,"max_take_or_pay_bps":5000,"min_fill":4,"max_leases":3,` +
		`"countries":{"allow":["FI","SE"],"deny":["US"]},"continents":{"allow":["europe"],"deny":["asia"]},"min_piece_minutes":60,"post_only":true,` +
		`"time_in_force":"gtt","expires_at":"2026-03-01T18:00:00Z","client_id":"b-1"}`
	goodUsage = `{"records":[{"record_id":"r-1","lease":"lease-1","from":"2026-03-01T12:00:00Z","to":"2026-03-01T13:00:00Z","cpu_seconds":"57600.25"}]}`
)

// with is a body with a field set to a JSON value, or taken out where that is "".
func with(body, field, value string) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		panic(err)
	}
	if value == "" {
		delete(fields, field)
	} else {
		fields[field] = json.RawMessage(value)
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func invalid(name, body string, code corehour.Code, field string) badRequest {
	return badRequest{name: name, body: body, status: http.StatusUnprocessableEntity, code: code, field: field}
}

func badTarget(target, field string) badRequest {
	return badRequest{name: target, target: target, status: http.StatusBadRequest, code: CodeInvalidParameter, field: field}
}

func foreign(who, target string) badRequest {
	return badRequest{name: "foreign to " + who, who: who, target: target, status: http.StatusNotFound, code: corehour.CodeNotFound}
}

func listTargets(path string, more ...badRequest) []badRequest {
	return append([]badRequest{
		badTarget(path+"?limit=0", "query.limit"), badTarget(path+"?limit=501", "query.limit"),
		badTarget(path+"?limit=-1", "query.limit"), badTarget(path+"?limit=ten", "query.limit"), badTarget(path+"?limit=1.5", "query.limit"),
		badTarget(path+"?limit=", "query.limit"), badTarget(path+"?limit=1&limit=2", "query.limit"), badTarget(path+"?limit=%zz", "query"),
	}, more...)
}

const (
	oor     = corehour.Code("out_of_range")
	wrong   = corehour.CodeInvalid
	missing = CodeMissingField
)

func endpoints() []endpoint {
	return slices.Concat(catalogueEndpoints(), accountEndpoints(), offerEndpoints(), bidEndpoints(), batchEndpoints(),
		changeEndpoints(), limitEndpoints(), haltEndpoints(), sessionEndpoints(), marketEndpoints(), zoneEndpoints(),
		leaseEndpoints(), troubleEndpoints(), usageEndpoints(), documentEndpoints())
}

func (e *endpoint) url() string {
	if e.target != "" {
		return e.target
	}
	return e.path
}

// asking is the endpoint's target with another parameter.
func (e *endpoint) asking(parameter string) string {
	if strings.Contains(e.url(), "?") {
		return e.url() + "&" + parameter
	}
	return e.url() + "?" + parameter
}

// except are the roles but for those.
func except(may ...string) []string {
	return slices.DeleteFunc([]string{"provider", "consumer", "finance", "operator"}, func(r string) bool { return slices.Contains(may, r) })
}

// amounts are spoilt decimals of a field.
func amounts(field, body string, more ...badRequest) []badRequest {
	var bad []badRequest
	for _, v := range []string{`"+1"`, `"1e3"`, `"NaN"`, `"Infinity"`, `" 1"`, `"1 "`, `""`, `"1."`, `".5"`, `"1,5"`, `"0x10"`, `"1_0"`,
		`"0.0000000001"`, `"12345678901"`, `"99999999999999999999"`, `"--1"`, `"١"`, `1.5`, `10`, `true`} {
		bad = append(bad, invalid(field+" "+v, with(body, field, v), wrong, "body."+field))
	}
	return append(bad, more...)
}

// times are spoilt points in time of a field.
func times(field, body string) []badRequest {
	var bad []badRequest
	for _, v := range []string{`"2026-03-01"`, `"2026-03-01 12:00:00Z"`, `"tomorrow"`, `"2026-13-01T00:00:00Z"`, `""`, `1772366400`, `"2026-03-01T12:00:00"`} {
		bad = append(bad, invalid(field+" "+v, with(body, field, v), wrong, "body."+field))
	}
	return bad
}

// minutes are spoilt whole minutes of a field.
func minutes(field, body string) []badRequest {
	return append(times(field, body),
		invalid(field+" seconds", with(body, field, `"2026-03-01T12:00:01Z"`), wrong, "body."+field),
		invalid(field+" nanoseconds", with(body, field, `"2026-03-01T12:00:00.000000001Z"`), wrong, "body."+field),
		invalid(field+" before 1970", with(body, field, `"1969-12-31T23:59:00Z"`), oor, "body."+field))
}

// ids are spoilt numbers in a path.
func ids(prefix, name, suffix string) []badRequest {
	var bad []badRequest
	for _, id := range []string{"1", name + "-0", name + "-01", name + "-", name + "--1", name + "-99999999999999999999", name + "-9223372036854775808",
		"x" + name + "-1", name + "-1x", strings.ToUpper(name) + "-1", name + "-1%00", strings.Repeat("9", 300)} {
		bad = append(bad, badTarget(prefix+id+suffix, "path."+name))
	}
	return bad
}
