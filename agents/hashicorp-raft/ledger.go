package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ledger keeps the ids of former members in a small file: the log forgets them with its next
// snapshot, and a voter that comes back empty under its old id may vote twice in a term.
type ledger struct {
	path    string
	written []string
}

const ledgerName = "former-members.json"

func openLedger(directory string, seen *machine) (*ledger, error) {
	if directory == "" || seen == nil {
		return &ledger{}, nil
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("the agent's directory: %w", err)
	}
	kept := &ledger{path: filepath.Join(directory, ledgerName)}
	content, err := os.ReadFile(kept.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kept, nil
	case err != nil:
		return nil, fmt.Errorf("ids of former members: %w", err)
	}
	if err := json.Unmarshal(content, &kept.written); err != nil {
		return nil, fmt.Errorf("ids of former members in %s: %w", kept.path, err)
	}
	seen.remember(kept.written)
	return kept, nil
}

// keep writes the ids if they are others than before. A failure is tried again at the next look.
func (l *ledger) keep(burned []string) {
	if l.path == "" || slices.Equal(burned, l.written) {
		return
	}
	content, err := json.Marshal(burned)
	if err != nil {
		return
	}
	if writeWhole(l.path, content) == nil {
		l.written = slices.Clone(burned)
	}
}

// writeWhole replaces a file by one that is whole, or leaves it as it was.
func writeWhole(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
