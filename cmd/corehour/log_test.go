package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
)

// tradedDir is a data directory in which an offer and some bids have met.
func tradedDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s := serviceOn(t, dir)
	to := corehour.InstantOf(time.Now()).CeilMinute().Add(1440)
	err := s.do(t.Context(),
		exchange.DefineProduct{Product: corehour.Product{ID: "cpu.standard"}},
		exchange.DefineRegion{Region: corehour.Region{ID: "r1", Country: "FI", Continent: "europe", Zone: "FI"}},
		exchange.OpenAccount{Account: "p", Org: "p"}, exchange.OpenAccount{Account: "c", Org: "c"},
		exchange.Deposit{Account: "c", Amount: corehour.MaxMoney, Reference: "w"},
		exchange.PlaceOffer{Product: "cpu.standard", Provider: "p", Region: "r1", Units: 10, To: to, Price: 50_000_000},
		exchange.PlaceBid{Product: "cpu.standard", Consumer: "c", Units: 3, Duration: 60, Limit: 50_000_000, ClientID: "job"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func serviceOn(t *testing.T, dir string) *service {
	t.Helper()
	s, err := openService(t.Context(), serviceConfig{
		Server: config.Server{DataDir: dir, FeeBps: 100, UsageGrace: time.Hour},
		Clock:  corehour.SystemClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// output runs a command that must succeed.
func output(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := corehourCommand(t, nil, args...)
	if code != 0 {
		t.Fatalf("corehour %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// fails runs a command that must not.
func fails(t *testing.T, code int, why string, args ...string) {
	t.Helper()
	_, stderr, is := corehourCommand(t, nil, args...)
	if is != code || !strings.Contains(stderr, why) {
		t.Errorf("corehour %s: exit code %d, want %d with %q\n%s", strings.Join(args, " "), is, code, why, stderr)
	}
}

func line(t *testing.T, text, name string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(l, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("no line %q in\n%s", name, text)
	return ""
}

func TestLog_CatShowsEveryCommand(t *testing.T) {
	dir := tradedDir(t)
	text := output(t, "log", "cat", "--data-dir", dir)
	for _, want := range []string{"SetFee", "DefineProduct", "PlaceOffer", `PlaceBid {"Product":"cpu.standard","Consumer":"c","Units":3`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	commands, previous := 0, strings.Repeat("0", 64)
	for l := range strings.Lines(output(t, "log", "cat", "--json", "--data-dir", dir)) {
		var batch struct {
			Hash, Previous string
			Commands       []struct{ Command, At string }
		}
		if err := json.Unmarshal([]byte(l), &batch); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		if batch.Previous != previous {
			t.Errorf("a batch follows %s, the one before is %s", batch.Previous, previous)
		}
		previous = batch.Hash
		commands += len(batch.Commands)
	}
	if commands != 8 {
		t.Errorf("%d commands", commands)
	}
	one := output(t, "log", "cat", "--json", "--data-dir", dir, "--from", "2", "--to", "2")
	if strings.Count(one, "\n") != 1 || !strings.Contains(one, `"sequence":2,`) {
		t.Errorf("--from 2 --to 2 prints\n%s", one)
	}
	fails(t, exitUsage, "the log has the sequences 1 to", "log", "cat", "--data-dir", dir, "--to", "99")
	fails(t, exitUsage, "there is no log in --data-dir", "log", "cat", "--data-dir", t.TempDir())
}

func TestLog_ExportedLogIsTheWholeExchange(t *testing.T) {
	dir := tradedDir(t)
	file := filepath.Join(t.TempDir(), "backup.log")
	exported := output(t, "log", "export", "--data-dir", dir, "--file", file)
	for _, verified := range []string{output(t, "log", "verify", "--file", file), output(t, "log", "verify", "--data-dir", dir)} {
		if verified != exported {
			t.Errorf("exported\n%sverified\n%s", exported, verified)
		}
	}
	fails(t, exitUsage, "file exists", "log", "export", "--data-dir", dir, "--file", file)

	other := filepath.Join(t.TempDir(), "data")
	imported := output(t, "log", "import", "--data-dir", other, "--file", file)
	if line(t, imported, "hash") != line(t, exported, "hash") || line(t, imported, "added") != line(t, exported, "last") {
		t.Errorf("exported\n%simported\n%s", exported, imported)
	}
	if again := output(t, "log", "import", "--data-dir", other, "--file", file); line(t, again, "added") != "0" {
		t.Errorf("imported twice:\n%s", again)
	}
	if err := serviceOn(t, other).close(); err != nil {
		t.Fatal(err)
	}
	was, is := output(t, "verify", "--data-dir", dir), output(t, "verify", "--data-dir", other)
	if line(t, was, "state_hash") != line(t, is, "state_hash") {
		t.Errorf("the exchange\n%sbecame\n%s", was, is)
	}
}

func TestLog_ImportGoesOnWhereTheLogEnds(t *testing.T) {
	dir := tradedDir(t)
	files := t.TempDir()
	head, tail := filepath.Join(files, "head"), filepath.Join(files, "tail")
	output(t, "log", "export", "--data-dir", dir, "--file", head, "--to", "3")
	whole := output(t, "log", "export", "--data-dir", dir, "--file", tail, "--from", "4")
	other := filepath.Join(files, "data")
	fails(t, exitFailure, "the log ends at 0, the file begins at 4", "log", "import", "--data-dir", other, "--file", tail)
	output(t, "log", "import", "--data-dir", other, "--file", head)
	if is := output(t, "log", "import", "--data-dir", other, "--file", tail); line(t, is, "hash") != line(t, whole, "hash") {
		t.Errorf("in two parts it became\n%swant\n%s", is, whole)
	}
	stranger := tradedDir(t)
	fails(t, exitFailure, "the log has another batch here than the file", "log", "import", "--data-dir", stranger, "--file", tail)
}

// An operator who loses the end of a log hears so, and can put it back.
func TestLog_LostEndIsNamedAndCanBeImported(t *testing.T) {
	dir := tradedDir(t)
	files := t.TempDir()
	head, whole := filepath.Join(files, "head"), filepath.Join(files, "whole")
	output(t, "log", "export", "--data-dir", dir, "--file", head, "--to", "5")
	output(t, "log", "export", "--data-dir", dir, "--file", whole)
	before := output(t, "verify", "--data-dir", dir)
	for _, lost := range []string{logDir, snapshotDir} {
		if err := os.RemoveAll(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
	}
	output(t, "log", "import", "--data-dir", dir, "--file", head)
	for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"verify"}, {"log", "verify"}} {
		fails(t, exitFailure, "log sequence 6: the log ends at 5, but this node has acknowledged commands of it", append(args, "--data-dir", dir)...)
	}
	output(t, "log", "import", "--data-dir", dir, "--file", whole)
	if after := output(t, "verify", "--data-dir", dir); line(t, after, "state_hash") != line(t, before, "state_hash") {
		t.Errorf("the exchange\n%sbecame\n%s", before, after)
	}
}

func TestLog_DamagedFileIsRefused(t *testing.T) {
	dir := tradedDir(t)
	file := filepath.Join(t.TempDir(), "backup.log")
	output(t, "log", "export", "--data-dir", dir, "--file", file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for why, damaged := range map[string][]byte{
		"cut short":              content[:len(content)-10],
		"checksum does not hold": append(append(append([]byte{}, content[:200]...), content[200]^1), content[201:]...),
		"not a file of a log":    []byte("text"),
	} {
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		fails(t, exitFailure, why, "log", "verify", "--file", file)
		fails(t, exitFailure, why, "log", "import", "--data-dir", filepath.Join(t.TempDir(), "data"), "--file", file)
	}
	fails(t, exitUsage, "--file is required", "log", "export", "--data-dir", dir)
}
