package corehour

import (
	"errors"
	"fmt"
)

// Kind says whose fault an error is and what the caller can do about it; the
// API maps it to a status in one place.
type Kind uint8

// The kinds of error.
const (
	KindInternal        Kind = iota // our fault; nothing the caller can change
	KindInvalid                     // the request is wrong as it stands
	KindUnauthenticated             // who is asking is not known
	KindForbidden                   // who is asking may not
	KindNotFound                    // there is no such thing, or not for this caller
	KindConflict                    // it contradicts what has happened before
	KindRejected                    // well formed, but the exchange's rules refuse it
	KindTooLarge                    // beyond a named limit of size
	KindLimited                     // too many; try again later
	KindUnavailable                 // not at the moment; try again later
)

// Code is a stable, machine-readable name of what went wrong, such as
// insufficient_funds. Codes never change their meaning once released.
type Code string

// Codes that more than one package uses. Each package declares its own besides.
const (
	CodeInternal     Code = "internal"
	CodeInvalid      Code = "invalid"
	CodeNotFound     Code = "not_found"
	CodeForbidden    Code = "forbidden"
	CodeUnavailable  Code = "unavailable"
	CodeKeyReused    Code = "idempotency_key_reused"
	CodeUnknownLease Code = "unknown_lease"
	CodeTooManyItems Code = "too_many_items"
)

// Error is the one error type that crosses package boundaries.
type Error struct {
	Kind    Kind
	Code    Code
	Field   string // the request's field that is to blame, if one is
	Message string // a sentence for a person
	Op      string // the operation, for the log
	Err     error  // the cause, for the log; never shown to the caller
}

// Errorf makes an error with a message for a person.
func Errorf(kind Kind, code Code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid is an error about one field of a request.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Internal wraps an unexpected failure of an operation.
func Internal(op string, err error) *Error {
	return &Error{Kind: KindInternal, Code: CodeInternal, Message: "internal error", Op: op, Err: err}
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first Error in the chain, KindInternal if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// CodeOf is the code of the first Error in the chain, CodeInternal if there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
