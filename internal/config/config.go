package config

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Defaults that others name too.
const (
	DefaultDataDir    = "./corehour-data"
	DefaultListen     = "127.0.0.1:8080"
	DefaultFeeBps     = 100
	DefaultUsageGrace = 24 * time.Hour
)

// What may stay of a log, once snapshots stand for it.
const (
	LogKeepAll     = "all"
	LogKeepArchive = "archive"
	LogKeepRecent  = "recent"
)

// The rules of leases that a new exchange may begin with.
const (
	LeaseRulesStandard = "standard"
	LeaseRulesNone     = "none"
)

// Limits of settings.
const (
	MaxFeeBps       = 10_000
	MaxUsageGrace   = 31 * 24 * time.Hour
	MaxNATSReplicas = 5 // as NATS has it
	// clusterReplicas is the default where NATS_URL is set.
	clusterReplicas = 3
)

// Server is the settings of `corehour serve`.
type Server struct {
	// DataDir is the folder of all that is embedded, and of keys and snapshots.
	DataDir string
	// LogKeep says what becomes of the log's old batches: all stay, or they move to
	// LogArchive, or they are dropped.
	LogKeep    string
	LogArchive string
	// TokenKey is the file of the key that tokens are issued and verified with;
	// empty is one in DataDir. The nodes of a cluster share one.
	TokenKey string
	// Listen is the host:port of the API; port 0 is any free one.
	Listen string
	// DatabaseURL is PostgreSQL; empty is SQLite in DataDir.
	DatabaseURL string
	// NATSURL is an external NATS server or cluster; empty is the embedded one.
	NATSURL string
	// NATSReplicas is how many servers keep each entry of the log.
	NATSReplicas int
	// RedisURL makes Redis Streams the bus; empty is within the process.
	RedisURL string
	// LogLevel is debug, info, warn or error.
	LogLevel string
	// LogFormat is text or json.
	LogFormat string
	// FeeBps is the exchange's fee on what leases cost, in basis points.
	FeeBps int
	// UsageGrace is how long after the end of a lease usage is still accepted.
	UsageGrace time.Duration
	// LeaseRules are those that a new exchange begins with: standard or none.
	LeaseRules string
}

// BindFlags declares a flag for every setting.
func BindFlags(flags *pflag.FlagSet) {
	for _, s := range settings() {
		usage := s.usage + " (environment: " + s.env + ")"
		flags.String(s.flag, s.fallback, usage)
	}
}

// Load reads the settings: a flag that was given wins over the environment (as
// os.Environ writes it), which wins over the default. Flags may be nil.
func Load(flags *pflag.FlagSet, environ []string) (Server, error) {
	environment, err := readEnvironment(environ)
	if err != nil {
		return Server{}, err
	}
	given := layer{}
	if flags != nil {
		for _, s := range settings() {
			if f := flags.Lookup(s.flag); f != nil && f.Changed {
				given[s.key] = f.Value.String()
			}
		}
	}
	k := koanf.New(".")
	for _, l := range []layer{defaults(), environment, given} {
		if err := k.Load(l, nil); err != nil {
			return Server{}, fmt.Errorf("config: %w", err)
		}
	}
	var c Server
	for _, s := range settings() {
		name := s.env
		if _, ok := given[s.key]; ok {
			name = "--" + s.flag
		}
		value := k.String(s.key)
		if why := s.set(&c, value); why != "" {
			return Server{}, s.wrong(name, value, why)
		}
		if why := s.check(&c); why != "" {
			return Server{}, s.wrong(name, value, why)
		}
	}
	return c, nil
}

// Validate checks settings that did not come from Load.
func (c *Server) Validate() error {
	for _, s := range settings() {
		if why := s.check(c); why != "" {
			return s.wrong(s.env, s.get(c), why)
		}
	}
	return nil
}

// layer is one source of settings, by key. It is a provider of koanf.
type layer map[string]any

// Read returns the settings.
func (l layer) Read() (map[string]any, error) { return l, nil }

// ReadBytes is for providers that need a parser; a layer needs none.
func (l layer) ReadBytes() ([]byte, error) { return nil, fmt.Errorf("config: a layer is not text") }

func defaults() layer {
	l := layer{}
	for _, s := range settings() {
		l[s.key] = s.fallback
	}
	return l
}

// Variables of ours that are not settings of the server.
const (
	prefix       = "COREHOUR_"
	testPrefix   = "COREHOUR_TEST_" // what `make test` tells the tests
	dataVariable = "COREHOUR_DATA"  // where the tests find shared data
)

// readEnvironment picks the settings out of the environment.
func readEnvironment(environ []string) (layer, error) {
	known := map[string]string{} // variable -> key
	for _, s := range settings() {
		known[s.env] = s.key
	}
	l := layer{}
	var unknown []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if key, ok := known[name]; ok {
			if value != "" {
				l[key] = value
			}
			continue
		}
		if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, testPrefix) && name != dataVariable {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		// Always the same one, whatever the order of the environment.
		sort.Strings(unknown)
		return nil, fmt.Errorf("%s is not a setting; did you mean %s?", unknown[0], nearest(unknown[0], known))
	}
	return l, nil
}
