package log

import (
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
)

// complaints passes on what the embedded server warns of and fails at, and none of
// its news.
type complaints struct{ logger *slog.Logger }

func (c *complaints) Errorf(format string, v ...any) {
	c.logger.Error("the embedded log server: " + fmt.Sprintf(format, v...))
}

// Fatalf does not end the process: who opens or appends hears that it failed.
func (c *complaints) Fatalf(format string, v ...any) { c.Errorf(format, v...) }

func (c *complaints) Warnf(format string, v ...any) {
	c.logger.Warn("the embedded log server: " + fmt.Sprintf(format, v...))
}

func (c *complaints) Noticef(string, ...any) {}
func (c *complaints) Debugf(string, ...any)  {}
func (c *complaints) Tracef(string, ...any)  {}

// complain passes on what the client of a server complains of, such as a message
// that it cannot read.
func complain(logger *slog.Logger) nats.Option {
	return nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if logger != nil {
			logger.Warn("the log's connection", "error", err)
		}
	})
}
