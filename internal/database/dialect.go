package database

import (
	"io"
	"io/fs"
	"regexp"
)

// The migrations are written once, in the common subset. Two things that only
// mean speed are said differently on SQLite: a table is stored by its primary
// key instead of beside it, which halves the work of an insert. For a single
// number that is called INTEGER PRIMARY KEY there, for several columns WITHOUT
// ROWID.
var sqliteForms = []struct {
	common *regexp.Regexp
	sqlite string
}{
	{regexp.MustCompile(`BIGINT( +NOT NULL)? +PRIMARY KEY`), "INTEGER$1 PRIMARY KEY"},
	{regexp.MustCompile(`(PRIMARY KEY \([^()]*\)\s*)\);`), "$1) WITHOUT ROWID;"},
}

func sqliteForm(text []byte) []byte {
	for _, f := range sqliteForms {
		text = f.common.ReplaceAll(text, []byte(f.sqlite))
	}
	return text
}

// sqliteFiles are migration files in SQLite's form.
type sqliteFiles struct{ fs.FS }

// ReadFile reads one file; goose reads migrations whole.
func (f sqliteFiles) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(f.FS, name)
	return sqliteForm(text), err
}

// Open serves those who read a file piece by piece.
func (f sqliteFiles) Open(name string) (fs.File, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return file, err
	}
	text, err := f.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &textFile{File: file, text: text}, nil
}

// textFile is a file with another text.
type textFile struct {
	fs.File
	text []byte
}

// Read yields the text.
func (f *textFile) Read(into []byte) (int, error) {
	if len(f.text) == 0 {
		return 0, io.EOF
	}
	n := copy(into, f.text)
	f.text = f.text[n:]
	return n, nil
}
