package swf

import (
	"bytes"
	"strings"
	"unicode"
)

// Header is what a log says about itself, for a person to read. Nothing is
// computed from it: logs in the wild are cut and filtered without their header
// being told. Numbers are Unknown and texts empty where the log says nothing.
type Header struct {
	Computer      string
	Installation  string
	MaxJobs       int64
	MaxProcs      int64
	UnixStartTime int64
}

// maxHeaderText bounds a text of the header in bytes, as it may go to a terminal.
const maxHeaderText = 200

func newHeader() Header {
	return Header{MaxJobs: Unknown, MaxProcs: Unknown, UnixStartTime: Unknown}
}

// take reads a comment such as "; MaxJobs: 527371". The first of each label counts.
func (h *Header) take(comment []byte) {
	label, value, found := bytes.Cut(bytes.TrimLeft(comment, "; \t"), []byte(":"))
	if !found {
		return
	}
	value = bytes.TrimSpace(value)
	switch string(label) {
	case "Computer":
		takeText(&h.Computer, value)
	case "Installation":
		takeText(&h.Installation, value)
	case "MaxJobs":
		takeNumber(&h.MaxJobs, value)
	case "MaxProcs":
		takeNumber(&h.MaxProcs, value)
	case "UnixStartTime":
		takeNumber(&h.UnixStartTime, value)
	}
}

func takeText(into *string, value []byte) {
	if *into != "" {
		return
	}
	printable := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(value[:min(len(value), maxHeaderText)]))
	*into = strings.TrimSpace(printable)
}

func takeNumber(into *int64, value []byte) {
	if n, fraction, reason := parseNumber(value); *into == Unknown && reason == "" && !fraction && n >= 0 {
		*into = n
	}
}
