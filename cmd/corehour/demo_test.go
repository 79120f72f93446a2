package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestDemo_ShowsAMarketAndItsCurlLinesWork starts the demo as a user does, pastes
// the lines that it prints into a shell, and waits for trades and an invoice.
func TestDemo_ShowsAMarketAndItsCurlLinesWork(t *testing.T) {
	needCurl(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "demo", "--listen", "127.0.0.1:0", "--speed", "3600", "--stop-after", "60s")
	cmd.Env = append(os.Environ(), childMain+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var curls, trades, invoices []string
	for lines := bufio.NewScanner(stdout); len(invoices) == 0 && lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "curl "):
			curls = append(curls, line)
		case strings.Contains(line, " buys "):
			if trades = append(trades, line); len(trades) == 5 {
				pasteAll(t, ctx, curls)
			}
		case strings.Contains(line, "INVOICE INV-"):
			invoices = append(invoices, line)
		}
	}
	if len(trades) < 5 || len(invoices) == 0 {
		t.Errorf("saw %d trades and %d invoices", len(trades), len(invoices))
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan(); { // until it has ended
		continue
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v", err)
	}
}

func pasteAll(t *testing.T, ctx context.Context, curls []string) {
	t.Helper()
	if len(curls) != 5 {
		t.Errorf("%d curl lines", len(curls))
	}
	for _, line := range curls {
		out, err := exec.CommandContext(ctx, "sh", "-c", line).Output()
		var answer map[string]any
		if err != nil || json.Unmarshal(out, &answer) != nil || answer["code"] != nil || len(answer) == 0 {
			t.Errorf("%.80s...\nanswers %s (%v)", line, out, err)
		}
	}
}
