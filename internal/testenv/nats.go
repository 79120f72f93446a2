package testenv

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const natsStart = 20 * time.Second

// NATS starts a NATS server with JetStream on a free port of this machine, synced
// like the embedded log. It ends with the test, or before, by the returned stop.
func NATS(t testing.TB) (url string, stop func()) {
	t.Helper()
	s := startNATS(t, &server.Options{StoreDir: t.TempDir()})
	return s.ClientURL(), func() { stopNATS(s) }
}

func startNATS(t testing.TB, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.JetStream, o.SyncAlways, o.NoSigs, o.NoLog = "127.0.0.1", true, true, true, true
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopNATS(s) })
	if !s.ReadyForConnections(natsStart) {
		t.Fatal("the NATS server did not start")
	}
	return s
}

func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// Cluster is three NATS servers with JetStream, each of which can be stopped and
// started again.
type Cluster struct {
	t       testing.TB
	options [3]*server.Options
	servers [3]*server.Server
}

// NATSCluster starts a cluster on free ports of this machine. It ends with the
// test.
func NATSCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	var routes []*url.URL
	for i := range c.options {
		address := FreeAddress(t)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: address})
		c.options[i] = &server.Options{
			ServerName: fmt.Sprint("n", i+1), StoreDir: t.TempDir(),
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: portOf(t, address)},
		}
	}
	for i := range c.servers {
		c.options[i].Routes = routes
		c.Start(i)
	}
	deadline := time.Now().Add(natsStart)
	for !c.led() {
		if time.Now().After(deadline) {
			t.Fatal("the NATS cluster has no leader")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return c
}

func (c *Cluster) led() bool {
	for _, s := range c.servers {
		if s.JetStreamIsLeader() {
			return true
		}
	}
	return false
}

// URL is the client's address of a server; it stays the same when the server is
// started again.
func (c *Cluster) URL(i int) string { return c.servers[i].ClientURL() }

// URLs are those of all servers, with commas.
func (c *Cluster) URLs() string { return c.URL(0) + "," + c.URL(1) + "," + c.URL(2) }

// Start starts a server, or starts it again on what it has stored.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	o := *c.options[i]
	s := startNATS(c.t, &o)
	c.options[i].Port = portOf(c.t, s.Addr().String())
	c.servers[i] = s
}

// Stop stops a server.
func (c *Cluster) Stop(i int) { stopNATS(c.servers[i]) }
