package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A disk's fsync takes longer than realSync; what is faster keeps nothing, as a
// file system in memory does.
const (
	realSync   = 20 * time.Microsecond
	syncProbes = 50
	probeBytes = 4096
)

// describeMachine notes what the figures depend on before any is measured.
func (b *bench) describeMachine() error {
	b.detail("version", version(), "corehour %s, %s, %s/%s, %d processors; load, server, log and database share them",
		version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	b.detail("go", runtime.Version(), "")
	b.detail("processors", runtime.NumCPU(), "")
	b.detail("duration_seconds", b.duration.Seconds(), "each rate is measured over %s", b.duration)
	if b.divide > 1 {
		b.detail("divide", b.divide, "SIZES ARE DIVIDED BY %d: these figures are for tests only", b.divide)
	}
	median, err := probeSync(b.root)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	micros := float64(median.Nanoseconds()) / 1000
	b.detail("fsync_us", round(micros), "an fsync of 4 KiB takes %s us in the median: it %s", figure(micros),
		map[bool]string{true: "reaches a disk", false: "IS NOT REAL and the durable figures mean nothing"}[median >= realSync])
	b.detail("fsync_real", median >= realSync, "")
	if median < realSync {
		b.say("an fsync takes %s here: it is not real here, choose another --dir", median)
	}
	return nil
}

// share is how much of the processors the measured part of a measurement had. A
// state machine that had 0.6 shared its one with others, and is as much faster.
type share struct {
	name       string
	used, took time.Duration
}

func (b *bench) noteProcessors(name string, used, took time.Duration) {
	for i := range b.shares {
		if b.shares[i].name == name {
			b.shares[i].used += used
			b.shares[i].took += took
			return
		}
	}
	b.shares = append(b.shares, share{name: name, used: used, took: took})
}

func (b *bench) describeShares() {
	for _, s := range b.shares {
		had := s.used.Seconds() / s.took.Seconds()
		b.detail(s.name+"_processors", round(had), "%s had %s processors while it was measured", s.name, figure(had))
	}
}

// processorTime is what this process has used of all processors.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // no figure depends on it
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// probeSync is the median time of an fsync after a small append.
func probeSync(dir string) (median time.Duration, err error) {
	file, err := os.CreateTemp(dir, "sync-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	page := make([]byte, probeBytes)
	took := make([]time.Duration, syncProbes)
	for i := range took {
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := file.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
