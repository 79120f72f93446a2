package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// ProblemType prefixes a problem's code to make its type.
const ProblemType = "urn:corehour:problem:"

// problemContentType is RFC 9457's.
const problemContentType = "application/problem+json"

// retryAfterSeconds is what a caller is asked to wait when the exchange is busy
// or away.
const retryAfterSeconds = 1

// Codes of the HTTP layer itself.
const (
	CodeBodyMissing      corehour.Code = "body_missing"
	CodeBodyUnreadable   corehour.Code = "body_unreadable"
	CodeBodyTooLarge     corehour.Code = "body_too_large"
	CodeMalformedJSON    corehour.Code = "malformed_json"
	CodeUnknownField     corehour.Code = "unknown_field"
	CodeDuplicateField   corehour.Code = "duplicate_field"
	CodeMissingField     corehour.Code = "missing_field"
	CodeInvalidParameter corehour.Code = "invalid_parameter"
	CodeUnknownParameter corehour.Code = "unknown_parameter"
	CodeUnsupportedMedia corehour.Code = "unsupported_media_type"
	CodeNoRoute          corehour.Code = "no_such_route"
	CodeMethodNotAllowed corehour.Code = "method_not_allowed"
	CodeRequestTimeout   corehour.Code = "request_timeout"
	CodeOverloaded       corehour.Code = "overloaded"
)

// Problem is an error as it is sent, RFC 9457 with the members code, field and
// errors.
type Problem struct {
	Type   string         `json:"type" format:"uri" doc:"A name for this kind of problem: urn:corehour:problem: and the code."`
	Title  string         `json:"title" doc:"The kind of problem in words."`
	Status int            `json:"status" doc:"The HTTP status."`
	Detail string         `json:"detail,omitempty" doc:"What is wrong this time, for a person."`
	Code   corehour.Code  `json:"code" doc:"What is wrong, for a program. Codes never change their meaning."`
	Field  string         `json:"field,omitempty" doc:"What of the request is to blame, such as body.units, path.offer or query.limit."`
	Errors []FieldProblem `json:"errors,omitempty" nullable:"false" doc:"Everything that was found, where it is more than one thing."`

	header http.Header
}

// FieldProblem is one of several things that are wrong with a request.
type FieldProblem struct {
	Code   corehour.Code `json:"code"`
	Field  string        `json:"field"`
	Detail string        `json:"detail"`
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus is the HTTP status, for huma.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the problem, for huma.
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType is application/problem+json, for huma.
func (p *Problem) ContentType(string) string { return problemContentType }

// kindStatus is the one place where kinds of error become statuses.
var kindStatus = map[corehour.Kind]int{
	corehour.KindInternal:        http.StatusInternalServerError,
	corehour.KindInvalid:         http.StatusUnprocessableEntity,
	corehour.KindUnauthenticated: http.StatusUnauthorized,
	corehour.KindForbidden:       http.StatusForbidden,
	corehour.KindNotFound:        http.StatusNotFound,
	corehour.KindConflict:        http.StatusConflict,
	corehour.KindRejected:        http.StatusUnprocessableEntity,
	corehour.KindTooLarge:        http.StatusRequestEntityTooLarge,
	corehour.KindLimited:         http.StatusTooManyRequests,
	corehour.KindUnavailable:     http.StatusServiceUnavailable,
}

// codeStatus holds the codes whose status says more than their kind's.
var codeStatus = map[corehour.Code]int{
	// The request could not be read: its form, not its content, is wrong.
	CodeBodyMissing:      http.StatusBadRequest,
	CodeBodyUnreadable:   http.StatusBadRequest,
	CodeMalformedJSON:    http.StatusBadRequest,
	CodeInvalidParameter: http.StatusBadRequest,
	CodeUnknownParameter: http.StatusBadRequest,
	CodeUnsupportedMedia: http.StatusUnsupportedMediaType,
	CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	CodeRequestTimeout:   http.StatusRequestTimeout,
	CodeOverloaded:       http.StatusServiceUnavailable,

	// Rejections that depend on what has happened before.
	exchange.CodeAccountExists: http.StatusConflict,
	exchange.CodeRegionExists:  http.StatusConflict,
	exchange.CodeKeyReused:     http.StatusConflict,
	exchange.CodeClosed:        http.StatusConflict,
	exchange.CodeWrongStatus:   http.StatusConflict,
	exchange.CodeChargeGap:     http.StatusConflict,
	exchange.CodeWouldTrade:    http.StatusConflict,
	exchange.CodeSold:          http.StatusConflict,
	exchange.CodePiecesTaken:   http.StatusConflict,

	exchange.CodeSessionExists: http.StatusConflict,

	// Limits that depend on what has happened before, and halts: not now.
	exchange.CodeOpenOrdersLimit:  http.StatusConflict,
	exchange.CodeDailySpendLimit:  http.StatusConflict,
	exchange.CodeTradingHalted:    http.StatusConflict,
	exchange.CodeAccountHalted:    http.StatusConflict,
	exchange.CodeProviderHalted:   http.StatusConflict,
	exchange.CodeOrderRateLimit:   http.StatusTooManyRequests,
	exchange.CodeNotYours:         http.StatusForbidden,
	exchange.CodeNotInterruptible: http.StatusConflict,
	exchange.CodeBondNeeded:       http.StatusConflict,
	exchange.CodeCoverBid:         http.StatusConflict,
	exchange.CodeDisputed:         http.StatusConflict,

	// Rejections that name something that is not there.
	exchange.CodeUnknownSession: http.StatusNotFound,
	exchange.CodeUnknownOffer:   http.StatusNotFound,
	exchange.CodeUnknownBid:     http.StatusNotFound,
	exchange.CodeUnknownLease:   http.StatusNotFound,

	// Deposit and try again.
	exchange.CodeInsufficientFunds: http.StatusPaymentRequired,
}

// statusOf is the HTTP status of an error.
func statusOf(kind corehour.Kind, code corehour.Code) int {
	if status, ok := codeStatus[code]; ok {
		return status
	}
	if status, ok := kindStatus[kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// newProblem is a problem with its fixed members filled in.
func newProblem(status int, code corehour.Code, field, detail string) *Problem {
	title := strings.ReplaceAll(string(code), "_", " ")
	if title != "" {
		title = strings.ToUpper(title[:1]) + title[1:]
	}
	p := &Problem{
		Type: ProblemType + string(code), Title: title, Status: status,
		Detail: detail, Code: code, Field: field,
	}
	switch {
	case status == http.StatusUnauthorized && code == CodeTokenMissing:
		p.header = http.Header{"Www-Authenticate": {`Bearer realm="corehour"`}}
	case status == http.StatusUnauthorized:
		p.header = http.Header{"Www-Authenticate": {`Bearer realm="corehour", error="invalid_token"`}}
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		p.header = http.Header{"Retry-After": {strconv.Itoa(retryAfterSeconds)}}
	}
	return p
}

// problemOf turns any error into what its caller may see. Causes stay behind.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var e *corehour.Error
	if errors.As(err, &e) {
		if e.Kind == corehour.KindInternal {
			return newProblem(http.StatusInternalServerError, corehour.CodeInternal, "", "internal error")
		}
		return newProblem(statusOf(e.Kind, e.Code), e.Code, e.Field, e.Message)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return newProblem(http.StatusServiceUnavailable, corehour.CodeUnavailable, "",
			"the exchange did not answer in time; whether the command took effect is not known, repeat it with the same client id or reference")
	}
	return newProblem(http.StatusInternalServerError, corehour.CodeInternal, "", "internal error")
}

// rejection is the problem of a reply that refused a command.
func rejection(r *exchange.Reply) *Problem {
	return newProblem(statusOf(corehour.KindRejected, r.Code), r.Code, commandField(r.Field), r.Message)
}

// commandField places a command's field in the request that it was made of.
func commandField(name string) string {
	switch name {
	case "offer", "bid", "lease":
		return "path." + name
	case "provider", "consumer":
		return "" // the token's account
	}
	return bodyField(name)
}

// bodyField places a field's name in the request's body.
func bodyField(name string) string {
	if name == "" {
		return ""
	}
	return "body." + name
}

// inBody places the field that an error blames in the request's body.
func inBody(err error) error { return placed(err, bodyField) }

// inCommand places the field of a command that an error blames in the request
// that the command was made of.
func inCommand(err error) error { return placed(err, commandField) }

// inQuery places the field that an error blames in the request's query.
func inQuery(err error) error {
	return placed(err, func(field string) string { return "query." + field })
}

func placed(err error, place func(field string) string) error {
	var e *corehour.Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	there := *e
	there.Field = place(e.Field)
	return &there
}

// severalProblems is one problem for everything found wrong with a request; the
// first one is in front.
func severalProblems(status int, found []FieldProblem) *Problem {
	p := newProblem(status, found[0].Code, found[0].Field, found[0].Detail)
	if len(found) > 1 {
		p.Errors = found
	}
	return p
}

func notFound(what string) *corehour.Error {
	return corehour.Errorf(corehour.KindNotFound, corehour.CodeNotFound, "no such %s", what)
}

// writeProblem answers outside of huma: for requests that reach no operation.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemContentType)
	w.WriteHeader(p.Status)
	// Encoding a Problem cannot fail, and a connection that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(p)
}

// humaErrors gives huma our problems in place of its own. huma keeps the hook in
// a variable of its package, so it is set once however many servers there are.
var humaErrors sync.Once

func installHumaErrors() {
	humaErrors.Do(func() {
		huma.NewError = humaProblem
		huma.NewErrorWithContext = func(_ huma.Context, status int, msg string, errs ...error) huma.StatusError {
			return humaProblem(status, msg, errs...)
		}
	})
}

// humaProblem translates what huma finds wrong before an operation's handler
// runs. Bodies are decoded by our own decoder, so huma's validation errors are
// about parameters.
func humaProblem(status int, msg string, errs ...error) huma.StatusError {
	switch status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		if found := parameterProblems(errs); len(found) > 0 {
			return severalProblems(http.StatusBadRequest, found)
		}
		return newProblem(http.StatusBadRequest, CodeBodyMissing, "body", msg)
	case http.StatusRequestEntityTooLarge:
		return newProblem(status, CodeBodyTooLarge, "body", msg)
	case http.StatusRequestTimeout:
		return newProblem(status, CodeRequestTimeout, "body", msg)
	case http.StatusUnsupportedMediaType:
		return newProblem(status, CodeUnsupportedMedia, "", msg)
	case http.StatusInternalServerError:
		if msg == "cannot read request body" {
			return newProblem(http.StatusBadRequest, CodeBodyUnreadable, "body", msg)
		}
		for _, err := range errs {
			return problemOf(err)
		}
	}
	return newProblem(status, corehour.CodeInternal, "", "internal error")
}

func parameterProblems(errs []error) []FieldProblem {
	found := make([]FieldProblem, 0, len(errs))
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			found = append(found, FieldProblem{Code: CodeInvalidParameter, Field: d.Location, Detail: d.Message})
		}
	}
	return found
}
