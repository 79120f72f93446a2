package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/internal/database"
)

func newVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Replay the log from its beginning and check it, the snapshots and the projection",
		Long: "Verify reads the log from sequence 1, checks the chain of hashes, rebuilds the state and prints its hash.\n" +
			"It compares every snapshot with the state at its sequence and the projection's position with the log.\n" +
			"The server must not be running on the data directory. Exit code 1 names the first sequence that does not hold.",
		Args: cobra.NoArgs,
	}
	config.BindFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := loadSettings(cmd)
		if err != nil {
			return err
		}
		return verify(cmd.Context(), settings, cmd.OutOrStdout())
	}
	return cmd
}

func verify(ctx context.Context, settings config.Server, out io.Writer) (err error) {
	if !exists(filepath.Join(settings.DataDir, lockFile)) {
		return usage("there is no exchange in --data-dir %s", settings.DataDir)
	}
	lock, err := lockDataDir(settings.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := database.Open(ctx, databaseConfig(settings))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := exchangeConfig(serviceConfig{Server: settings, Clock: corehour.SystemClock{}}, db)
	v, err := exchange.Verify(ctx, c, func(_, _ uint64) {})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "batches %d\ncommands %d\nsnapshots %d\nprojected %d\nstate_hash %s\n",
		v.Batches, v.Commands, v.Snapshots, v.Position, v.StateHash)
	return err
}
