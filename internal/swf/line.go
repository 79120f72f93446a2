package swf

import (
	"math"
	"strconv"

	"github.com/corehour/corehour"
)

// Columns of a line, counted from zero. Beyond the user nothing is read.
const (
	columnID            = 0
	columnSubmit        = 1
	columnRunTime       = 3
	columnAllocated     = 4
	columnRequested     = 7
	columnRequestedTime = 8
	columnUser          = 11

	columns    = 18 // fewer are refused, more are allowed
	lastColumn = columnUser
)

// Unknown is what the format writes for a value that was not recorded.
const Unknown = -1

// Why lines are refused. The names are stable: they are keys of the replay's
// summary. Of several reasons that apply, a line gets the first of this list; of
// its columns, the first that is malformed or out of range decides.
const (
	ReasonLineTooLong          = "line_too_long"            // more than MaxLineBytes
	ReasonTooFewColumns        = "too_few_columns"          // fewer than 18
	ReasonMalformedLine        = "malformed_line"           // a column up to the user's is not a number, or a count has a fraction
	ReasonNumberOutOfRange     = "number_out_of_range"      // a number that 64 bits do not hold
	ReasonJobIDUnknown         = "job_id_unknown"           // negative
	ReasonSubmitTimeUnknown    = "submit_time_unknown"      // negative
	ReasonRunTimeUnknown       = "run_time_unknown"         // -1
	ReasonRunTimeNotPositive   = "run_time_not_positive"    // zero, or negative but not -1
	ReasonProcessorsUnknown    = "processors_unknown"       // neither requested nor allocated is above zero
	ReasonProcessorsOutOfRange = "processors_out_of_range"  // above corehour.MaxUnits
	ReasonDurationOutOfRange   = "duration_out_of_range"    // requested or run time above corehour.MaxDuration
	ReasonJobTooLarge          = "job_too_large"            // its CPU time does not fit corehour.CPUTime
	ReasonDuplicateID          = "duplicate_id"             // repeats the id of an accepted job
	ReasonTooManyJobs          = "too_many_jobs"            // beyond MaxJobs accepted ones
	ReasonSubmitTimeOutOfRange = "submit_time_out_of_range" // more than MaxSpanSeconds after the first job
	ReasonTruncatedFile        = "truncated_file"           // the line in which compressed data broke off
	ReasonUnreadableFile       = "unreadable_file"          // the line at which reading failed otherwise
	ReasonFileTooLong          = "file_too_long"            // the line at which MaxFileBytes was reached
)

// Job is one accepted line. Times are in seconds.
type Job struct {
	Line          int64 // counted from 1 in the uncompressed file
	ID            int64
	Submit        int64 // on the log's own clock, which may begin anywhere
	RunTime       int64 // above zero
	RequestedTime int64 // Unknown where the log has none above zero
	Units         corehour.Units
	User          int64 // Unknown where the log has none
}

// maxUnitMinutes keeps the CPU time of a whole job within corehour.CPUTime. It
// is sharper than MaxUnits and MaxDuration together.
const maxUnitMinutes = math.MaxInt64 / 60_000_000

const maxSeconds = int64(corehour.MaxDuration) * 60

// parseLine reads one line that is neither blank nor a comment. The reason is
// empty where the job is accepted.
func parseLine(line []byte) (job Job, reason string) {
	fields, n := split(line)
	if n < columns {
		return Job{}, ReasonTooFewColumns
	}
	var values [lastColumn + 1]int64
	for i := range values {
		var reason string
		if values[i], reason = parseColumn(i, fields[i]); reason != "" {
			return Job{}, reason
		}
	}
	job = Job{
		ID:            values[columnID],
		Submit:        values[columnSubmit],
		RunTime:       values[columnRunTime],
		RequestedTime: knownOr(values[columnRequestedTime], Unknown),
		Units:         corehour.Units(knownOr(values[columnRequested], values[columnAllocated])),
		User:          max(values[columnUser], Unknown),
	}
	return job, check(job)
}

// knownOr is a value that the log recorded, or else another. Zero processors or
// a request for no time is how some logs write that nothing was recorded.
func knownOr(value, otherwise int64) int64 {
	if value > 0 {
		return value
	}
	return otherwise
}

// check applies the rules that a job needs nothing but its own line for.
func check(job Job) (reason string) {
	switch {
	case job.ID < 0:
		return ReasonJobIDUnknown
	case job.Submit < 0:
		return ReasonSubmitTimeUnknown
	case job.RunTime == Unknown:
		return ReasonRunTimeUnknown
	case job.RunTime <= 0:
		return ReasonRunTimeNotPositive
	case job.Units <= 0:
		return ReasonProcessorsUnknown
	case job.Units > corehour.MaxUnits:
		return ReasonProcessorsOutOfRange
	case job.RunTime > maxSeconds || job.RequestedTime > maxSeconds:
		return ReasonDurationOutOfRange
	case int64(job.Units)*int64(job.Duration()) > maxUnitMinutes:
		return ReasonJobTooLarge
	}
	return ""
}

// split cuts a line at ASCII blanks, keeps the columns up to the last one that
// is read and counts up to the columns that a line needs.
func split(line []byte) (fields [lastColumn + 1][]byte, n int) {
	for i := 0; i < len(line) && n < columns; {
		if isBlank(line[i]) {
			i++
			continue
		}
		begin := i
		for i < len(line) && !isBlank(line[i]) {
			i++
		}
		if n < len(fields) {
			fields[n] = line[begin:i]
		}
		n++
	}
	return fields, n
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// parseColumn reads a column by what it is used for. Columns that are not used
// must still be numbers of some kind: text there means that the columns after
// it have moved.
func parseColumn(column int, field []byte) (value int64, reason string) {
	switch column {
	case columnID, columnAllocated, columnRequested, columnUser:
		value, fraction, reason := parseNumber(field)
		if reason == "" && fraction {
			return 0, ReasonMalformedLine
		}
		return value, reason
	case columnSubmit, columnRunTime:
		value, _, reason := parseNumber(field) // rounded down to the second
		return value, reason
	case columnRequestedTime:
		value, fraction, reason := parseNumber(field)
		if reason == "" && fraction && value < math.MaxInt64 {
			value++ // rounded up, as to the minute afterwards
		}
		return value, reason
	}
	if !isSomeNumber(field) {
		return 0, ReasonMalformedLine
	}
	return 0, ""
}

// parseNumber reads a plain decimal, rounded down to a whole number, and whether
// there was a fraction to drop. Signs are allowed, exponents are not.
func parseNumber(field []byte) (whole int64, fraction bool, reason string) {
	digits := field
	negative := false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	var n uint64
	overflow, inFraction, seen := false, false, false
	for _, c := range digits {
		switch {
		case c == '.' && !inFraction:
			inFraction = true
		case c < '0' || c > '9':
			return 0, false, ReasonMalformedLine
		case inFraction:
			seen, fraction = true, fraction || c != '0'
		default:
			seen = true
			if n > math.MaxInt64/10 {
				overflow = true
				continue
			}
			n = n*10 + uint64(c-'0')
			overflow = overflow || n >= math.MaxInt64
		}
	}
	switch {
	case !seen:
		return 0, false, ReasonMalformedLine
	case overflow:
		return 0, false, ReasonNumberOutOfRange
	case negative && fraction:
		return -int64(n) - 1, true, ""
	case negative:
		return -int64(n), false, ""
	}
	return int64(n), fraction, ""
}

// isSomeNumber accepts what any tool writes for a number, NaN included.
func isSomeNumber(field []byte) bool {
	if _, _, reason := parseNumber(field); reason != ReasonMalformedLine {
		return true
	}
	_, err := strconv.ParseFloat(string(field), 64)
	return err == nil || isRangeError(err)
}
