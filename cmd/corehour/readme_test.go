package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadme_CommandsWorkInTheirOrder types what the README says under "First
// use" into a shell, with the test binary as the program and another port.
func TestReadme_CommandsWorkInTheirOrder(t *testing.T) {
	t.Parallel()
	needCurl(t)
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := shellBlocks(string(text))
	for _, command := range []string{"go run ./cmd/corehour demo\n", "make test\n"} {
		if !slices.Contains(blocks[:2], command) {
			t.Errorf("the README does not begin with %s", command)
		}
	}
	serve := slices.Index(blocks, "bin/corehour serve\n")
	if serve < 0 {
		t.Fatal("the README does not start a server")
	}
	dir, address := t.TempDir(), freeAddress(t)
	program := fmt.Sprintf("#!/bin/sh\n%s=1 COREHOUR_LISTEN=%s exec %s \"$@\"\n", childMain, address, quote(os.Args[0]))
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "corehour"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, childMain, "1", []string{"COREHOUR_LISTEN=" + address}, "serve", "--data-dir", filepath.Join(dir, "corehour-data"))
	script := strings.ReplaceAll("set -eu\n"+strings.Join(blocks[serve+1:], "\n"), "127.0.0.1:8080", address)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"status":"settled"`, `"available":"99.99965"`, `"available":"0.0003465"`, `"differences":[]`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "urn:corehour:problem") {
		t.Errorf("a command was answered with a problem:\n%s", out)
	}
}

// shellBlocks are the blocks marked sh.
func shellBlocks(text string) (blocks []string) {
	for _, part := range strings.Split(text, "```sh\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
