package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/internal/config"
)

const (
	// benchConnections is how many clients there are, each on its own connection.
	benchConnections = 64
	// benchBatch is how many orders one request of the batch measurement has.
	benchBatch = 100
	// benchTurns is how often the no-op and the single order take turns, so that
	// both have the same share of a machine's good and bad moments.
	benchTurns = 4
)

// measureHTTP loads the whole service over loopback, and beside it a gin handler
// that reads the body and answers as many bytes.
func (b *bench) measureHTTP(ctx context.Context) (err error) {
	site, err := b.openSite(ctx)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, site.close()) }()
	probe, err := site.client(0, "/v1/bids")
	if err != nil {
		return err
	}
	var size int
	for n := range 2 { // one that fills and one that rests
		if err = site.order(probe, 0, n); err != nil {
			break
		}
		size += len(probe.body) / 2
	}
	if err = errors.Join(err, probe.close()); err != nil {
		return err
	}
	noop, stop, err := serveNoop(size)
	if err != nil {
		return err
	}
	defer stop()
	if err := b.takeTurns(ctx, site, noop); err != nil {
		return err
	}
	if b.wanted(keyBatch) {
		b.say("%s", keyBatch)
		var requests float64
		err := b.profiled("http_batch", func() error {
			requests, err = b.load(ctx, b.duration, func(who int) (*wire, error) { return site.client(who, "/v1/bids/batch") }, site.batch)
			return err
		})
		if err != nil {
			return err
		}
		b.figures[keyBatch] = requests * benchBatch
	}
	b.say("waiting for the projection")
	return caughtUp(ctx, site.service.exchange)
}

// takeTurns measures the no-op and the single order.
func (b *bench) takeTurns(ctx context.Context, site *site, noop string) error {
	for turn := range benchTurns {
		// What is left to project of the turn before is not the no-op's to wait for.
		if err := caughtUp(ctx, site.service.exchange); err != nil {
			return err
		}
		if b.wanted(keyNoop) {
			b.say("%s: turn %d", keyNoop, turn+1)
			err := b.profiled("http_noop", func() error {
				rate, err := b.load(ctx, b.duration/benchTurns, func(who int) (*wire, error) { return dialWire(noop, "/v1/bids", site.tokens[who]) }, site.order)
				b.figures[keyNoop] += rate / benchTurns
				return err
			})
			if err != nil {
				return err
			}
		}
		if b.wanted(keySingle) {
			b.say("%s: turn %d", keySingle, turn+1)
			err := b.profiled("http_single", func() error {
				rate, err := b.load(ctx, b.duration/benchTurns, func(who int) (*wire, error) { return site.client(who, "/v1/bids") }, site.order)
				b.figures[keySingle] += rate / benchTurns
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if noop, single := b.figures[keyNoop], b.figures[keySingle]; noop > 0 && single > 0 {
		b.detail("http_single_of_noop", round(single/noop), "http: a single order comes to %s of the no-op", figure(single/noop))
	}
	return nil
}

// load sends requests on all connections and gives how many were answered a second.
func (b *bench) load(ctx context.Context, last time.Duration, dial func(who int) (*wire, error), send func(w *wire, who, n int) error) (float64, error) {
	var mu sync.Mutex
	var answered int
	var failure error
	var work sync.WaitGroup
	// Every load numbers its orders where no other has, for their client ids.
	offset := int(time.Now().UnixMicro())
	began := time.Now()
	until := began.Add(last)
	for who := range benchConnections {
		work.Go(func() {
			n, err := loadOne(ctx, until, func() (*wire, error) { return dial(who) }, func(w *wire, n int) error { return send(w, who, offset+n) })
			mu.Lock()
			defer mu.Unlock()
			answered += n
			failure = firstError(failure, err)
		})
	}
	work.Wait()
	if failure == nil && answered == 0 {
		failure = fmt.Errorf("no request was answered within %s", last)
	}
	return float64(answered) / time.Since(began).Seconds(), failure
}

func loadOne(ctx context.Context, until time.Time, dial func() (*wire, error), send func(w *wire, n int) error) (n int, err error) {
	w, err := dial()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for ; time.Now().Before(until) && ctx.Err() == nil; n++ {
		if err := send(w, n); err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// site is the whole service on loopback with a market in it.
type site struct {
	service *service
	address string
	tokens  []string
	from    []byte // when the orders may start, as their bodies have it
	to      []byte
	stop    context.CancelFunc
	served  chan error
}

func (b *bench) openSite(ctx context.Context) (*site, error) {
	service, err := openService(ctx, serviceConfig{
		Server: config.Server{DataDir: b.scratch(scratchHTTP), FeeBps: config.DefaultFeeBps, UsageGrace: time.Hour},
		Clock:  corehour.SystemClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	market := plainMarket(corehour.InstantOf(now), benchConnections)
	from := corehour.InstantOf(now).CeilMinute().Add(60)
	s := &site{service: service, served: make(chan error, 1), from: []byte(from.Instant().String()), to: []byte(from.Add(1440).Instant().String())}
	replies, err := service.exchange.SubmitAll(ctx, market)
	for i := range replies {
		err = firstError(err, mustBeTaken(replies[i]))
	}
	for i := range benchConnections {
		token, failure := service.keys.IssueToken(api.Caller{Account: buyer(i), Org: corehour.OrgID(buyer(i)), Role: api.RoleConsumer}, 24*time.Hour, now)
		s.tokens, err = append(s.tokens, token), firstError(err, failure)
	}
	if err != nil {
		return nil, errors.Join(err, service.close())
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, service.close())
	}
	s.address = listener.Addr().String()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go func() { s.served <- service.serve(serving, listener) }()
	return s, nil
}

func (s *site) close() error {
	s.stop()
	return errors.Join(<-s.served, s.service.close())
}

func (s *site) client(who int, path string) (*wire, error) {
	return dialWire(s.address, path, s.tokens[who])
}

// order sends one order and wants it to be taken.
func (s *site) order(w *wire, who, n int) error {
	var space [512]byte
	status, err := w.post(s.appendBid(space[:0], who, n))
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("status %d: %.200s", status, w.body)
	}
	return err
}

// placedMark is in the answer once for each order that was placed.
var placedMark = []byte(`{"status":201,`)

// batch sends a request of many orders and wants each to be taken.
func (s *site) batch(w *wire, who, n int) error {
	body := append(make([]byte, 0, 256*benchBatch), `{"items":[`...)
	for i := range benchBatch {
		if i > 0 {
			body = append(body, ',')
		}
		body = s.appendBid(body, who, n*benchBatch+i)
	}
	status, err := w.post(append(body, "]}"...))
	if err == nil && (status != http.StatusOK || bytes.Count(w.body, placedMark) != benchBatch) {
		err = fmt.Errorf("status %d: %.200s", status, w.body)
	}
	return err
}

// appendBid writes the body of a plain bid; every other one fills at once.
func (s *site) appendBid(body []byte, who, n int) []byte {
	limit := fillFrom
	if n%2 == 1 {
		limit = restFrom + n%(restTo-restFrom)
	}
	body = append(body, `{"product":"cpu.standard","units":1,"duration_minutes":60,"earliest_start":"`...)
	body = append(append(body, s.from...), `","latest_end":"`...)
	body = append(append(body, s.to...), `","limit_price":"`...)
	body = append(body, corehour.Price(limit*int(corehour.Tick)).String()...)
	body = append(append(body, `","regions":{"allow":["`...), benchRegion((who+n)%benchRegions)...)
	body = strconv.AppendInt(append(body, `"]},"client_id":"job-`...), int64(n), 10)
	return append(body, `"}`...)
}

// serveNoop is a gin handler that reads the body and answers so many bytes.
func serveNoop(size int) (address string, stop func(), err error) {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	answer := bytes.Repeat([]byte("x"), size)
	router.POST("/v1/bids", func(c *gin.Context) {
		// A body that ends early is the client's to notice.
		_, _ = io.Copy(io.Discard, c.Request.Body)
		c.Data(http.StatusCreated, "application/json", answer)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: wireTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // ends with Close
	}()
	return listener.Addr().String(), func() { _ = server.Close(); <-done }, nil
}
