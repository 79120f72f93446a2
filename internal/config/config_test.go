package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/corehour/corehour/internal/config"
)

func load(t *testing.T, args, environ []string) (config.Server, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.BindFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return config.Load(flags, environ)
}

func TestLoad_DefaultsRunEverythingEmbedded(t *testing.T) {
	got, err := load(t, nil, []string{"PATH=/bin", "DATABASE_URL=", "COREHOUR_LISTEN=", "COREHOUR_TEST_REDIS_URL=x", "COREHOUR_DATA=y"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Server{
		DataDir: "./corehour-data", LogKeep: "all", Listen: "127.0.0.1:8080", NATSReplicas: 1,
		LogLevel: "info", LogFormat: "text", FeeBps: config.DefaultFeeBps, UsageGrace: config.DefaultUsageGrace, LeaseRules: config.LeaseRulesStandard,
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
}

func TestLoad_FlagWinsOverEnvironmentWinsOverDefault(t *testing.T) {
	got, err := load(t,
		[]string{"--listen", "127.0.0.1:0", "--fee-bps=0", "--database-url="},
		[]string{
			"COREHOUR_LISTEN=0.0.0.0:9", "COREHOUR_FEE_BPS=250", "COREHOUR_DATA_DIR=/data", "COREHOUR_USAGE_GRACE=90m", "COREHOUR_LEASE_RULES=none",
			"DATABASE_URL=postgres://u:p@h/d", "NATS_URL=nats://a:4222,tls://b:4222", "REDIS_URL=rediss://:p@h:6379/1",
			"COREHOUR_LOG_LEVEL=debug", "COREHOUR_LOG_FORMAT=json",
		})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Server{
		DataDir: "/data", LogKeep: "all", Listen: "127.0.0.1:0", NATSURL: "nats://a:4222,tls://b:4222", NATSReplicas: 3,
		RedisURL: "rediss://:p@h:6379/1", LogLevel: "debug", LogFormat: "json", FeeBps: 0, UsageGrace: 90 * time.Minute, LeaseRules: config.LeaseRulesNone,
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestLoad_ReplicasFollowTheClusterUnlessSet(t *testing.T) {
	for _, c := range []struct {
		environ []string
		want    int
	}{
		{nil, 1},
		{[]string{"NATS_URL=nats://h:4222"}, 3},
		{[]string{"NATS_URL=nats://h:4222", "COREHOUR_NATS_REPLICAS=1"}, 1},
	} {
		got, err := load(t, nil, c.environ)
		if err != nil || got.NATSReplicas != c.want {
			t.Errorf("%v: %d replicas, want %d, %v", c.environ, got.NATSReplicas, c.want, err)
		}
	}
}

func TestLoad_WorksWithoutFlags(t *testing.T) {
	got, err := config.Load(nil, []string{"COREHOUR_LISTEN=:80"})
	if err != nil || got.Listen != ":80" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLoad_WrongSettingIsOneLineThatNamesIt(t *testing.T) {
	for _, c := range []struct {
		name          string
		args, environ []string
		want          string
	}{
		{"listen without port", nil, []string{"COREHOUR_LISTEN=localhost"},
			`COREHOUR_LISTEN="localhost": it is not host:port; for example 127.0.0.1:8080`},
		{"port out of range", []string{"--listen=:99999"}, nil,
			`--listen=":99999": its port must be between 0 and 65535; for example 127.0.0.1:8080`},
		{"port as a word", nil, []string{"COREHOUR_LISTEN=:http"},
			`COREHOUR_LISTEN=":http": its port must be between 0 and 65535; for example 127.0.0.1:8080`},
		{"empty folder", []string{"--data-dir="}, nil,
			`--data-dir="": it is empty; for example /var/lib/corehour`},
		{"another database", nil, []string{"DATABASE_URL=mysql://root:secret@h/d"},
			`DATABASE_URL="mysql://root:xxxxx@h/d": it must begin with postgres:// or postgresql://; for example postgres://user:password@host:5432/corehour?sslmode=require`},
		{"keywords", nil, []string{"DATABASE_URL=host=h password=secret"},
			`DATABASE_URL="xxxxx": it is not a URL; for example postgres://user:password@host:5432/corehour?sslmode=require`},
		{"broken escape", nil, []string{"DATABASE_URL=postgres://u:secret%zz@h/d"},
			`DATABASE_URL="xxxxx@h/d": it is not a URL; for example postgres://user:password@host:5432/corehour?sslmode=require`},
		{"no host", nil, []string{"DATABASE_URL=postgres:///d"},
			`DATABASE_URL="postgres:///d": it names no host; for example postgres://user:password@host:5432/corehour?sslmode=require`},
		{"password in the query", nil, []string{"REDIS_URL=http://h/?password=secret"},
			`REDIS_URL="http://h/?password=xxxxx": it must begin with redis:// or rediss:// or unix://; for example redis://:password@host:6379/0`},
		{"second NATS server", nil, []string{"NATS_URL=nats://a:secret@h:4222,http://b:secret@h"},
			`NATS_URL="nats://a:xxxxx@h:4222,http://b:xxxxx@h": it must begin with nats:// or tls:// or ws:// or wss://; for example nats://user:password@host:4222`},
		{"comma at the end", nil, []string{"NATS_URL=nats://h:4222,"},
			`NATS_URL="nats://h:4222,": one of its URLs is empty; for example nats://user:password@host:4222`},
		{"replicas without cluster", nil, []string{"COREHOUR_NATS_REPLICAS=3"},
			`COREHOUR_NATS_REPLICAS="3": the embedded server keeps one copy, more need NATS_URL; for example 3`},
		{"too many replicas", []string{"--nats-replicas=6", "--nats-url=nats://h:1"}, nil,
			`--nats-replicas="6": it must be between 1 and 5; for example 3`},
		{"unknown level", nil, []string{"COREHOUR_LOG_LEVEL=loud"},
			`COREHOUR_LOG_LEVEL="loud": it must be one of debug, info, warn, error; for example info`},
		{"unknown format", nil, []string{"COREHOUR_LOG_FORMAT=xml"},
			`COREHOUR_LOG_FORMAT="xml": it must be one of text, json; for example json`},
		{"fee as a word", nil, []string{"COREHOUR_FEE_BPS=1%"},
			`COREHOUR_FEE_BPS="1%": it is not a whole number; for example 100`},
		{"fee below zero", []string{"--fee-bps=-1"}, nil,
			`--fee-bps="-1": it must be between 0 and 10000; for example 100`},
		{"fee of more than all", nil, []string{"COREHOUR_FEE_BPS=10001"},
			`COREHOUR_FEE_BPS="10001": it must be between 0 and 10000; for example 100`},
		{"fee beyond an int", nil, []string{"COREHOUR_FEE_BPS=99999999999999999999"},
			`COREHOUR_FEE_BPS="99999999999999999999": it is not a whole number; for example 100`},
		{"grace without unit", nil, []string{"COREHOUR_USAGE_GRACE=24"},
			`COREHOUR_USAGE_GRACE="24": it is not a duration; for example 24h`},
		{"rules of nobody", nil, []string{"COREHOUR_LEASE_RULES=strict"},
			`COREHOUR_LEASE_RULES="strict": it must be one of standard, none; for example standard`},
		{"grace below zero", nil, []string{"COREHOUR_USAGE_GRACE=-1h"},
			`COREHOUR_USAGE_GRACE="-1h": it must be between 0s and 744h0m0s; for example 24h`},
		{"line break", nil, []string{"COREHOUR_LISTEN=a\nb"},
			`COREHOUR_LISTEN="a\nb": it is not host:port; for example 127.0.0.1:8080`},
		{"misspelt", nil, []string{"COREHOUR_LISTN=:80"},
			`COREHOUR_LISTN is not a setting; did you mean COREHOUR_LISTEN?`},
		{"misspelt, two of them", nil, []string{"COREHOUR_USAGEGRACE=1h", "COREHOUR_FEES=1"},
			`COREHOUR_FEES is not a setting; did you mean COREHOUR_FEE_BPS?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.args, c.environ)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
				t.Error("it shows a password or is more than one line")
			}
		})
	}
}

func TestValidate_NamesTheSettingOfAFieldThatIsWrong(t *testing.T) {
	c, err := config.Load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.FeeBps = config.MaxFeeBps + 1
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "COREHOUR_FEE_BPS=") {
		t.Errorf("%v", err)
	}
}

func TestBindFlags_EverySettingHasAFlagThatNamesItsVariable(t *testing.T) {
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	config.BindFlags(flags)
	usage := flags.FlagUsages()
	for _, variable := range []string{
		"COREHOUR_DATA_DIR", "COREHOUR_LISTEN", "DATABASE_URL", "NATS_URL", "COREHOUR_NATS_REPLICAS", "REDIS_URL",
		"COREHOUR_LOG_LEVEL", "COREHOUR_LOG_FORMAT", "COREHOUR_FEE_BPS", "COREHOUR_USAGE_GRACE", "COREHOUR_LEASE_RULES",
	} {
		if !strings.Contains(usage, variable) {
			t.Errorf("no flag says %s:\n%s", variable, usage)
		}
	}
}
