package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
)

// BenchmarkOrders compares, in one run, orders that are accepted durably (one a
// request: in the log and synced before the answer) with a gin handler that does
// nothing, each under 64 concurrent clients on keep-alive connections. Client and
// server share the machine.
func BenchmarkOrders(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.POST("/v1/bids", func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		c.JSON(http.StatusCreated, gin.H{"bid": "bid-1"})
	})
	noop := &http.Server{Handler: router, ReadHeaderTimeout: time.Second}
	listener := listen(b)
	go func() { _ = noop.Serve(listener) }() // ends with Close
	defer func() { _ = noop.Close() }()

	s, base, token := marketServer(b)
	var each [2]float64
	b.Run("noop", func(b *testing.B) { each[0] = load(b, "http://"+listener.Addr().String(), token) })
	b.Run("durable", func(b *testing.B) {
		each[1] = load(b, base, token)
		if each[0] > 0 {
			b.ReportMetric(each[1]/each[0], "of-noop")
		}
	})
	if err := s.exchange.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
}

const orderClients = 64

// load sends b.N orders from 64 clients and returns how many were answered a second.
func load(b *testing.B, base, token string) float64 {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: orderClients, MaxConnsPerHost: orderClients}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var work sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for range orderClients {
		work.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := order(b.Context(), client, base, token, i, b.Name()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	perSecond := float64(b.N) / time.Since(began).Seconds()
	b.ReportMetric(perSecond, "orders/s")
	return perSecond
}

func order(ctx context.Context, client *http.Client, base, token string, i int64, run string) error {
	body := fmt.Sprintf(`{"product":"cpu.standard","units":1,"duration_minutes":60,"limit_price":"0.05","client_id":"%d-%d"}`, len(run), i)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/bids", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return listener
}

// marketServer is a whole service with one offer and one rich consumer.
func marketServer(tb testing.TB) (s *service, base, token string) {
	tb.Helper()
	s, err := openService(tb.Context(), serviceConfig{
		Server: config.Server{DataDir: filepath.Join(tb.TempDir(), "data"), FeeBps: 100, UsageGrace: time.Hour},
		Clock:  corehour.SystemClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	to := corehour.InstantOf(time.Now()).CeilMinute().Add(1440)
	err = s.do(tb.Context(),
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu.standard"}},
		exchange.DefineRegion{Region: corehour.Region{ID: "r1", Country: "FI", Continent: "europe", Zone: "FI"}},
		exchange.OpenAccount{Account: "p", Org: "p"}, exchange.OpenAccount{Account: "c", Org: "c"},
		exchange.Deposit{Account: "c", Amount: corehour.MaxMoney, Reference: "w"},
		exchange.PlaceOffer{Product: "cpu.standard", Provider: "p", Region: "r1", Units: corehour.MaxUnits, To: to, Price: 50_000_000},
	)
	if err != nil {
		tb.Fatal(err)
	}
	token, err = s.keys.IssueToken(api.Caller{Account: "c", Org: "c", Role: api.RoleConsumer}, time.Hour, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	listener := listen(tb)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx, listener) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			tb.Error(err)
		}
		if err := s.close(); err != nil {
			tb.Error(err)
		}
	})
	return s, "http://" + listener.Addr().String(), token
}
