package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/config"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the exchange",
		Long: "Serve runs one node. Without settings everything is embedded and lives under --data-dir: the log (NATS\n" +
			"JetStream, synced), the database (SQLite) and the bus. DATABASE_URL, NATS_URL and REDIS_URL move them to\n" +
			"PostgreSQL, to a NATS server or cluster, and to Redis Streams. SIGTERM drains and exits with 0.",
		Args: cobra.NoArgs,
	}
	return withSettings(cmd, serve)
}

// withSettings gives a command the server's flags and runs it with the settings
// that they and the environment make.
func withSettings(cmd *cobra.Command, run func(context.Context, config.Server) error) *cobra.Command {
	config.BindFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			return &usageError{err}
		}
		return run(cmd.Context(), settings)
	}
	return cmd
}

// serve runs a node until the context ends.
func serve(ctx context.Context, settings config.Server) error {
	logger := newLogger(settings)
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return usage("COREHOUR_LISTEN (--listen) %q: %w", settings.Listen, err)
	}
	s, err := openService(ctx, serviceConfig{Server: settings, Clock: corehour.SystemClock{}, Logger: logger})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	logger.Info("corehour is ready", "url", "http://"+listener.Addr().String(), "data_dir", settings.DataDir, "version", version())
	err = s.serve(ctx, listener)
	logger.Info("corehour is stopping")
	return errors.Join(err, s.close())
}

func newLogger(settings config.Server) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(settings.LogLevel)); err != nil {
		level = slog.LevelInfo // config.Load has refused other names
	}
	options := &slog.HandlerOptions{Level: level}
	if settings.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
