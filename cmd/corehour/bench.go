package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// benchOptions are what a person can choose about a run of bench.
type benchOptions struct {
	json        bool
	only        []string
	duration    time.Duration
	databaseURL string
	dir         string
	profiles    string
	divide      int
}

// benchDuration is how long each rate is measured, without preparation.
const benchDuration = 5 * time.Second

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the exchange on this machine",
		Long: "Bench measures, on this machine and in a scratch directory that it removes, how fast the state machine, the\n" +
			"durable way of an order, the HTTP API, a replay of the log and a restart are, and how much memory an open\n" +
			"order takes. With --database-url it also measures the same order as one transaction on that PostgreSQL, in a\n" +
			"schema of its own that it drops. docs/performance.md says what each key measures.\n\nKeys: " + strings.Join(benchKeys(), ", "),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("database-url") {
				o.databaseURL = os.Getenv("DATABASE_URL")
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print one JSON object in place of the table")
	f.StringArrayVar(&o.only, "only", nil, "measure this key only; may be repeated")
	f.DurationVar(&o.duration, "duration", benchDuration, "how long to measure each rate (10ms to 1h)")
	f.StringVar(&o.databaseURL, "database-url", "", "PostgreSQL to compare with (default DATABASE_URL; without one that key is null)")
	f.StringVar(&o.dir, "dir", "", "existing directory to make the scratch directory in (default the current one)")
	f.StringVar(&o.profiles, "profiles", "", "existing directory for a CPU profile of each measurement, and one of the heap")
	f.IntVar(&o.divide, "divide", 1, "divide every size by this, for tests")
	if err := f.MarkHidden("divide"); err != nil {
		panic(err) // the flag is defined one line above
	}
	return cmd
}

func (o *benchOptions) validate() error {
	for _, key := range o.only {
		if !slices.Contains(benchKeys(), key) {
			return usage("--only %q is not a key; the keys are %s", key, strings.Join(benchKeys(), ", "))
		}
	}
	switch {
	case o.duration < 10*time.Millisecond || o.duration > time.Hour:
		return usage("--duration %s is not 10ms to 1h", o.duration)
	case o.divide < 1:
		return usage("--divide %d is not at least 1", o.divide)
	}
	for flag, dir := range map[string]string{"--dir": o.dir, "--profiles": o.profiles} {
		if info, err := os.Stat(dir); dir != "" && (err != nil || !info.IsDir()) {
			return usage("%s %q is not a directory", flag, dir)
		}
	}
	return nil
}

// bench is one run.
type bench struct {
	benchOptions
	root    string // the scratch directory
	notes   io.Writer
	figures map[string]float64
	details details
	shares  []share
}

// run measures what is asked for and prints it. What it wrote on the way is gone
// afterwards, also where it is interrupted.
func (o *benchOptions) run(ctx context.Context, out, notes io.Writer) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(orHere(o.dir), "corehour-bench-*")
	if err != nil {
		return fmt.Errorf("scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	b := &bench{benchOptions: *o, root: scratch, notes: notes, figures: map[string]float64{}}
	if err := b.measure(ctx); err != nil {
		if ctx.Err() != nil {
			return errors.New("bench: interrupted; the scratch directory is removed")
		}
		return err
	}
	b.describeShares()
	if o.json {
		return b.writeJSON(out)
	}
	return b.writeTable(out)
}

func orHere(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// measure takes the measurements one after the other, so that none disturbs
// another. Those that share what has to be prepared are taken together.
func (b *bench) measure(ctx context.Context) error {
	if err := b.describeMachine(); err != nil {
		return err
	}
	if b.wanted(keyPostgres) {
		if err := b.reachPostgres(ctx); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		keys    []string
		measure func(context.Context) error
	}{
		{[]string{keyStateMachine}, b.measureStateMachine},
		{[]string{keyDurable, keyDurableP99}, b.measureDurable},
		{[]string{keyNoop, keySingle, keyBatch}, b.measureHTTP},
		{[]string{keyPostgres}, b.measurePostgres},
		{[]string{keyReplay}, b.measureReplay},
		{[]string{keyRestart, keyBytes}, b.measureRestart},
	} {
		if !slices.ContainsFunc(m.keys, b.wanted) {
			continue
		}
		runtime.GC() // what the one before left is not this one's burden
		if err := m.measure(ctx); err != nil {
			return fmt.Errorf("bench: %s: %w", m.keys[0], err)
		}
		for _, name := range []string{scratchDurable, scratchHTTP, scratchReplay, scratchRestart} {
			if err := os.RemoveAll(b.scratch(name)); err != nil {
				return fmt.Errorf("bench: %w", err)
			}
		}
	}
	return nil
}

func (b *bench) wanted(key string) bool { return len(b.only) == 0 || slices.Contains(b.only, key) }

// size is a size of the real run, or what a test makes of it.
func (b *bench) size(full int) int { return max(1, full/b.divide) }

// say tells the person who waits what is going on.
func (b *bench) say(format string, args ...any) {
	// Whoever closed standard error does not want to know.
	_, _ = fmt.Fprintf(b.notes, "bench: "+format+"\n", args...)
}

// The directories of the measurements that write, below the scratch directory.
const (
	scratchDurable = "durable"
	scratchHTTP    = "http"
	scratchReplay  = "replay"
	scratchRestart = "restart"
)

// scratch is the directory of one measurement.
func (b *bench) scratch(name string) string { return filepath.Join(b.root, name) }

// profiled runs the measured part of a measurement, notes how much of the
// processors this process had meanwhile, and profiles it if asked to.
func (b *bench) profiled(name string, run func() error) (err error) {
	began, used := time.Now(), processorTime()
	defer func() { b.noteProcessors(name, processorTime()-used, time.Since(began)) }()
	if b.profiles == "" {
		return run()
	}
	file, err := os.Create(filepath.Join(b.profiles, name+".pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return run()
}

// profileHeap writes what lives, if asked to.
func (b *bench) profileHeap(name string) error {
	if b.profiles == "" {
		return nil
	}
	file, err := os.Create(filepath.Join(b.profiles, name+".heap.pprof"))
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(file), file.Close())
}
