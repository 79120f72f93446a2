package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/providers"
)

// A real year of every zone of the demonstration market, laid over the present,
// is given twice; the second time changes nothing.
func TestIntensity_ARealYearOfEveryZoneOfTheMarket(t *testing.T) {
	t.Parallel()
	file := testenv.DataFile(t, "carbon", "hourly-gCO2-kWh-2022-all-gcp-zones.derived.csv.gz")
	dir := filepath.Join(t.TempDir(), "data")
	server := start(t, childMain, "1", nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0")
	consumer := as(t, server.base, dir, api.RoleConsumer, "lab")
	begin := time.Now().UTC().Truncate(time.Hour).Add(-100 * time.Hour)
	args := []string{"intensity", "--file", file, "--url", server.base, "--data-dir", dir, "--start", begin.Format(time.RFC3339)}
	stdout, stderr, code := corehourCommand(t, nil, args...)
	if code != 0 || strings.Count(stdout, "\n") != 32 || !strings.Contains(stdout, "FI 8659 hours\n") && !strings.Contains(stdout, "FI 8658 hours\n") {
		t.Fatalf("%d\n%s%s", code, stdout, stderr)
	}
	market, err := providers.Market()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range market {
		var curve api.Intensity
		consumer.want(t, http.MethodGet, "/v1/zones/"+string(m.Region.Zone)+"/intensity", nil, &curve)
		if len(curve.Values) < 8650 || curve.Mean <= 0 || curve.From.Time().Before(begin.Add(99*time.Hour)) {
			t.Errorf("%s: %d hours from %s, mean %s", m.Region.Zone, len(curve.Values), curve.From, curve.Mean)
		}
	}
	var before, after api.Intensity
	consumer.want(t, http.MethodGet, "/v1/zones/FI/intensity", nil, &before)
	if _, stderr, code := corehourCommand(t, nil, append(args, "--zones", "FI,DE")...); code != 0 {
		t.Fatalf("%d\n%s", code, stderr)
	}
	consumer.want(t, http.MethodGet, "/v1/zones/FI/intensity", nil, &after)
	if last := len(after.Values) - 1; after.Mean != before.Mean || after.Values[last] != before.Values[len(before.Values)-1] {
		t.Errorf("given again: mean %s, before %s", after.Mean, before.Mean)
	}
}

// What the command cannot use is one line and exit code 2, and nothing is sent;
// what the server refuses is its code.
func TestIntensity_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	server := start(t, childMain, "1", nil, "serve", "--data-dir", dir, "--listen", "127.0.0.1:0")
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.csv", "datetime_utc,FI\n2022-01-01 00:00:00,93.5\n")
	provider := as(t, server.base, dir, api.RoleProvider, "north")
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"negative value": {[]string{"--file", write("bad.csv", "datetime_utc,FI\n2022-01-01 00:00:00,-1\n")}, 2, "line 2"},
		"all over":       {[]string{"--file", good}, 2, "--start moves them"},
		"unknown zone":   {[]string{"--file", good, "--zones", "SE"}, 2, "SE is not in"},
		"start":          {[]string{"--file", good, "--start", "2030-01-01T00:30:00Z"}, 2, "--start"},
		"now":            {[]string{"--file", good, "--now", "noon"}, 2, "--now"},
		"url":            {[]string{"--file", good, "--url", "localhost"}, 2, "--url"},
		"no token file":  {[]string{"--file", good, "--token-file", "/nonexistent"}, 2, "/nonexistent"},
		"a provider":     {[]string{"--file", good, "--token-file", write("token", provider.token+"\n"), "--now", "2022-01-01T00:30:00Z"}, 1, "403 forbidden"},
		"over for it":    {[]string{"--file", good, "--now", "2022-01-01T00:30:00Z"}, 1, "zone FI: 422 window_passed"},
	} {
		args := append([]string{"intensity", "--url", server.base, "--data-dir", dir}, c.args...)
		stdout, stderr, code := corehourCommand(t, nil, args...)
		if code != c.code || stdout != "" || strings.Count(strings.TrimSpace(stderr), "\n") != 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d\n%s%s", name, code, stdout, stderr)
		}
	}
	// The last one was defined before its hours were refused.
	var curve api.Intensity
	provider.want(t, http.MethodGet, "/v1/zones/FI/intensity", nil, &curve)
	if len(curve.Values) != 0 || curve.Mean != 93_500 {
		t.Errorf("%+v", curve)
	}
}
