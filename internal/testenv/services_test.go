package testenv_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script is scripts/test-services with some of its text replaced, so that a test
// can take programs away from it.
func script(t *testing.T, replacements ...string) string {
	t.Helper()
	text, err := os.ReadFile("../../scripts/test-services")
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(changed, replacements[i]) {
			t.Fatalf("scripts/test-services does not contain %q", replacements[i])
		}
		changed = strings.ReplaceAll(changed, replacements[i], replacements[i+1])
	}
	path := filepath.Join(t.TempDir(), "test-services")
	if err := os.WriteFile(path, []byte(changed), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// serviceCommand runs the script with its temporary files where the test sees them.
func serviceCommand(t *testing.T, path string, environ []string, args ...string) (cmd *exec.Cmd, temporary string) {
	t.Helper()
	cmd = exec.Command("bash", append([]string{path}, args...)...)
	temporary = t.TempDir()
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "COREHOUR_TEST_") && !strings.HasPrefix(entry, "CI=") {
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(append(cmd.Env, "TMPDIR="+temporary), environ...)
	return cmd, temporary
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return 0
}

var given = []string{"COREHOUR_TEST_POSTGRES_URL=postgres://given", "COREHOUR_TEST_REDIS_URL=redis://given"}

func TestServices_PassOnWhatIsSetAndTheExitCode(t *testing.T) {
	cmd, temporary := serviceCommand(t, script(t), given, "sh", "-c", "echo $COREHOUR_TEST_POSTGRES_URL $COREHOUR_TEST_REDIS_URL; exit 7")
	out, err := cmd.Output()
	if exitCode(t, err) != 7 || strings.TrimSpace(string(out)) != "postgres://given redis://given" {
		t.Errorf("%v, %q", err, out)
	}
	wantEmpty(t, temporary)
}

func TestServices_WithoutACommandIsAUsageError(t *testing.T) {
	cmd, _ := serviceCommand(t, script(t), given)
	if code := exitCode(t, cmd.Run()); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

func TestServices_WhatIsMissingIsLoudAndFailsUnderCI(t *testing.T) {
	// No server and no apt-get on this made-up machine.
	path := script(t, "find_postgres() {", "find_postgres() { return 1; ", "find_redis() { ", "find_redis() { return 1; ", "apt-get", "no-apt-get")
	for _, c := range []struct {
		environ []string
		code    int
		ran     bool
	}{
		{nil, 3, true},
		{[]string{"CI=true"}, 1, false},
	} {
		cmd, temporary := serviceCommand(t, path, c.environ, "sh", "-c", "echo ran; exit 3")
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		if code := exitCode(t, cmd.Run()); code != c.code || strings.Contains(out.String(), "ran") != c.ran {
			t.Errorf("%v: exit code %d, %q", c.environ, code, out.String())
		}
		for _, what := range []string{"NOT COVERED: PostgreSQL", "NOT COVERED: Redis"} {
			if !strings.Contains(complaints.String(), what) {
				t.Errorf("%v: it does not say %q:\n%s", c.environ, what, complaints.String())
			}
		}
		wantEmpty(t, temporary)
	}
}

// A signal ends the command, with all that it started, and leaves nothing behind.
func TestServices_SignalEndsTheCommand(t *testing.T) {
	cmd, temporary := serviceCommand(t, script(t), given, "sh", "-c", "sleep 300 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var child [16]byte
	n, err := out.Read(child[:]) // the command runs
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if code := exitCode(t, err); code != 143 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("it does not end")
	}
	pid := strings.TrimSpace(string(child[:n]))
	deadline := time.Now().Add(10 * time.Second)
	for runs(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s still runs", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	wantEmpty(t, temporary)
}

// runs reports a process that has not ended. One that has, but whose new parent
// has not asked how, is a Z in Linux's table of processes.
func runs(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return exec.Command("kill", "-0", pid).Run() == nil
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func wantEmpty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
