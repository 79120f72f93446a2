package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
)

// Health is the answer of the probes.
type Health struct {
	Status string `json:"status" enum:"ok" example:"ok"`
}

type healthOutput struct {
	Body Health
}

func (s *Server) registerHealth() {
	const tag = "health"
	register(s, operation{
		id: "healthz", method: http.MethodGet, path: "/healthz", tag: tag, public: true,
		summary: "Whether the process is alive",
	}, func(context.Context, Caller, *struct{}) (*healthOutput, error) {
		return &healthOutput{Body: Health{Status: "ok"}}, nil
	})
	register(s, operation{
		id: "readyz", method: http.MethodGet, path: "/readyz", tag: tag, public: true,
		summary: "Whether the service can work", description: "503 while it starts, while it drains and while something it needs is away.",
	}, func(ctx context.Context, _ Caller, _ *struct{}) (*healthOutput, error) {
		if s.draining.Err() != nil {
			return nil, corehour.Errorf(corehour.KindUnavailable, corehour.CodeUnavailable, "shutting down")
		}
		if err := s.config.Ready(ctx); err != nil {
			// What exactly is away is for the log; a probe is answered to anybody.
			return nil, &corehour.Error{Kind: corehour.KindUnavailable, Code: corehour.CodeUnavailable, Message: "not ready", Err: err}
		}
		return &healthOutput{Body: Health{Status: "ok"}}, nil
	})
}
