package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/internal/config"
)

// The test binary can be the program: with childMain set it runs main, with
// childServe it is a server whose clock runs fast from a given moment on, so that
// leases end within seconds. Both are processes of their own, which tests kill.
const (
	childMain  = "COREHOUR_TEST_CHILD_MAIN"
	childServe = "COREHOUR_TEST_CHILD_SERVE" // the machine's time at which market time begins, in Unix nanoseconds
)

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	switch {
	case os.Getenv(childMain) != "":
		os.Exit(run(ctx, os.Args[1:]))
	case os.Getenv(childServe) != "":
		if err := serveFast(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	stop()
	os.Exit(m.Run())
}

// marketSpeed lets an hour of market time pass in one and a half seconds, and the
// month end 24 seconds after the market began.
const marketSpeed = 2400

var marketStart = time.Date(2024, 1, 31, 8, 0, 0, 0, time.UTC)

func serveFast(ctx context.Context) error {
	nanos, err := strconv.ParseInt(os.Getenv(childServe), 10, 64)
	if err != nil {
		return err
	}
	began := time.Unix(0, nanos)
	clock := &fastClock{from: marketStart.Add(time.Since(began) * marketSpeed), began: time.Now(), speed: marketSpeed}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.BindFlags(flags)
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	settings, err := config.Load(flags, os.Environ())
	if err != nil {
		return err
	}
	settings.LeaseRules = config.LeaseRulesNone // the market's minutes pass too fast for deadlines
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return err
	}
	s, err := openService(ctx, serviceConfig{Server: settings, Clock: clock, Logger: logger})
	if err != nil {
		return err
	}
	logger.Info("corehour is ready", "url", "http://"+listener.Addr().String())
	if err := s.serve(ctx, listener); err != nil {
		return err
	}
	return s.close()
}

// process is a child.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string // of the API

	mu    sync.Mutex
	notes bytes.Buffer // its standard error
	done  chan struct{}
	err   error
}

var readyLine = regexp.MustCompile(`corehour is ready.* url=(\S+)`)

// start runs a child and waits until it serves.
func start(t *testing.T, mode, value string, env []string, args ...string) *process {
	t.Helper()
	return ready(t, launch(t, mode, value, env, os.Args[0], args...))
}

// ready waits until a server serves.
func ready(t *testing.T, p *process) *process {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		if found := readyLine.FindStringSubmatch(p.errors()); found != nil {
			p.base = found[1]
			return p
		}
		select {
		case <-p.done:
			t.Fatalf("the server ended: %v\n%s", p.err, p.errors())
		case <-deadline:
			t.Fatalf("the server is not ready\n%s", p.errors())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// launch starts a child: a program, which is this one or runs it. It is killed
// with all that it starts.
func launch(t *testing.T, mode, value string, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, args...), done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = append(append(os.Environ(), mode+"="+value), env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewReader(stderr)
		for {
			line, err := lines.ReadString('\n')
			p.mu.Lock()
			p.notes.WriteString(line)
			p.mu.Unlock()
			if err != nil {
				break
			}
		}
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.notes.String()
}

// kill ends the process at once, as a power cut would, but for what the
// operating system has not written yet.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.done
}

// stop asks the process to drain and wants it to exit with 0.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(60 * time.Second):
		p.t.Fatalf("the server does not stop\n%s", p.errors())
	}
	if p.err != nil {
		p.t.Fatalf("the server exited with %v\n%s", p.err, p.errors())
	}
}

// corehourCommand runs the program to its end and gives what it printed and its exit code.
func corehourCommand(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), childMain+"=1"), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// as is a client with a token for a role and an account of a data directory.
func as(t *testing.T, base, dataDir string, role api.Role, account corehour.AccountID) *client {
	t.Helper()
	token, stderr, code := corehourCommand(t, nil, "token", "--data-dir", dataDir, "--role", string(role), "--account", string(account))
	if code != 0 {
		t.Fatal(stderr)
	}
	return &client{base: base, token: string(bytes.TrimSpace([]byte(token))), http: http.DefaultClient}
}

// want calls and fails the test on an error.
func (c *client) want(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := c.call(t.Context(), method, path, in, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// get reads a document as it is.
func (c *client) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// needCurl is for tests that paste what a person would.
func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("curl is not installed")
	}
	t.Skip("NOT COVERED: commands with curl, because it is not installed")
}

// eventually tries until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute still not: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
