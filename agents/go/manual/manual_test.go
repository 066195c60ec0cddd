package manual

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyWhatIsShownIsRead(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "said\n```go\na  :=  1 // why\n```\n```console\nrun\n```\n"
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := shown(t, page); len(found) != 1 || found[0] != "a := 1" {
		t.Fatal(found)
	}
}
