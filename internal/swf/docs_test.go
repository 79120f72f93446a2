package swf

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestReasons_AreTheOnesDocumented compares the names in the source with the
// table in the replay's page, both ways.
func TestReasons_AreTheOnesDocumented(t *testing.T) {
	t.Parallel()
	find := func(path, pattern string) map[string]bool {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			found[string(match[1])] = true
		}
		return found
	}
	source := find("line.go", `(?m)^\tReason\w+ += "(\w+)"`)
	page := find(filepath.Join("..", "..", "docs", "replay.md"), "(?m)^\\| `(\\w+)` \\| (?:is|has|asks|repeats|comes|lies)[^|]* \\|$")
	if !maps.Equal(source, page) || len(source) < 10 {
		t.Errorf("the source has %v, docs/replay.md has %v", slices.Sorted(maps.Keys(source)), slices.Sorted(maps.Keys(page)))
	}
}
