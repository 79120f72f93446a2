package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/providers"
)

// patience is how long a test waits for what happens at once.
const patience = 10 * time.Second

// serving is a server that listens.
type serving struct {
	url  string
	addr string
	stop context.CancelFunc
	done chan error
}

func (f *fixture) serve(t *testing.T) *serving {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{url: "http://" + l.Addr().String(), addr: l.Addr().String(), stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- f.Serve(ctx, l) }()
	t.Cleanup(cancel)
	return s
}

func (s *serving) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(patience):
		t.Fatal("Serve does not return")
		return nil
	}
}

type result struct {
	status int
	body   string
	err    error
}

func (f *fixture) get(s *serving, who, target string) chan result {
	out := make(chan result, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodGet, s.url+target, nil)
		r.Header.Set("Authorization", "Bearer "+f.tokens[who])
		out <- do(r)
	}()
	return out
}

func (f *fixture) post(s *serving, who, target, body string) chan result {
	out := make(chan result, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodPost, s.url+target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+f.tokens[who])
		r.Header.Set("Content-Type", "application/json")
		out <- do(r)
	}()
	return out
}

func do(r *http.Request) result {
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return result{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return result{res.StatusCode, string(b), err}
}

func wait[T any](t *testing.T, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing happened")
		panic("unreachable")
	}
}

func TestServe_DrainsWhatIsInFlight(t *testing.T) {
	f := newFixture(t)
	begun, release := make(chan struct{}), make(chan struct{})
	f.exchange.before = func(context.Context) { close(begun); <-release }
	f.exchange.reply.Bid = 1
	s := f.serve(t)
	inFlight := f.post(s, "consumer", "/v1/bids", goodBid)
	wait(t, begun)
	s.stop()
	<-f.draining.Done()
	// The probe says so before the listener is gone, for who still reaches it.
	if a := f.ask(t, "", "GET", "/readyz", ""); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("ready while draining: %d", a.status)
	}
	for begin := time.Now(); ; {
		if c, err := net.Dial("tcp", s.addr); err != nil {
			break
		} else if c.Close(); time.Since(begin) > patience {
			t.Fatal("the server still accepts")
		}
	}
	select {
	case err := <-s.done:
		t.Fatalf("Serve returned before the request was answered: %v", err)
	default:
	}
	close(release)
	if r := wait(t, inFlight); r.status != 201 {
		t.Errorf("the request in flight: %+v", r)
	}
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
}

func TestServe_GivesUpOnWhatDoesNotEnd(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.drain = 20 * time.Millisecond })
	begun := make(chan struct{})
	f.exchange.before = func(ctx context.Context) { close(begun); <-ctx.Done() }
	s := f.serve(t)
	stuck := f.post(s, "consumer", "/v1/bids", goodBid)
	wait(t, begun)
	s.stop()
	if err := s.ended(t); err == nil || !strings.Contains(err.Error(), "1 requests did not finish") {
		t.Errorf("%v", err)
	}
	wait(t, stuck)
}

func TestServe_SaysWhenTheListenerFails(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := f.Serve(t.Context(), l); err == nil {
		t.Error("no error from a closed listener")
	}
}

func TestDeliveries_WaitEndsWhenOneComes(t *testing.T) {
	f := newFixture(t)
	s := f.serve(t)
	poll := f.get(s, "provider", "/v1/deliveries?after=41&wait=30")
	wait(t, f.deliveries.waiting)
	f.deliveries.deliver(providers.Delivery{Cursor: 42, Lease: f.exchange.lease.Lease, Status: corehour.StatusMatched})
	r := wait(t, poll)
	if r.status != 200 || !strings.Contains(r.body, `"cursor":42`) || !strings.Contains(r.body, `"next":"42"`) || !strings.Contains(r.body, `"id":"lease-1"`) {
		t.Errorf("%+v", r)
	}
	// What is there already is answered at once, whatever wait says.
	if r := wait(t, f.get(s, "provider", "/v1/deliveries?wait=30")); !strings.Contains(r.body, `"cursor":42`) {
		t.Errorf("%+v", r)
	}
}

func TestDeliveries_WaitEndsEmptyAndKeepsTheCursor(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.maxWait = time.Millisecond })
	a := f.ask(t, "provider", "GET", "/v1/deliveries?after=41&wait=30", "")
	if a.status != 200 || strings.TrimSpace(a.body) != `{"items":[],"next":"41"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestDeliveries_WaitEndsWhenTheServerDrains(t *testing.T) {
	f := newFixture(t)
	s := f.serve(t)
	poll := f.get(s, "provider", "/v1/deliveries?wait=30")
	wait(t, f.deliveries.waiting)
	s.stop()
	if r := wait(t, poll); r.status != 200 || !strings.Contains(r.body, `"items":[]`) {
		t.Errorf("%+v", r)
	}
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
}

// Without lifting the deadline the connection's read timeout would end the
// request's context, and with it the wait.
func TestDeliveries_WaitOutlastsTheReadTimeout(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.read, l.write = 50*time.Millisecond, 50*time.Millisecond })
	s := f.serve(t)
	poll := f.get(s, "provider", "/v1/deliveries?wait=30")
	wait(t, f.deliveries.waiting)
	select {
	case r := <-poll:
		t.Fatalf("the wait ended: %+v", r)
	case <-time.After(250 * time.Millisecond):
	}
	f.deliveries.deliver(providers.Delivery{Cursor: 1, Lease: f.exchange.lease.Lease, Status: corehour.StatusMatched})
	if r := wait(t, poll); r.status != 200 || !strings.Contains(r.body, `"cursor":1`) {
		t.Errorf("%+v", r)
	}
}

func TestServe_RefusesMoreThanItsLimitAndStillAnswersProbes(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.requests, l.polls = 1, 1 })
	begun, release := make(chan struct{}), make(chan struct{})
	f.exchange.before = func(context.Context) { close(begun); <-release }
	s := f.serve(t)
	first := f.post(s, "consumer", "/v1/bids", goodBid)
	wait(t, begun)
	poll := f.get(s, "provider", "/v1/deliveries?wait=30")
	wait(t, f.deliveries.waiting)
	for _, target := range []string{"/v1/products", "/v1/deliveries"} {
		if r := wait(t, f.get(s, "provider", target)); r.status != 503 || !strings.Contains(r.body, `"code":"overloaded"`) {
			t.Errorf("%s: %+v", target, r)
		}
	}
	if r := wait(t, f.get(s, "", "/healthz")); r.status != 200 {
		t.Errorf("the probe: %+v", r)
	}
	close(release)
	if r := wait(t, first); r.status != 201 {
		t.Errorf("%+v", r)
	}
	if r := wait(t, f.get(s, "provider", "/v1/products")); r.status != 200 {
		t.Errorf("afterwards: %+v", r)
	}
	s.stop()
	wait(t, poll)
}

// raw sends bytes and returns what comes back until the server hangs up.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(bufio.NewReader(c))
	if nErr, is := err.(net.Error); is && nErr.Timeout() {
		t.Fatal("the server keeps a dead connection")
	}
	return string(b)
}

func TestServe_SlowRequestsAreGivenUp(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) {
		l.readHeader, l.read, l.idle = 50*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	})
	s := f.serve(t)
	raw(t, s.addr, "")                                                      // says nothing
	raw(t, s.addr, "POST /v1/bids HTTP/1.1\r\nHost: x\r\nContent-Type: ap") // stops in a header
	f.requireUntouched(t)
}

func TestServe_SlowBodiesAreGivenUp(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.body = 50 * time.Millisecond })
	s := f.serve(t)
	got := raw(t, s.addr, "POST /v1/bids HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer "+f.tokens["consumer"]+
		"\r\nConnection: close\r\nContent-Length: 500\r\n\r\n"+goodBid[:40])
	if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, `"request_timeout"`) {
		t.Errorf("%.600q", got)
	}
	f.requireUntouched(t)
}

// keptAlive is a connection that has been answered once and stays open.
func keptAlive(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestServe_ConnectionsBeyondTheLimitWait(t *testing.T) {
	f := newFixture(t, func(_ *Config, l *limits) { l.connections = 1 })
	s := f.serve(t)
	idle := keptAlive(t, s.addr)
	second := f.get(s, "", "/healthz")
	select {
	case r := <-second:
		t.Fatalf("a second connection was served: %+v", r)
	case <-time.After(100 * time.Millisecond):
	}
	idle.Close()
	if r := wait(t, second); r.status != 200 {
		t.Errorf("%+v", r)
	}
	// With all slots taken the server still stops.
	keptAlive(t, s.addr)
	s.stop()
	if err := s.ended(t); err != nil {
		t.Error(err)
	}
}

func TestServe_OversizedHeadersAreRefused(t *testing.T) {
	f := newFixture(t)
	s := f.serve(t)
	if got := raw(t, s.addr, "GET /v1/bids HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("%.100q", got)
	}
}

// Two lengths, or a length and chunks, would let a proxy and us disagree about
// where a request ends.
func TestServe_AmbiguousLengthsAreRefused(t *testing.T) {
	f := newFixture(t)
	s := f.serve(t)
	head := "POST /v1/bids HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + f.tokens["consumer"] + "\r\nConnection: close\r\n"
	for _, rest := range []string{
		"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", "Content-Length: -1\r\n\r\n{}", "Transfer-Encoding: gzip\r\n\r\n{}", "Content-Length: 2x\r\n\r\n{}",
	} {
		got := raw(t, s.addr, head+rest)
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") && !strings.HasPrefix(got, "HTTP/1.1 501 ") {
			t.Errorf("%q: %.100q", rest, got)
		}
	}
	// Chunks that break off, or are none, are a problem of the body.
	for _, rest := range []string{"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"} {
		if got := raw(t, s.addr, head+rest); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, `"body_unreadable"`) {
			t.Errorf("%q: %.600q", rest, got)
		}
	}
	if got := raw(t, s.addr, head+fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(goodBid), goodBid)); !strings.HasPrefix(got, "HTTP/1.1 201 ") {
		t.Errorf("a good chunked body: %.600q", got)
	}
	if n := len(f.exchange.taken()); n != 1 {
		t.Errorf("%d commands", n)
	}
}

func TestReadyz_FollowsTheService(t *testing.T) {
	f := newFixture(t)
	if a := f.ask(t, "", "GET", "/readyz", ""); a.status != 200 || strings.TrimSpace(a.body) != `{"status":"ok"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	f.ready = fmt.Errorf("the log at 10.0.0.7 is away")
	if a := f.ask(t, "", "GET", "/readyz", ""); a.status != 503 || a.problem.Code != corehour.CodeUnavailable || strings.Contains(a.body, "10.0.0.7") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := f.ask(t, "", "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("alive: %d", a.status)
	}
}

func TestAccessLog_SaysWhatWasAnsweredAndNoSecrets(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t, func(c *Config, _ *limits) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.AccessLevel = slog.LevelInfo
	})
	f.ask(t, "consumer", "GET", "/v1/bids/bid-1", "", func(r *http.Request) { r.Header.Set("X-Request-Id", "trace-1") })
	line := log.String()
	for _, want := range []string{"msg=request", "id=trace-1", "method=GET", "route=/v1/bids/:bid", "status=200"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in %s", want, line)
		}
	}
	if strings.Contains(line, f.tokens["consumer"][:20]) {
		t.Error("the token is in the log")
	}
}

func TestNew_RefusesAnIncompleteConfig(t *testing.T) {
	full := newFixture(t).config
	for name, spoil := range map[string]func(*Config){
		"Exchange": func(c *Config) { c.Exchange = nil }, "Deliveries": func(c *Config) { c.Deliveries = nil }, "Metering": func(c *Config) { c.Metering = nil },
		"Billing": func(c *Config) { c.Billing = nil }, "Ledger": func(c *Config) { c.Ledger = nil }, "Keys": func(c *Config) { c.Keys = nil },
		"TokenClock": func(c *Config) { c.TokenClock = nil }, "Ready": func(c *Config) { c.Ready = nil }, "Logger": func(c *Config) { c.Logger = nil },
		"Version": func(c *Config) { c.Version = "" },
	} {
		c := full
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := New(full); err != nil {
		t.Error(err)
	}
}
