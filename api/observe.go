package api

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/corehour/corehour"
)

const requestIDHeader = "X-Request-Id"

// observe goes around every request: it names it, bounds how many there are,
// catches panics and writes the access log.
func (s *Server) observe(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !corehour.ValidName(id) {
		id = s.idPrefix + strconv.FormatUint(s.ids.Add(1), 36)
	}
	header := c.Writer.Header()
	header[requestIDHeader] = []string{id}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	header["Cache-Control"] = []string{"no-store"}

	begin := time.Now()
	if g := s.gateOf(c); g != nil {
		if !g.enter() {
			writeProblem(c.Writer, newProblem(http.StatusServiceUnavailable, CodeOverloaded, "", "too many requests are under way; try again"))
			c.Abort()
			s.logAccess(c, id, begin)
			return
		}
		defer g.leave()
	}
	defer s.logAccess(c, id, begin)
	defer s.recoverPanic(c, id)
	c.Next()
}

// gateOf is the gate of a request; probes and documents have none, because they
// must be answered also when the service is busy.
func (s *Server) gateOf(c *gin.Context) *gate {
	switch path := c.FullPath(); {
	case path == deliveriesPath:
		return &s.polls
	case strings.HasPrefix(path, "/v1/"):
		return &s.requests
	}
	return nil
}

func (s *Server) recoverPanic(c *gin.Context, id string) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the library's own way of dropping a connection
	}
	s.config.Logger.ErrorContext(c.Request.Context(), "panic", slog.String("request", id),
		slog.String("route", c.FullPath()), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	writeProblem(c.Writer, newProblem(http.StatusInternalServerError, corehour.CodeInternal, "",
		"internal error; the log knows it as request "+id))
	c.Abort()
}

func (s *Server) logAccess(c *gin.Context, id string, begin time.Time) {
	ctx := c.Request.Context()
	if !s.config.Logger.Enabled(ctx, s.config.AccessLevel) {
		return
	}
	s.config.Logger.LogAttrs(ctx, s.config.AccessLevel, "request",
		slog.String("id", id),
		slog.String("method", c.Request.Method),
		slog.String("route", c.FullPath()),
		slog.Int("status", c.Writer.Status()),
		slog.Int("bytes", c.Writer.Size()),
		slog.Duration("took", time.Since(begin)),
		slog.String("from", c.Request.RemoteAddr))
}
