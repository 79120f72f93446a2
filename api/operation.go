package api

import (
	"context"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"github.com/corehour/corehour"
)

// Limits of a request.
const (
	// MaxBodyBytes bounds a body.
	MaxBodyBytes = 1 << 20
	// longTimeout bounds the requests that may last longer than the server's
	// timeouts.
	longTimeout = 10 * time.Minute
)

const bearerAuth = "bearerAuth"

// operation is one endpoint: how it is documented and who may call it.
type operation struct {
	id, method, path string
	tag              string
	summary          string
	description      string
	roles            []Role // who may call it; empty is everybody with a token
	public           bool   // no token is needed
	status           int    // of success, 200 where zero
	waits            bool   // it may last longer than the server's timeouts
	responses        map[string]*huma.Response
}

// jsonBody is a body of type T. It is read by our decoder, not huma's, and keeps
// what was wrong until the operation's handler is reached.
type jsonBody[T any] struct {
	value T
	err   error
}

// Schema is that of T; huma calls it.
func (*jsonBody[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

func (b *jsonBody[T]) read(data []byte, shapes map[reflect.Type]*shape) {
	b.err = decodeBody(data, shapes[reflect.TypeFor[T]()], reflect.ValueOf(&b.value).Elem())
	if c, ok := any(&b.value).(checked); ok && b.err == nil {
		var found checker
		c.check(&found)
		if len(found.found) > 0 {
			b.err = severalProblems(http.StatusUnprocessableEntity, found.found)
		}
	}
}

type bodyReader interface {
	read(data []byte, shapes map[reflect.Type]*shape)
}

// withBody is embedded in the input of an operation that has a body.
type withBody[T any] struct {
	Body jsonBody[T]
}

func (b *withBody[T]) bodyType() reflect.Type { return reflect.TypeFor[T]() }
func (b *withBody[T]) bodyError() error       { return b.Body.err }

type bodied interface {
	bodyType() reflect.Type
	bodyError() error
}

// request is what the handlers of one request share.
type request struct {
	id     string
	caller Caller
	writer http.ResponseWriter
}

type requestKey struct{}

// register makes an operation of a handler: it documents it, and lets only those
// requests through to it whose token, role, parameters and body are good.
func register[I, O any](s *Server, op operation, handler func(ctx context.Context, c Caller, in *I) (*O, error)) {
	var hasBody bool
	if b, ok := any(new(I)).(bodied); ok {
		hasBody = true
		t := b.bodyType()
		s.shapes[t] = shapeOf(s.registry, s.registry.Schema(t, true, ""), t)
	}
	security := []map[string][]string{{bearerAuth: {}}}
	if op.public {
		security = []map[string][]string{{}}
	}
	responses := op.responses
	if responses == nil {
		responses = map[string]*huma.Response{}
	}
	responses["default"] = &huma.Response{
		Description: "A problem (RFC 9457)",
		Content: map[string]*huma.MediaType{
			problemContentType: {Schema: s.registry.Schema(reflect.TypeFor[Problem](), true, "")},
		},
	}
	huma.Register(s.huma, huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path,
		Tags: []string{op.tag}, Summary: op.summary, Description: op.describe(),
		DefaultStatus: op.status, Security: security, Responses: responses,
		SkipValidateBody: true,
		// huma refuses a body of exactly its limit.
		MaxBodyBytes: MaxBodyBytes + 1, BodyReadTimeout: s.limits.body,
		Middlewares: huma.Middlewares{s.admit(op, hasBody)},
	}, func(ctx context.Context, in *I) (*O, error) {
		if b, ok := any(in).(bodied); ok {
			if err := b.bodyError(); err != nil {
				return nil, err
			}
		}
		r, _ := ctx.Value(requestKey{}).(*request)
		if op.waits {
			r.takeTime()
		} else {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, requestTimeout)
			defer cancel()
		}
		out, err := handler(ctx, r.caller, in)
		if err != nil {
			return nil, s.explain(ctx, op.id, r.id, err)
		}
		return out, nil
	})
}

// requestTimeout bounds the work for one request, but for those that may last.
const requestTimeout = 30 * time.Second

// takeTime lifts the deadlines of the connection for a request that may last.
func (r *request) takeTime() {
	control := http.NewResponseController(r.writer)
	// A writer without deadlines, as tests use, needs none lifted.
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(longTimeout))
}

// describe adds to the description who may call.
func (op *operation) describe() string {
	who := "For every role."
	switch {
	case op.public:
		who = "No token is needed."
	case len(op.roles) > 0:
		who = "For the roles: "
		for i, r := range op.roles {
			if i > 0 {
				who += ", "
			}
			who += string(r)
		}
		who += "."
	}
	if op.description == "" {
		return who
	}
	return op.description + " " + who
}

// explain turns a handler's error into a problem and logs the cause where the
// fault is ours.
func (s *Server) explain(ctx context.Context, op, id string, err error) error {
	p := problemOf(err)
	switch {
	case p.Status == http.StatusInternalServerError:
		s.config.Logger.ErrorContext(ctx, "request failed", slog.String("operation", op), slog.String("request", id), slog.Any("error", err))
		return newProblem(p.Status, p.Code, "", "internal error; the log knows it as request "+id)
	case p.Status == http.StatusServiceUnavailable && ctx.Err() == nil:
		s.config.Logger.WarnContext(ctx, "request unavailable", slog.String("operation", op), slog.String("request", id), slog.Any("error", err))
	}
	return p
}

// admit lets a request through to an operation if its token, role, query and
// content type are good, before anything of its body is read.
func (s *Server) admit(op operation, hasBody bool) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		r := &request{id: c.Writer.Header().Get(requestIDHeader), writer: c.Writer}
		err := func() error {
			if !op.public {
				caller, err := s.authenticate(c.Request.Header)
				if err != nil {
					return err
				}
				if len(op.roles) > 0 && !slices.Contains(op.roles, caller.Role) {
					return corehour.Errorf(corehour.KindForbidden, corehour.CodeForbidden, "the role %s may not do this", caller.Role)
				}
				r.caller = caller
			}
			if err := checkQuery(c.Request.URL.RawQuery, ctx.Operation().Parameters); err != nil {
				return err
			}
			return checkBody(c.Request, hasBody)
		}()
		if err != nil {
			writeProblem(c.Writer, problemOf(err))
			return
		}
		next(huma.WithValue(ctx, requestKey{}, r))
	}
}

// checkQuery refuses what huma would pass over: unknown parameters, repeated
// ones, empty ones and undecodable ones.
func checkQuery(raw string, known []*huma.Param) error {
	if raw == "" {
		return nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return newProblem(http.StatusBadRequest, CodeInvalidParameter, "query", "the query cannot be decoded")
	}
	for name, given := range values {
		field := "query." + string(shown([]byte(name)))
		if !slices.ContainsFunc(known, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
			return newProblem(http.StatusBadRequest, CodeUnknownParameter, field, "there is no such parameter")
		}
		if len(given) != 1 || given[0] == "" {
			return newProblem(http.StatusBadRequest, CodeInvalidParameter, field, "expected one value")
		}
	}
	return nil
}

// checkBody refuses a body that is too large or of a type that is not read here,
// and one where none is read.
func checkBody(r *http.Request, hasBody bool) error {
	if !hasBody {
		if r.ContentLength == 0 {
			return nil
		}
		return newProblem(http.StatusBadRequest, corehour.CodeInvalid, "body", "this operation takes no body")
	}
	if r.ContentLength > MaxBodyBytes {
		return newProblem(http.StatusRequestEntityTooLarge, CodeBodyTooLarge, "body",
			"the body is larger than "+strconv.Itoa(MaxBodyBytes)+" bytes")
	}
	given := r.Header["Content-Type"]
	if len(given) == 1 && given[0] == "application/json" {
		return nil
	}
	if len(given) == 1 {
		kind, parameters, err := mime.ParseMediaType(given[0])
		charset, named := parameters["charset"]
		if err == nil && kind == "application/json" && (!named || charset == "utf-8" || charset == "UTF-8") {
			return nil
		}
	}
	return newProblem(http.StatusUnsupportedMediaType, CodeUnsupportedMedia, "header.Content-Type", "expected application/json")
}
