package api

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
)

const benchBid = `{"product":"cpu.standard","units":16,"duration_minutes":120,"earliest_start":"2026-03-01T12:00:00Z",` +
	`"latest_end":"2026-03-02T12:00:00Z","limit_price":"0.04","carbon_price":"80","accepts_interruptible":true,` +
	`"min_fill":4,"time_in_force":"ioc","client_id":"job-4711"}`

// discarding answers like fakeExchange and remembers nothing.
type discarding struct {
	*fakeExchange
	reply exchange.Reply
}

func (d *discarding) Submit(context.Context, exchange.Command) (exchange.Reply, error) {
	return d.reply, nil
}

func benchServer(b *testing.B) *fixture {
	start := corehour.InstantOf(testTime).FloorMinute()
	return newFixture(b, func(c *Config, _ *limits) {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		c.Exchange = &discarding{fakeExchange: newFakeExchange(), reply: exchange.Reply{
			Bid: 4711, Open: 0, Closed: corehour.CloseFilled, Hold: 1_280_000_000,
			Fills: []exchange.Fill{
				{Lease: 4712, Bid: 4711, Offer: 17, Provider: dcNorth, Region: "europe-north1", Units: 12, Start: start, End: start.Add(120), Price: 31_500_000, Carbon: 3250},
				{Lease: 4713, Bid: 4711, Offer: 18, Provider: dcSouth, Region: "europe-west4", Units: 4, Start: start, End: start.Add(120), Price: 33_000_000, Carbon: 9000},
			},
		}}
	})
}

// sink is a response writer that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

func benchHandler(b *testing.B, h http.Handler, token string, want int) {
	r := httptest.NewRequest(http.MethodPost, "/v1/bids", nil)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	r.ContentLength = int64(len(benchBid))
	b.ReportAllocs()
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(benchBid))
		w := &sink{header: http.Header{}}
		h.ServeHTTP(w, r)
		if w.status != want {
			b.Fatalf("status %d", w.status)
		}
	}
}

// noop reads the body and answers as many bytes as a bid is answered with.
func noop() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/v1/bids", func(c *gin.Context) {
		_, _ = io.Copy(io.Discard, c.Request.Body)
		c.Data(http.StatusCreated, "application/json", make([]byte, 512))
	})
	return e
}

// BenchmarkBids is the work of one bid from the request to the exchange and
// back, without the network.
func BenchmarkBids(b *testing.B) {
	f := benchServer(b)
	benchHandler(b, f.Handler(), f.tokens["consumer"], http.StatusCreated)
}

// BenchmarkNoop is a gin handler that does nothing, to compare.
func BenchmarkNoop(b *testing.B) { benchHandler(b, noop(), "none", http.StatusCreated) }

// BenchmarkBids_HTTP and BenchmarkNoop_HTTP go over loopback connections.
func BenchmarkBids_HTTP(b *testing.B) {
	f := benchServer(b)
	benchHTTP(b, f.Handler(), f.tokens["consumer"])
}

func BenchmarkNoop_HTTP(b *testing.B) { benchHTTP(b, noop(), "none") }

func benchHTTP(b *testing.B, h http.Handler, token string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	url := "http://" + l.Addr().String() + "/v1/bids"
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(benchBid))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			res, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode != http.StatusCreated {
				b.Errorf("status %d", res.StatusCode)
				return
			}
		}
	})
}

// BenchmarkDecodeBid is the strict decoding alone.
func BenchmarkDecodeBid(b *testing.B) {
	f := benchServer(b)
	data := []byte(benchBid)
	b.ReportAllocs()
	for b.Loop() {
		var body jsonBody[PlaceBid]
		body.read(data, f.shapes)
		if body.err != nil {
			b.Fatal(body.err)
		}
	}
}
