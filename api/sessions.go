package api

import (
	"context"
	"net/http"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

// OpenSession is the body of POST /v1/sessions.
type OpenSession struct {
	Session            corehour.SessionID `json:"session" maxLength:"64" doc:"Your name for it." example:"desk-1"`
	Timeout            corehour.Seconds   `json:"timeout_seconds,omitempty" minimum:"0" maximum:"86400" doc:"Take its open orders back where no heartbeat comes for so long; 0, or not given, waits for ever." example:"30"`
	CancelOnDisconnect bool               `json:"cancel_on_disconnect,omitempty" doc:"Whether its open orders are taken back when it is closed." example:"true"`
}

// SessionParam is the input of what is about one session.
type SessionParam struct {
	Session corehour.SessionID `path:"session" maxLength:"64" doc:"The session's name." example:"desk-1"`
}

// SessionAlive is the answer to the opening of a session and to a heartbeat.
type SessionAlive struct {
	Session corehour.SessionID `json:"session"`
	EndsAt  corehour.Instant   `json:"ends_at,omitzero" doc:"When it ends where no heartbeat comes before; absent where it waits for ever."`
}

// SessionClosed is the answer to the end of a session.
type SessionClosed struct {
	Session   corehour.SessionID `json:"session"`
	Cancelled int64              `json:"cancelled" doc:"How many open orders were taken back."`
}

func (s *Server) registerSessions() {
	const tag = "sessions"
	traders := []Role{RoleConsumer, RoleProvider}
	register(s, operation{
		id: "open-session", method: http.MethodPost, path: "/v1/sessions", tag: tag,
		summary: "Open a session",
		description: "Orders that name it are taken back when it ends: without a heartbeat in time, or, with cancel_on_disconnect, when it is closed. " +
			"Opening it again with the same terms changes nothing and counts as a heartbeat.",
		roles: traders, status: http.StatusCreated, responses: replayResponse(),
	}, s.openSession)
	register(s, operation{
		id: "list-sessions", method: http.MethodGet, path: "/v1/sessions", tag: tag,
		summary: "List your open sessions", description: "All of them; there are at most 64.", roles: traders,
	}, func(ctx context.Context, c Caller, _ *struct{}) (*pageOutput[exchange.SessionView], error) {
		items, err := s.config.Exchange.Sessions(ctx, c.Account)
		return wholeList(items, err)
	})
	register(s, operation{
		id: "heartbeat-session", method: http.MethodPost, path: "/v1/sessions/{session}/heartbeat", tag: tag,
		summary: "Keep a session alive", description: "Its time runs anew from now.", roles: traders,
	}, func(ctx context.Context, c Caller, in *SessionParam) (*struct{ Body SessionAlive }, error) {
		reply, err := s.aboutSession(ctx, exchange.Heartbeat{Account: c.Account, Session: in.Session})
		return &struct{ Body SessionAlive }{SessionAlive{Session: in.Session, EndsAt: reply.Until}}, err
	})
	register(s, operation{
		id: "close-session", method: http.MethodDelete, path: "/v1/sessions/{session}", tag: tag,
		summary:     "Close a session",
		description: "Its open orders are taken back if it was opened with cancel_on_disconnect; else they stay and are of no session.",
		roles:       traders,
	}, func(ctx context.Context, c Caller, in *SessionParam) (*struct{ Body SessionClosed }, error) {
		reply, err := s.aboutSession(ctx, exchange.CloseSession{Account: c.Account, Session: in.Session})
		return &struct{ Body SessionClosed }{SessionClosed{Session: in.Session, Cancelled: int64(reply.Cancelled)}}, err
	})
}

// aboutSession submits a command about the session of the path.
func (s *Server) aboutSession(ctx context.Context, c exchange.Command) (exchange.Reply, error) {
	reply, err := s.config.Exchange.Submit(ctx, c)
	switch {
	case err != nil:
		return reply, err
	case reply.Code == exchange.CodeUnknownSession, reply.Code == exchange.CodeUnknownAccount:
		return reply, notFound("session")
	case reply.Rejected():
		return reply, rejection(&reply)
	}
	return reply, nil
}

func (s *Server) openSession(ctx context.Context, c Caller, in *withBody[OpenSession]) (*created[SessionAlive], error) {
	b := &in.Body.value
	reply, err := s.submit(ctx, exchange.OpenSession{
		Account: c.Account, Session: b.Session, Timeout: b.Timeout, CancelOnDisconnect: b.CancelOnDisconnect,
	})
	if err != nil {
		return nil, err
	}
	return createdAt("/v1/sessions", reply.Repeat, SessionAlive{Session: b.Session, EndsAt: reply.Until}), nil
}
