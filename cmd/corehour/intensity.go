package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/providers"
)

// intensityOptions are the flags of intensity.
type intensityOptions struct {
	file, url, dataDir, tokenFile, start, now string
	zones                                     []string
}

const (
	intensityTokenTTL = time.Hour
	intensityTimeout  = 60 * time.Second
	maxTokenFileBytes = api.MaxTokenBytes + 2 // a line break after it
)

func newIntensityCommand() *cobra.Command {
	var o intensityOptions
	cmd := &cobra.Command{
		Use:   "intensity --file CURVES.csv[.gz]",
		Short: "Give grid zones their carbon intensity by the hour, from a file",
		Long: "Intensity reads gCO2e per kilowatt-hour from a CSV, plain or gzip, and gives it to a running server through its\n" +
			"API. The file has the columns datetime_utc and one for each zone, or the columns hour, zone and g_per_kwh.\n" +
			"Zones that are not defined yet are defined, with the mean of their values in the file. Hours that are over and\n" +
			"hours more than a year ahead are left out. docs/providers.md says more.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := requireFlags(cmd, "file"); err != nil {
				return err
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "list of hourly intensities, plain or gzip")
	f.StringVar(&o.url, "url", "http://127.0.0.1:8080", "the server's address")
	f.StringVar(&o.dataDir, "data-dir", "./corehour-data", "the server's data directory, with whose key a token is made")
	f.StringVar(&o.tokenFile, "token-file", "", "file with an operator's token, in place of --data-dir")
	f.StringSliceVar(&o.zones, "zones", nil, "only these zones, with commas between them (default: all of the file)")
	f.StringVar(&o.start, "start", "", "lay the file's first hour at this one, RFC 3339 (default: as the file has it)")
	f.StringVar(&o.now, "now", "", "the market's time where it is not the machine's, RFC 3339")
	return cmd
}

func (o *intensityOptions) run(ctx context.Context, out io.Writer) error {
	now, err := o.present()
	if err != nil {
		return err
	}
	curves, err := o.read()
	if err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	// A year ahead is as far as the server takes it; its hour may be the one before ours.
	to := now.Add((corehour.MaxCurveHours - 1) * corehour.MinutesPerHour)
	pieces := make([][]providers.Run, len(curves))
	found := false
	for i := range curves {
		pieces[i] = curves[i].Pieces(now, to, corehour.MaxCurveHours)
		found = found || len(pieces[i]) > 0
	}
	if !found {
		return usage("--file %s: none of its hours is from %s to %s; --start moves them", o.file, now, to)
	}
	var defined api.Page[corehour.Zone]
	if err := c.call(ctx, http.MethodGet, "/v1/zones", nil, &defined); err != nil {
		return err
	}
	for i := range curves {
		zone := curves[i].Zone
		known := slices.ContainsFunc(defined.Items, func(z corehour.Zone) bool { return z.ID == zone })
		hours, err := feedZone(ctx, c, &curves[i], pieces[i], known)
		if err != nil {
			return fmt.Errorf("zone %s: %w", zone, err)
		}
		if _, err := fmt.Fprintf(out, "%s %d hours\n", zone, hours); err != nil {
			return err
		}
	}
	return nil
}

// feedZone defines a zone that is new and gives it the hours of its pieces.
func feedZone(ctx context.Context, c *client, curve *providers.ZoneCurve, pieces []providers.Run, known bool) (hours int, err error) {
	path := "/v1/zones/" + url.PathEscape(string(curve.Zone))
	if !known {
		if err := c.call(ctx, http.MethodPut, path, api.DefineZone{Mean: curve.Mean()}, nil); err != nil {
			return 0, err
		}
	}
	for _, piece := range pieces {
		if err := c.call(ctx, http.MethodPut, path+"/intensity", api.SetIntensity{From: piece.From, Values: piece.Values}, nil); err != nil {
			return hours, err
		}
		hours += len(piece.Values)
	}
	return hours, nil
}

// present is the hour that the market is in.
func (o *intensityOptions) present() (corehour.Minute, error) {
	now := time.Now()
	if o.now != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, o.now); err != nil {
			return 0, usage("--now %q is not a time like 2024-01-31T13:00:00Z", o.now)
		}
	}
	m := corehour.InstantOf(now).FloorMinute()
	return m - m%corehour.Minute(corehour.MinutesPerHour), nil
}

// read reads the file's curves, keeps the zones that are asked for, and lays them
// where they belong in time.
func (o *intensityOptions) read() ([]providers.ZoneCurve, error) {
	file, err := os.Open(o.file)
	if err != nil {
		return nil, usage("--file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	curves, err := providers.ReadCurves(file)
	if err != nil {
		return nil, &usageError{fmt.Errorf("--file %s: %w", o.file, err)}
	}
	first := curves[0].Runs[0].From
	for _, curve := range curves {
		first = min(first, curve.Runs[0].From)
	}
	if len(o.zones) > 0 {
		for _, zone := range o.zones {
			if !slices.ContainsFunc(curves, func(c providers.ZoneCurve) bool { return string(c.Zone) == zone }) {
				return nil, usage("--zones: %s is not in %s", zone, o.file)
			}
		}
		curves = slices.DeleteFunc(curves, func(c providers.ZoneCurve) bool { return !slices.Contains(o.zones, string(c.Zone)) })
	}
	if o.start == "" {
		return curves, nil
	}
	var start corehour.Minute
	if err := start.UnmarshalText([]byte(o.start)); err != nil || start < 0 || start%corehour.Minute(corehour.MinutesPerHour) != 0 {
		return nil, usage("--start %q is not a whole hour like 2024-01-31T13:00:00Z", o.start)
	}
	for i := range curves {
		curves[i].Shift(start.Sub(first))
	}
	return curves, nil
}

func (o *intensityOptions) client() (*client, error) {
	if u, err := url.Parse(o.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage("--url %q is not an address like http://127.0.0.1:8080", o.url)
	}
	c := &client{base: strings.TrimSuffix(o.url, "/"), http: &http.Client{Timeout: intensityTimeout}}
	if o.tokenFile == "" {
		keys, err := keysOf(filepath.Join(o.dataDir, keyFile))
		if err != nil {
			return nil, err
		}
		c.token, err = issueToken(keys, string(api.RoleOperator), string(api.RoleOperator), string(api.RoleOperator), intensityTokenTTL)
		return c, err
	}
	file, err := os.Open(o.tokenFile)
	if err != nil {
		return nil, usage("--token-file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	token, err := io.ReadAll(io.LimitReader(file, maxTokenFileBytes))
	c.token = strings.TrimSpace(string(token))
	return c, err
}
