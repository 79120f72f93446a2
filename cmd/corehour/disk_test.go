package main

import (
	"context"

	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour/api"
)

// smallDisk is a file system of so many megabytes that ends with the test.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk can be mounted: %s", out)
		}
		t.Skipf("NOT COVERED: a full disk, because no small one can be mounted here, which takes root: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return dir
}

// journal is what one client was answered, order by order.
type journal struct {
	t        *testing.T
	consumer *client
	orders   []answeredOrder
}

// order places one order and returns what went wrong.
func (j *journal) order(name string) error {
	ctx, cancel := context.WithTimeout(j.t.Context(), 30*time.Second)
	defer cancel()
	order := answeredOrder{client: name}
	err := j.consumer.call(ctx, http.MethodPost, "/v1/bids", clusterBid(name), &order.placed)
	if err == nil {
		j.orders = append(j.orders, order)
	}
	return err
}

// check wants every acknowledged order in the exchange.
func (j *journal) check() {
	j.t.Helper()
	bids := everyBid(j.t, j.consumer)
	for _, order := range j.orders {
		if view := bids[order.client]; view.ID != order.placed.Bid {
			j.t.Fatalf("%s was answered with %s, the exchange has %s", order.client, order.placed.Bid, view.ID)
		}
	}
}

// TestDisk_FullOneEndsTheServerWithAMessageAndARestartGoesOn fills the disk with
// orders. Nothing is acknowledged after the first failure, the server says why it
// ends, and with room it goes on with all that it had acknowledged.
func TestDisk_FullOneEndsTheServerWithAMessageAndARestartGoesOn(t *testing.T) {
	disk := smallDisk(t, 24)
	dir := filepath.Join(disk, "data")
	node := &clusterNode{dir: dir}
	node.serve(t)
	openMarket(t, as(t, node.base, dir, api.RoleOperator, "operator"), as(t, node.base, dir, api.RoleFinance, "finance"), as(t, node.base, dir, api.RoleProvider, "north"))
	j := &journal{t: t, consumer: as(t, node.base, dir, api.RoleConsumer, "lab")}
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 22<<20), 0o600); err != nil {
		t.Logf("ballast: %v", err) // as much as there is room for
	}
	var failure error
	for i := 0; failure == nil; i++ {
		failure = j.order(fmt.Sprint("order-", i))
	}
	t.Logf("after %d orders: %v", len(j.orders), failure)
	acknowledged := len(j.orders)
	for i := range 5 {
		if err := j.order(fmt.Sprint("later-", i)); err == nil {
			t.Errorf("order %d after the failure is acknowledged", i)
		}
	}
	select {
	case <-node.done:
	case <-time.After(60 * time.Second):
		t.Fatalf("the server runs on a full disk\n%s", node.errors())
	}
	if !strings.Contains(node.errors(), "no space left on device") {
		t.Errorf("it does not say why:\n%s", node.errors())
	}
	if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	node.serve(t)
	j.check()
	if err := j.order("after"); err != nil || len(j.orders) != acknowledged+1 {
		t.Errorf("with room again: %v", err)
	}
	node.stop()
	output(t, "verify", "--data-dir", dir)
}

// needStrace is for tests that let system calls fail.
func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("strace is not installed")
	}
	t.Skip("NOT COVERED: failing system calls, because strace is not installed")
}

// TestDisk_FailingCallsNeverLoseWhatWasAcknowledged lets the n-th and every later
// call that writes or syncs fail, by strace. Once an order has failed, no other is
// acknowledged; the server ends with a message; a restart has every order that was
// acknowledged.
func TestDisk_FailingCallsNeverLoseWhatWasAcknowledged(t *testing.T) {
	needStrace(t)
	for _, inject := range []string{
		"fsync:error=EIO:when=300+", "fdatasync:error=EIO:when=60+", "fdatasync:error=ENOSPC:when=61+",
		"pwrite64:error=EIO:when=400+", "pwrite64:error=ENOSPC:when=401+", "fsync:error=EIO:when=301",
	} {
		t.Run(inject, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			call, _, _ := strings.Cut(inject, ":")
			server := ready(t, launch(t, childMain, "1", nil, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call,
				"-e", "inject="+inject, os.Args[0], "serve", "--data-dir", dir, "--listen", "127.0.0.1:0"))
			openMarket(t, as(t, server.base, dir, api.RoleOperator, "operator"), as(t, server.base, dir, api.RoleFinance, "finance"),
				as(t, server.base, dir, api.RoleProvider, "north"))
			j := &journal{t: t, consumer: as(t, server.base, dir, api.RoleConsumer, "lab")}
			var failure error
			for i := 0; i < 2000 && failure == nil; i++ {
				failure = j.order(fmt.Sprint("order-", i))
			}
			t.Logf("after %d orders: %v", len(j.orders), failure)
			if lasting := strings.HasSuffix(inject, "+"); lasting {
				if failure == nil {
					t.Fatal("nothing failed")
				}
				for i := range 5 {
					if err := j.order(fmt.Sprint("later-", i)); err == nil {
						t.Errorf("order %d after the failure is acknowledged", i)
					}
				}
				if !strings.Contains(server.errors(), "the exchange has stopped") {
					t.Errorf("it does not say that it has stopped:\n%s", server.errors())
				}
			}
			server.kill()
			node := &clusterNode{dir: dir}
			node.serve(t)
			j.consumer.base = node.base
			j.check()
			if err := j.order("after"); err != nil {
				t.Errorf("after a restart: %v", err)
			}
			node.stop()
			output(t, "verify", "--data-dir", dir)
		})
	}
}
