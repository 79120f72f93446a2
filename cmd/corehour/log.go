package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/config"
)

func newLogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Look at the log of commands, check it, and move it",
		Long: "Log works on the log of --data-dir, or of NATS_URL. On an embedded log the server must not be running.\n" +
			"Everything the exchange knows follows from its log; a file of it is a backup of the exchange.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLogCatCommand(), newLogVerifyCommand(), newLogExportCommand(), newLogImportCommand())
	return cmd
}

// withLog opens the log of the settings for a command.
func withLog(cmd *cobra.Command, create bool, run func(ctx context.Context, settings config.Server, l *log.JetStream) error) *cobra.Command {
	return withSettings(cmd, func(ctx context.Context, settings config.Server) (err error) {
		if settings.NATSURL == "" {
			if !create && !exists(filepath.Join(settings.DataDir, logDir)) {
				return usage("there is no log in --data-dir %s", settings.DataDir)
			}
			lock, err := lockDataDir(settings.DataDir)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Close()) }()
		}
		l, err := log.Open(ctx, logConfig(settings))
		if err != nil {
			return err
		}
		defer l.Close()
		return run(ctx, settings, l)
	})
}

// stretch is the flags --from and --to.
type stretch struct{ from, to uint64 }

func (s *stretch) bind(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&s.from, "from", 0, "first `sequence`; 0 is where the log begins")
	cmd.Flags().Uint64Var(&s.to, "to", 0, "last `sequence`; 0 is where the log ends")
}

// within is the stretch within a log.
func (s *stretch) within(ctx context.Context, l *log.JetStream) (from, to uint64, err error) {
	first, last, err := l.Bounds(ctx)
	if err != nil {
		return 0, 0, err
	}
	from, to = s.from, s.to
	if from == 0 {
		from = first
	}
	if to == 0 {
		to = last
	}
	if from < first || to > last {
		return 0, 0, usage("the log has the sequences %d to %d", first, last)
	}
	return from, to, nil
}

func newLogCatCommand() *cobra.Command {
	var s stretch
	var asJSON bool
	cmd := &cobra.Command{
		Use: "cat", Short: "Print the commands of the log", Args: usageArgs(cobra.NoArgs),
		Long: "Cat prints every batch with its sequence, hash and writer, and its commands with the time that each was given.\n" +
			"With --json each batch is one line.",
	}
	s.bind(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each batch")
	return withLog(cmd, false, func(ctx context.Context, _ config.Server, l *log.JetStream) error {
		from, to, err := s.within(ctx, l)
		if err != nil {
			return err
		}
		show := showText
		if asJSON {
			show = showJSON
		}
		return l.Read(ctx, from, to, func(sequence uint64, payload []byte) error {
			b, err := log.Decode(payload)
			if err != nil {
				return log.Corrupt(sequence, err.Error())
			}
			return show(cmd.OutOrStdout(), sequence, log.HashOf(payload), &b)
		})
	})
}

// shownEntry is a command as cat prints it.
type shownEntry struct {
	Command string           `json:"command"`
	At      string           `json:"at"`
	Body    exchange.Command `json:"body"`
}

func shown(e log.Entry) (shownEntry, error) {
	name, body, err := exchange.Describe(e)
	return shownEntry{Command: name, At: e.At.String(), Body: body}, err
}

func showText(out io.Writer, sequence uint64, hash log.Hash, b *log.Batch) error {
	if _, err := fmt.Fprintf(out, "%d %s %s, %d commands\n", sequence, hash, b.Writer, len(b.Entries)); err != nil {
		return err
	}
	for _, e := range b.Entries {
		entry, err := shown(e)
		if err != nil {
			return log.Corrupt(sequence, err.Error())
		}
		body, err := json.Marshal(entry.Body)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "  %s %s %s\n", entry.At, entry.Command, body); err != nil {
			return err
		}
	}
	return nil
}

func showJSON(out io.Writer, sequence uint64, hash log.Hash, b *log.Batch) error {
	line := struct {
		Sequence uint64       `json:"sequence"`
		Hash     string       `json:"hash"`
		Previous string       `json:"previous"`
		Writer   string       `json:"writer"`
		Commands []shownEntry `json:"commands"`
	}{sequence, hash.String(), b.Previous.String(), b.Writer, make([]shownEntry, len(b.Entries))}
	for i, e := range b.Entries {
		var err error
		if line.Commands[i], err = shown(e); err != nil {
			return log.Corrupt(sequence, err.Error())
		}
	}
	return json.NewEncoder(out).Encode(line)
}

func newLogVerifyCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "verify", Short: "Check the chain of the log, or of a file of it", Args: usageArgs(cobra.NoArgs),
		Long: "Verify reads every batch and checks that it follows the one before, and that the log reaches what this node has\n" +
			"acknowledged. It applies nothing: corehour verify does, and compares snapshots, database and ledger.\n" +
			"Exit code 1 names the first sequence that does not hold.",
	}
	cmd.Flags().StringVar(&file, "file", "", "check this exported `file` instead")
	open := withLog(cmd, false, func(ctx context.Context, settings config.Server, l *log.JetStream) error {
		first, last, err := l.Bounds(ctx)
		if err != nil {
			return err
		}
		to, err := l.Export(ctx, io.Discard, first, last)
		if err != nil {
			return err
		}
		mark, _, err := log.ReadMark(filepath.Join(settings.DataDir, markFile))
		if err != nil {
			return err
		}
		if mark.Sequence > last {
			return log.Corrupt(last+1, fmt.Sprintf("the log ends at %d, but this node has acknowledged commands of it up to %d", last, mark.Sequence))
		}
		return report(cmd.OutOrStdout(), first, to)
	}).RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file == "" {
			return open(cmd, args)
		}
		f, err := os.Open(file)
		if err != nil {
			return &usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		from, to, err := log.ReadFile(f, func(log.Position, uint64, []byte) error { return nil })
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return report(cmd.OutOrStdout(), from.Sequence+1, to)
	}
	return cmd
}

func report(out io.Writer, first uint64, to log.Position) error {
	_, err := fmt.Fprintf(out, "first %d\nlast %d\ncommands %d\nhash %s\n", first, to.Sequence, to.Commands, to.Hash)
	return err
}

func newLogExportCommand() *cobra.Command {
	var s stretch
	var file string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the log to a file", Args: usageArgs(cobra.NoArgs),
		Long: "Export checks the log while it writes it to --file, which must not be there yet. The file is synced before the\n" +
			"command ends, and has checksums of its own.",
	}
	s.bind(cmd)
	cmd.Flags().StringVar(&file, "file", "", "the `file` to write")
	return withLog(cmd, false, func(ctx context.Context, _ config.Server, l *log.JetStream) error {
		if err := requireFlags(cmd, "file"); err != nil {
			return err
		}
		from, to, err := s.within(ctx, l)
		if err != nil {
			return err
		}
		end, err := exportFile(ctx, l, file, from, to)
		if err != nil {
			return err
		}
		return report(cmd.OutOrStdout(), from, end)
	})
}

// exportFile writes a file whole or not at all.
func exportFile(ctx context.Context, l *log.JetStream, path string, from, to uint64) (end log.Position, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return end, &usageError{err}
	}
	end, err = l.Export(ctx, f, from, to)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return end, errors.Join(err, os.Remove(path))
	}
	return end, nil
}

func newLogImportCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "import", Short: "Append a file of the log to an empty or a shorter log", Args: usageArgs(cobra.NoArgs),
		Long: "Import appends the batches of --file that the log does not hold yet, byte for byte. Where the log holds the\n" +
			"last one before them, it must be the same. Every node that has the log then starts as if nothing had happened.",
	}
	cmd.Flags().StringVar(&file, "file", "", "the `file` to read")
	return withLog(cmd, true, func(ctx context.Context, _ config.Server, l *log.JetStream) error {
		if err := requireFlags(cmd, "file"); err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return &usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		added, to, err := l.Import(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "added %d\n", added); err != nil {
			return err
		}
		return report(cmd.OutOrStdout(), 1, to)
	})
}
