package corehour_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/corehour/corehour"

// The folders of docs/architecture.md. The root package is ".".
const (
	root      = "."
	orderbook = "orderbook"
	exchange  = "exchange"
	providers = "providers"
	metering  = "metering"
	billing   = "billing"
	api       = "api"
	cmd       = "cmd"
	internal  = "internal"
)

// arrows is what each folder may import of this module, besides itself. A folder
// that is not here has no place in the architecture yet. cmd is in nobody's list.
var arrows = map[string][]string{
	root:      {},
	orderbook: {root},
	exchange:  {root, orderbook, internal},
	providers: {root, internal},
	metering:  {root, internal},
	billing:   {root, internal},
	api:       {root, orderbook, exchange, providers, metering, billing, internal},
	internal:  {root},
	cmd:       {root, orderbook, exchange, providers, metering, billing, api, internal},
}

// pure folders import nothing but the standard library and what arrows allows.
var pure = []string{root, orderbook}

// exact folders hold money and quantities: no floating-point number in them.
var exact = []string{root, orderbook, exchange}

// testOnly packages are for tests.
var testOnly = []string{module + "/internal/testenv"}

func TestArchitecture_HoldsInEveryFile(t *testing.T) {
	files := goFiles(t)
	if len(files) < 20 {
		t.Fatalf("only %d files were found", len(files))
	}
	for _, file := range files {
		for _, complaint := range checkFile(file, nil) {
			t.Error(complaint)
		}
	}
}

// goFiles is every Go file of the module, generated and test files included.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") {
			files = append(files, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkFile returns what is against the rules in one file; source is for tests of
// the checker, nil reads the file.
func checkFile(file string, source any) []string {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	folder := folderOf(file)
	test := strings.HasSuffix(file, "_test.go")
	var complaints []string
	complain := func(at token.Pos, format string, args ...any) {
		complaints = append(complaints, fmt.Sprintf("%s: %s", set.Position(at), fmt.Sprintf(format, args...)))
	}
	for _, spec := range parsed.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			complain(spec.Pos(), "%v", err)
			continue
		}
		if why := checkImport(folder, path, test); why != "" {
			complain(spec.Pos(), "%s", why)
		}
	}
	if test {
		return complaints
	}
	for _, declaration := range parsed.Decls {
		if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			complain(f.Pos(), "init function: pass what is needed to a constructor")
		}
	}
	if slices.Contains(exact, folder) {
		ast.Inspect(parsed, func(n ast.Node) bool {
			if name := floating(n); name != "" {
				complain(n.Pos(), "%s: no float touches money, quantity or matching", name)
			}
			return true
		})
	}
	return complaints
}

// folderOf is the first folder of a file's path, or the root.
func folderOf(file string) string {
	folder, _, below := strings.Cut(file, "/")
	if !below {
		return root
	}
	return folder
}

func checkImport(folder, path string, test bool) string {
	own, known := arrows[folder]
	if !known {
		return "folder " + folder + " has no place in the architecture: add it to arrows"
	}
	if path != module && !strings.HasPrefix(path, module+"/") {
		first, _, _ := strings.Cut(path, "/")
		if !test && slices.Contains(pure, folder) && strings.Contains(first, ".") {
			return folder + " imports " + path + ", but only the standard library is allowed there"
		}
		return ""
	}
	if !test && slices.Contains(testOnly, path) {
		return folder + " imports " + path + ", which is for tests"
	}
	target := root
	if path != module {
		target = folderOf(strings.TrimPrefix(path, module+"/") + "/")
	}
	switch {
	case target == folder && folder != cmd, slices.Contains(own, target):
		return ""
	case test && target == internal:
		return "" // databases and data for tests
	}
	return folder + " must not import " + path
}

// floating names what in a node is a floating-point number.
func floating(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Ident:
		switch n.Name {
		case "float32", "float64", "complex64", "complex128", "ParseFloat", "FormatFloat", "AppendFloat":
			return n.Name
		}
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			return n.Value
		}
	}
	return ""
}

// The checker itself: each made-up file breaks one rule.
func TestArchitecture_CheckerCatchesViolations(t *testing.T) {
	for _, c := range []struct {
		file, source string
		want         string // part of the one complaint; empty is none
	}{
		{"money.go", `package p; import "math/bits"`, ""},
		{"money.go", `package p; import "github.com/shopspring/decimal"`, "only the standard library"},
		{"money.go", `package p; import "github.com/corehour/corehour/internal/bus"`, "must not import"},
		{"money_test.go", `package p; import "github.com/corehour/corehour/internal/testenv"`, ""},
		{"money_test.go", `package p; import "github.com/corehour/corehour/billing"`, "must not import"},
		{"orderbook/book.go", `package p; import "github.com/corehour/corehour"`, ""},
		{"orderbook/book.go", `package p; import "github.com/corehour/corehour/exchange"`, "must not import"},
		{"orderbook/book.go", `package p; import "github.com/fxamacker/cbor/v2"`, "only the standard library"},
		{"orderbook/book_test.go", `package p; import "pgregory.net/rapid"`, ""},
		{"exchange/log.go", `package p; import "github.com/nats-io/nats.go"`, ""},
		{"exchange/log.go", `package p; import "github.com/corehour/corehour/orderbook"`, ""},
		{"exchange/log.go", `package p; import "github.com/corehour/corehour/metering"`, "must not import"},
		{"billing/a.go", `package p; import "github.com/corehour/corehour/metering"`, "must not import"},
		{"billing/a.go", `package p; import "github.com/corehour/corehour/exchange"`, "must not import"},
		{"billing/a_test.go", `package p; import "github.com/corehour/corehour/exchange"`, "must not import"},
		{"billing/a.go", `package p; import "github.com/corehour/corehour/billing/export"`, ""},
		{"metering/a.go", `package p; import "github.com/corehour/corehour/providers"`, "must not import"},
		{"providers/a.go", `package p; import "github.com/corehour/corehour/api"`, "must not import"},
		{"api/a.go", `package p; import "github.com/corehour/corehour/billing"`, ""},
		{"api/a.go", `package p; import "github.com/corehour/corehour/cmd/corehour"`, "must not import"},
		{"cmd/corehour/a.go", `package p; import "github.com/corehour/corehour/cmd/corehour-agent"`, "must not import"},
		{"cmd/corehour/a.go", `package p; import "github.com/corehour/corehour/api"`, ""},
		{"cmd/corehour/a.go", `package p; import "github.com/corehour/corehour/internal/testenv"`, "for tests"},
		{"internal/bus/a.go", `package p; import "github.com/corehour/corehour/internal/database"`, ""},
		{"internal/bus/a.go", `package p; import "github.com/corehour/corehour/billing"`, "must not import"},
		{"util/a.go", `package p; import "fmt"`, "no place in the architecture"},
		{"billing/a.go", `package p; func init() {}`, "init function"},
		{"billing/a.go", `package p; type t int; func (t) init() {}`, ""},
		{"orderbook/a.go", `package p; func f(x float64) {}`, "float64"},
		{"exchange/a.go", `package p; const half = 0.5`, "0.5"},
		{"money.go", `package p; import "strconv"; var f = strconv.ParseFloat`, "ParseFloat"},
		{"billing/a.go", `package p; func f(x float64) {}`, ""},
		{"exchange/a_test.go", `package p; func f(x float64) {}`, ""},
		{"exchange/a.go", `package p; func {`, "expected"},
	} {
		complaints := checkFile(c.file, c.source)
		switch {
		case c.want == "" && len(complaints) > 0:
			t.Errorf("%s: %s: %v", c.file, c.source, complaints)
		case c.want != "" && (len(complaints) == 0 || !strings.Contains(complaints[0], c.want)):
			t.Errorf("%s: %s: %v, want %q", c.file, c.source, complaints, c.want)
		}
	}
}

// Registries and paths of one machine have no business in the repository.
func TestRepository_GoModHasNoReplacement(t *testing.T) {
	file, err := os.Open("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "replace") {
			t.Errorf("go.mod: %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
