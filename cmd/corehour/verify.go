package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/internal/database"
)

func newVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Replay the log and check it, the snapshots, the projection, the ledger and the documents",
		Long: "Verify reads the log from sequence 1, checks the chain of hashes, rebuilds the state and prints its hash.\n" +
			"It compares every snapshot with the state at its sequence and the projection's position with the log, adds\n" +
			"the ledger up again and compares it with the accounts of the state, and checks every invoice and statement.\n" +
			"The server must not be running on the data directory. Exit code 1 names the first sequence that does not hold.",
		Args: cobra.NoArgs,
	}
	return withSettings(cmd, func(ctx context.Context, settings config.Server) error {
		return verify(ctx, settings, cmd.OutOrStdout())
	})
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
	ledger, err := verifyBooks(ctx, db, v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "batches %d\ncommands %d\nsnapshots %d\nprojected %d\nledger %s\nstate_hash %s\n",
		v.Batches, v.Commands, v.Snapshots, v.Position, ledger, v.StateHash)
	return err
}

// verifyBooks checks what billing has written. The balances can be compared with
// the replayed accounts where billing has taken every event; after a crash it may
// be behind until the server has run again.
func verifyBooks(ctx context.Context, db *database.DB, v exchange.Verification) (string, error) {
	books, err := billing.New(billing.Config{DB: db, Clock: corehour.SystemClock{}, Exchange: charging{}})
	if err != nil {
		return "", err
	}
	var problems []string
	for _, check := range []func(context.Context) ([]billing.Finding, error){
		books.VerifyLedger, books.VerifyInvoices, books.VerifyStatements,
	} {
		findings, err := check(ctx)
		if err != nil {
			return "", err
		}
		for _, f := range findings {
			problems = append(problems, fmt.Sprintf("%+v", f))
		}
	}
	current, err := booksAreCurrent(ctx, db, v)
	if err != nil {
		return "", err
	}
	if current {
		differences, err := books.Proof(ctx, slices.Values(fundsOf(v.Accounts)))
		if err != nil {
			return "", err
		}
		for _, d := range differences {
			problems = append(problems, fmt.Sprintf("account %s: the ledger has %s, the exchange %s", d.Account, d.Ledger, d.Exchange))
		}
	}
	switch {
	case len(problems) > 0:
		return "", fmt.Errorf("the books do not hold: %s", strings.Join(problems[:min(10, len(problems))], "; "))
	case !current:
		return "adds up; it is behind the log and not compared with it", nil
	}
	return "adds up and equals the state", nil
}

// booksAreCurrent reports whether the projection stands at the end of the log and
// billing at the end of the projection's events.
func booksAreCurrent(ctx context.Context, db *database.DB, v exchange.Verification) (bool, error) {
	feed, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return false, err
	}
	last, err := feed.LastSequence(ctx, corehour.ProducerExchange)
	if err != nil {
		return false, err
	}
	taken, err := bus.Position(ctx, db.Reader(), billing.ConsumerName, corehour.ProducerExchange)
	return taken == last && v.Position == v.Batches, err
}

func fundsOf(accounts []exchange.AccountView) []billing.Funds {
	funds := make([]billing.Funds, len(accounts))
	for i, a := range accounts {
		funds[i] = billing.Funds{Account: a.Account, Available: a.Available, Held: a.Held, Bond: a.Bond}
	}
	return funds
}
