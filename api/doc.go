// Package api is the exchange's face on the network: HTTP under /v1 on gin, with
// an OpenAPI 3.1 document that huma derives from the same types that requests are
// read into and answers are written from.
//
// It owns the wire format, tokens and roles, the mapping of errors to problems
// (RFC 9457), and the limits of a request. It owns no rule of the market and no
// state: every question goes through a small interface to the package that knows,
// every change is an [exchange.Command].
//
// What always holds: a request that is answered with a status from 400 to 499
// because of its form, its token, its role or somebody else's identifier has
// submitted no command; what is published as a request's schema is what is
// enforced, because one decoder is compiled from that schema; no answer tells a
// caller more about another organisation's orders than that they are not found;
// no error shows its cause to the caller.
package api
