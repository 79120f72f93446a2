package swf

import (
	"strings"
	"testing"

	"github.com/corehour/corehour"
)

const good = "7 100 -1 60 4 -1 -1 8 120 -1 1 3 1 -1 1 -1 -1 -1"

// with replaces a column, counted from 1, of the good line.
func with(column int, value string) string {
	fields := strings.Fields(good)
	fields[column-1] = value
	return strings.Join(fields, " ")
}

func TestParseLine_ReadsTheColumnsOfTheFormat(t *testing.T) {
	t.Parallel()
	want := Job{ID: 7, Submit: 100, RunTime: 60, RequestedTime: 120, Units: 8, User: 3}
	noRequest := want
	noRequest.Units = 4
	noTime := want
	noTime.RequestedTime = Unknown
	noUser := want
	noUser.User = Unknown
	user0 := want
	user0.User = 0
	epoch := want
	epoch.Submit = 1_027_839_845
	fractionUp := want
	fractionUp.RequestedTime = 121
	for name, c := range map[string]struct {
		line string
		want Job
	}{
		"as it stands":                         {good, want},
		"tabs, many blanks, carriage return":   {strings.ReplaceAll(good, " ", "\t  ") + " \r", want},
		"more columns":                         {good + " 5 x y z", want},
		"fractional CPU time":                  {with(6, "552.21"), want},
		"not a number in an unused column":     {with(6, "NaN"), want},
		"exponent in an unused column":         {with(7, "1.5e+06"), want},
		"unused number beyond 64 bits":         {with(7, "99999999999999999999"), want},
		"text after the user":                  {with(14, "a.out"), want},
		"signs and leading zeros":              {with(1, "+0000000000000000000000000007"), want},
		"whole number written with a point":    {with(8, "8.000"), want},
		"fraction of a second of run time":     {with(4, "60.9"), want},
		"fraction of a second of submit time":  {with(2, "100.9"), want},
		"fraction of a second requested":       {with(9, "120.1"), fractionUp},
		"requested processors unknown":         {with(8, "-1"), noRequest},
		"requested processors zero":            {with(8, "0"), noRequest},
		"requested time unknown":               {with(9, "-1"), noTime},
		"requested time zero":                  {with(9, "0"), noTime},
		"user unknown":                         {with(12, "-1"), noUser},
		"user unknown in another way":          {with(12, "-2"), noUser},
		"user zero":                            {with(12, "0"), user0},
		"submit time since 1970":               {with(2, "1027839845"), epoch},
		"allocated unknown, requested known":   {with(5, "-1"), want},
		"wait, memory, status, group negative": {with(3, "-7"), want},
	} {
		if got, reason := parseLine([]byte(c.line)); reason != "" || got != c.want {
			t.Errorf("%s: have %+v, refused for %q; want %+v", name, got, reason, c.want)
		}
	}
}

func TestParseLine_RefusesForOneNamedReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, reason string }{
		{"x", ReasonTooFewColumns},
		{strings.Join(strings.Fields(good)[:17], " "), ReasonTooFewColumns},
		{"\x00\x01\x02\xff\xfe", ReasonTooFewColumns},
		{strings.Repeat("\x00\xff ", 18), ReasonMalformedLine},
		{with(1, "seven"), ReasonMalformedLine},
		{with(1, "7.5"), ReasonMalformedLine},
		{with(1, "-"), ReasonMalformedLine},
		{with(1, "."), ReasonMalformedLine},
		{with(1, "--7"), ReasonMalformedLine},
		{with(2, "1e3"), ReasonMalformedLine},
		{with(2, "0x10"), ReasonMalformedLine},
		{with(2, "1_000"), ReasonMalformedLine},
		{with(2, "1.2.3"), ReasonMalformedLine},
		{with(4, "NaN"), ReasonMalformedLine},
		{with(4, "+Inf"), ReasonMalformedLine},
		{with(5, "many"), ReasonMalformedLine},
		{with(6, "my program"), ReasonMalformedLine},
		{with(8, "8.5"), ReasonMalformedLine},
		{with(8, "١"), ReasonMalformedLine},
		{with(12, "alice"), ReasonMalformedLine},
		{with(1, "9223372036854775808"), ReasonNumberOutOfRange},
		{with(4, "-99999999999999999999"), ReasonNumberOutOfRange},
		{with(9, strings.Repeat("9", 400)), ReasonNumberOutOfRange},
		{with(1, "-1"), ReasonJobIDUnknown},
		{with(2, "-1"), ReasonSubmitTimeUnknown},
		{with(2, "-0.5"), ReasonSubmitTimeUnknown},
		{with(2, "-3600"), ReasonSubmitTimeUnknown},
		{with(4, "-1"), ReasonRunTimeUnknown},
		{with(4, "0"), ReasonRunTimeNotPositive},
		{with(4, "0.4"), ReasonRunTimeNotPositive},
		{with(4, "-60"), ReasonRunTimeNotPositive},
		{strings.Replace(with(8, "-1"), " 4 ", " -1 ", 1), ReasonProcessorsUnknown},
		{strings.Replace(with(8, "0"), " 4 ", " 0 ", 1), ReasonProcessorsUnknown},
		{with(8, "1000001"), ReasonProcessorsOutOfRange},
		{with(9, "31622401"), ReasonDurationOutOfRange},
		{with(4, "31622401"), ReasonDurationOutOfRange},
		{strings.Replace(with(8, "1000000"), " 120 ", " 31622400 ", 1), ReasonJobTooLarge},
	} {
		if job, reason := parseLine([]byte(c.line)); reason != c.reason {
			t.Errorf("%.80q: refused for %q, want %q (job %+v)", c.line, reason, c.reason, job)
		}
	}
}

func TestParseLine_AcceptsJobsAtTheLimits(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		with(1, "9223372036854775806"), with(4, "31622400"), with(9, "31622400"),
		with(8, "1000000"), with(2, "0"), with(4, "1"),
	} {
		job, reason := parseLine([]byte(line))
		if reason != "" {
			t.Errorf("%q: refused for %q", line, reason)
			continue
		}
		if used, most := job.Used(job.Units, job.Duration()), corehour.Capacity(job.Units, job.Duration()); used <= 0 || used > most {
			t.Errorf("%q: uses %d us of CPU time of %d", line, used, most)
		}
	}
}
