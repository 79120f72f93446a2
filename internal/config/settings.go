package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one setting of the server.
type setting struct {
	key      string // within this package
	flag     string // --flag
	env      string // environment variable
	fallback string
	usage    string
	example  string
	// get writes the setting, set reads it; set returns what is wrong with the notation.
	get func(c *Server) string
	set func(c *Server, value string) string
	// check returns what is wrong with the value.
	check func(c *Server) string
}

// settings is all of them, in the order in which they are checked.
func settings() []setting {
	return []setting{
		text("data_dir", "COREHOUR_DATA_DIR", DefaultDataDir, "/var/lib/corehour",
			"`folder` of the embedded log and database, of keys and snapshots",
			func(c *Server) *string { return &c.DataDir },
			func(c *Server) string { return notEmpty(c.DataDir) }),
		text("token_key", "COREHOUR_TOKEN_KEY", "", "/etc/corehour/token-key.pem",
			"`file` of the key that tokens are issued and verified with, the same on every node; empty is one in the data folder",
			func(c *Server) *string { return &c.TokenKey },
			func(*Server) string { return "" }),
		text("listen", "COREHOUR_LISTEN", DefaultListen, "127.0.0.1:8080",
			"`host:port` of the API; port 0 is any free one",
			func(c *Server) *string { return &c.Listen },
			func(c *Server) string { return checkListen(c.Listen) }),
		text("database_url", "DATABASE_URL", "", "postgres://user:password@host:5432/corehour?sslmode=require",
			"`url` of a PostgreSQL database; empty is SQLite in the data folder",
			func(c *Server) *string { return &c.DatabaseURL },
			func(c *Server) string { return checkURL(c.DatabaseURL, "postgres", "postgresql") }),
		text("nats_url", "NATS_URL", "", "nats://user:password@host:4222",
			"`url` of a NATS server with JetStream, or several with commas; empty is the embedded one",
			func(c *Server) *string { return &c.NATSURL },
			func(c *Server) string { return checkNATS(c.NATSURL) }),
		replicas(),
		text("log_keep", "COREHOUR_LOG_KEEP", LogKeepAll, LogKeepAll,
			"`what` of the log stays when snapshots stand for it: all, archive (the rest moves to --log-archive) or recent (the rest is dropped)",
			func(c *Server) *string { return &c.LogKeep },
			func(c *Server) string {
				if (c.LogKeep == LogKeepArchive) != (c.LogArchive != "") {
					return "archive and COREHOUR_LOG_ARCHIVE (--log-archive) need each other"
				}
				return oneOf(c.LogKeep, LogKeepAll, LogKeepArchive, LogKeepRecent)
			}),
		text("log_archive", "COREHOUR_LOG_ARCHIVE", "", "/var/lib/corehour-archive",
			"`folder` of the archived log",
			func(c *Server) *string { return &c.LogArchive },
			func(*Server) string { return "" }),
		text("redis_url", "REDIS_URL", "", "redis://:password@host:6379/0",
			"`url` of a Redis as the bus between nodes; empty is a bus within the process",
			func(c *Server) *string { return &c.RedisURL },
			func(c *Server) string { return checkURL(c.RedisURL, "redis", "rediss", "unix") }),
		text("log_level", "COREHOUR_LOG_LEVEL", "info", "info",
			"`level` of the log: debug, info, warn or error",
			func(c *Server) *string { return &c.LogLevel },
			func(c *Server) string { return oneOf(c.LogLevel, "debug", "info", "warn", "error") }),
		text("log_format", "COREHOUR_LOG_FORMAT", "text", "json",
			"`format` of the log: text or json",
			func(c *Server) *string { return &c.LogFormat },
			func(c *Server) string { return oneOf(c.LogFormat, "text", "json") }),
		number("fee_bps", "COREHOUR_FEE_BPS", strconv.Itoa(DefaultFeeBps), "100",
			"the exchange's fee in `basis points` of what a lease costs",
			func(c *Server) *int { return &c.FeeBps },
			func(c *Server) string { return between(c.FeeBps, 0, MaxFeeBps) }),
		usageGrace(),
		text("lease_rules", "COREHOUR_LEASE_RULES", LeaseRulesStandard, LeaseRulesStandard,
			"`rules` of leases that a new exchange begins with: standard or none",
			func(c *Server) *string { return &c.LeaseRules },
			func(c *Server) string { return oneOf(c.LeaseRules, LeaseRulesStandard, LeaseRulesNone) }),
	}
}

func flagOf(key string) string { return strings.ReplaceAll(key, "_", "-") }

func text(key, env, fallback, example, usage string, field func(*Server) *string, check func(*Server) string) setting {
	return setting{
		key: key, flag: flagOf(key), env: env, fallback: fallback, usage: usage, example: example,
		get: func(c *Server) string { return *field(c) },
		set: func(c *Server, value string) string {
			*field(c) = value
			return ""
		},
		check: check,
	}
}

func number(key, env, fallback, example, usage string, field func(*Server) *int, check func(*Server) string) setting {
	return setting{
		key: key, flag: flagOf(key), env: env, fallback: fallback, usage: usage, example: example,
		get: func(c *Server) string { return strconv.Itoa(*field(c)) },
		set: func(c *Server, value string) string {
			n, err := strconv.Atoi(value)
			if err != nil {
				return "it is not a whole number"
			}
			*field(c) = n
			return ""
		},
		check: check,
	}
}

// replicas depends on whether there is a cluster at all: a single embedded server
// keeps one copy, a cluster three.
func replicas() setting {
	s := number("nats_replicas", "COREHOUR_NATS_REPLICAS", "", "3",
		"`number` of NATS servers that keep each entry of the log; empty is 3 with a NATS URL, else 1",
		func(c *Server) *int { return &c.NATSReplicas },
		func(c *Server) string {
			if c.NATSURL == "" && c.NATSReplicas > 1 {
				return "the embedded server keeps one copy, more need NATS_URL"
			}
			return between(c.NATSReplicas, 1, MaxNATSReplicas)
		})
	parse := s.set
	s.set = func(c *Server, value string) string {
		switch {
		case value != "":
			return parse(c, value)
		case c.NATSURL != "":
			c.NATSReplicas = clusterReplicas
		default:
			c.NATSReplicas = 1
		}
		return ""
	}
	return s
}

func usageGrace() setting {
	return setting{
		key: "usage_grace", flag: "usage-grace", env: "COREHOUR_USAGE_GRACE",
		fallback: "24h", example: "24h",
		usage: "`duration` after the end of a lease for which usage is still accepted",
		get:   func(c *Server) string { return c.UsageGrace.String() },
		set: func(c *Server, value string) string {
			d, err := time.ParseDuration(value)
			if err != nil {
				return "it is not a duration"
			}
			c.UsageGrace = d
			return ""
		},
		check: func(c *Server) string {
			if c.UsageGrace < 0 || c.UsageGrace > MaxUsageGrace {
				return fmt.Sprintf("it must be between 0s and %s", MaxUsageGrace)
			}
			return ""
		},
	}
}

// wrong is the one line about a wrong setting.
func (s *setting) wrong(name, value, why string) error {
	return fmt.Errorf("%s=%s: %s; for example %s", name, redact(value), why, s.example)
}

func notEmpty(v string) string {
	if v == "" {
		return "it is empty"
	}
	return ""
}

func oneOf(v string, allowed ...string) string {
	if slices.Contains(allowed, v) {
		return ""
	}
	return "it must be one of " + strings.Join(allowed, ", ")
}

func between(n, least, most int) string {
	if n < least || n > most {
		return fmt.Sprintf("it must be between %d and %d", least, most)
	}
	return ""
}

func checkListen(v string) string {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return "it is not host:port"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "its port must be between 0 and 65535"
	}
	return ""
}

// checkURL accepts an empty value, which means the embedded alternative.
func checkURL(v string, schemes ...string) string {
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" {
		return "it is not a URL"
	}
	if !slices.Contains(schemes, u.Scheme) {
		return "it must begin with " + strings.Join(schemes, ":// or ") + "://"
	}
	if u.Scheme != "unix" && u.Host == "" && u.Query().Get("host") == "" {
		return "it names no host"
	}
	return ""
}

func checkNATS(v string) string {
	if v == "" {
		return ""
	}
	for part := range strings.SplitSeq(v, ",") {
		if why := checkURL(strings.TrimSpace(part), "nats", "tls", "ws", "wss"); why != "" {
			return why
		}
		if strings.TrimSpace(part) == "" {
			return "one of its URLs is empty"
		}
	}
	return ""
}

// redact takes passwords out of a value. What cannot be understood as a URL, but
// has something before an @, loses all that stands before it.
func redact(v string) string {
	parts := strings.Split(v, ",")
	for i, part := range parts {
		at := strings.LastIndex(part, "@")
		u, err := url.Parse(part)
		switch {
		case err == nil && u.Scheme != "" && u.Host != "":
			query := u.Query()
			for name := range query {
				if strings.Contains(strings.ToLower(name), "pass") {
					query.Set(name, "xxxxx")
					u.RawQuery = query.Encode()
				}
			}
			parts[i] = u.Redacted()
		case at >= 0:
			parts[i] = "xxxxx" + part[at:]
		case strings.Contains(strings.ToLower(part), "pass"):
			parts[i] = "xxxxx"
		}
	}
	return strconv.Quote(strings.Join(parts, ","))
}

// nearest is the known name that takes the fewest changes of a letter to reach.
func nearest(name string, known map[string]string) string {
	best, least := "", -1
	for _, candidate := range slices.Sorted(maps.Keys(known)) {
		if d := distance(name, candidate); least < 0 || d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: insertions, deletions and replacements.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
