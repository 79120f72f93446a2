package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/corehour/corehour"
)

// Limits of the server.
const (
	// MaxHeaderBytes bounds a request's line and headers.
	MaxHeaderBytes = 16 << 10
	// MaxRequests bounds how many requests are worked on at a time.
	MaxRequests = 4096
	// MaxPolls bounds how many requests wait for deliveries at a time.
	MaxPolls = 1024

	// MaxConnections bounds how many connections are open at a time; who comes then
	// waits in the system's queue.
	MaxConnections = 8192

	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	bodyTimeout       = 10 * time.Second
	writeTimeout      = 60 * time.Second // above MaxWait, which passes before a byte is written
	idleTimeout       = 120 * time.Second

	// DrainTimeout bounds how long Serve waits for requests in flight.
	DrainTimeout = 20 * time.Second
)

// Config is what the API needs of the rest of the service.
type Config struct {
	Exchange   Exchange
	Deliveries Deliveries
	Metering   Metering
	Billing    Billing
	Ledger     Ledger

	Keys *Keys
	// TokenClock judges the times of tokens. It is the machine's clock also where
	// the market runs on simulated time.
	TokenClock corehour.Clock
	// Ready says why the service cannot work at the moment, nil if it can.
	Ready func(context.Context) error
	// Version of the software, for the document.
	Version string
	Logger  *slog.Logger
	// AccessLevel is the level that requests are logged with; the zero value is info.
	AccessLevel slog.Level
}

func (c *Config) validate() error {
	for name, missing := range map[string]bool{
		"Exchange": c.Exchange == nil, "Deliveries": c.Deliveries == nil, "Metering": c.Metering == nil,
		"Billing": c.Billing == nil, "Ledger": c.Ledger == nil, "Keys": c.Keys == nil,
		"TokenClock": c.TokenClock == nil, "Ready": c.Ready == nil, "Logger": c.Logger == nil, "Version": c.Version == "",
	} {
		if missing {
			return fmt.Errorf("api: Config.%s is missing", name)
		}
	}
	return nil
}

// limits are the server's limits in the form that tests can make small.
type limits struct {
	requests, polls                                     int64
	connections                                         int
	readHeader, read, body, write, idle, drain, maxWait time.Duration
}

func defaultLimits() limits {
	return limits{
		requests: MaxRequests, polls: MaxPolls, connections: MaxConnections,
		readHeader: readHeaderTimeout, read: readTimeout, body: bodyTimeout, write: writeTimeout, idle: idleTimeout,
		drain: DrainTimeout, maxWait: MaxWait,
	}
}

// Server is the API over HTTP.
type Server struct {
	config   Config
	limits   limits
	engine   *gin.Engine
	huma     huma.API
	registry huma.Registry
	shapes   map[reflect.Type]*shape
	tokens   *tokenCache

	requests, polls gate
	idPrefix        string
	ids             atomic.Uint64
	draining        context.Context // ends when Serve stops accepting
	drain           context.CancelFunc
}

// New makes a server; it does not listen yet.
func New(config Config) (*Server, error) { return newServer(config, defaultLimits()) }

func newServer(config Config, l limits) (*Server, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	// Request ids must differ between restarts and between nodes, nothing more.
	var prefix [5]byte
	if _, err := rand.Read(prefix[:]); err != nil {
		return nil, fmt.Errorf("api: request ids: %w", err)
	}
	s := &Server{
		config: config, limits: l, registry: newRegistry(), shapes: map[reflect.Type]*shape{},
		tokens:   newTokenCache(maxCachedTokens, config.Keys.check),
		requests: gate{max: l.requests}, polls: gate{max: l.polls},
		idPrefix: hex.EncodeToString(prefix[:]) + "-",
	}
	s.draining, s.drain = context.WithCancel(context.Background())
	gin.SetMode(gin.ReleaseMode)
	s.engine = gin.New()
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	s.engine.ForwardedByClientIP = false
	if err := s.engine.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	s.engine.Use(s.observe)
	s.engine.NoRoute(func(c *gin.Context) {
		writeProblem(c.Writer, newProblem(http.StatusNotFound, CodeNoRoute, "", "there is nothing at this path"))
	})
	s.engine.NoMethod(func(c *gin.Context) {
		writeProblem(c.Writer, newProblem(http.StatusMethodNotAllowed, CodeMethodNotAllowed, "", "this path does not take the method "+string(shown([]byte(c.Request.Method)))))
	})
	s.document()
	return s, nil
}

// Handler serves the API's requests.
func (s *Server) Handler() http.Handler { return s.engine }

// Serve answers requests until ctx ends. Then it stops accepting, lets requests
// in flight finish for DrainTimeout at most, and returns; nil means that all of
// them did. It can be called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.engine,
		ReadHeaderTimeout: s.limits.readHeader,
		ReadTimeout:       s.limits.read,
		WriteTimeout:      s.limits.write,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(newBoundedListener(listener, s.limits.connections)) }()
	select {
	case err := <-served:
		return fmt.Errorf("api: serve: %w", err)
	case <-ctx.Done():
	}
	s.drain()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.drain)
	defer cancel()
	err := server.Shutdown(deadline)
	if err != nil {
		err = fmt.Errorf("api: %d requests did not finish in %s: %w", s.requests.now.Load()+s.polls.now.Load(), s.limits.drain, err)
		err = errors.Join(err, server.Close())
	}
	<-served
	return err
}

// gate counts what is under way and says when it is too much.
type gate struct {
	max int64
	now atomic.Int64
}

func (g *gate) enter() bool {
	if g.now.Add(1) > g.max {
		g.now.Add(-1)
		return false
	}
	return true
}

func (g *gate) leave() { g.now.Add(-1) }
