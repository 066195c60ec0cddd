// Package manual holds what the agents' manuals show to what is compiled.
package manual

import (
	"os"
	"strings"
	"testing"
)

// IsCompiled fails where a manual shows a line of Go that the example does not have. What a manual shows are
// the blocks of a page (```go), and the indented lines of a package's comment.
func IsCompiled(t *testing.T, example string, manuals ...string) {
	t.Helper()
	compiled := lines(t, example, func(string) bool { return true })
	for _, manual := range manuals {
		shown := shown(t, manual)
		if len(shown) < 5 {
			t.Errorf("%s shows nothing", manual)
		}
		for _, line := range shown {
			if !strings.Contains(strings.Join(compiled, "\n")+"\n", line+"\n") {
				t.Errorf("%s shows what is not compiled: %s", manual, line)
			}
		}
	}
}

// shown are the lines of Go in a manual.
func shown(t *testing.T, manual string) []string {
	t.Helper()
	inside := false
	return lines(t, manual, func(line string) bool {
		if strings.HasPrefix(line, "```") {
			inside = line == "```go"
			return false
		}
		return inside || strings.HasPrefix(line, "//\t")
	})
}

// lines are those of a file that are wanted, without comments and with single spaces.
func lines(t *testing.T, file string, wanted func(string) bool) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if !wanted(line) {
			continue
		}
		line, _, _ = strings.Cut(strings.TrimPrefix(line, "//\t"), "// ")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			found = append(found, line)
		}
	}
	return found
}
