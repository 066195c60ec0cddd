package startup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AppliedFile keeps the applied index in a small file, written at most once in an interval. What
// it says is a floor: a node that was killed had applied up to one interval more, and its hook is
// told of those entries once again.
type AppliedFile struct {
	path  string
	every time.Duration

	mutex   sync.Mutex
	before  uint64
	written uint64
	at      time.Time
	writes  uint64
}

// OpenAppliedFile reads what the run before has left. Zero for `every` means one second.
func OpenAppliedFile(path string, every time.Duration) (*AppliedFile, error) {
	if every <= 0 {
		every = time.Second
	}
	file := &AppliedFile{path: path, every: every}
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file, nil
	case err != nil:
		return nil, fmt.Errorf("the persisted applied index: %w", err)
	}
	file.before, err = strconv.ParseUint(strings.TrimSpace(string(content)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the persisted applied index in %s: %w", path, err)
	}
	file.written = file.before
	return file, nil
}

// Before is what the run before has left.
func (f *AppliedFile) Before() uint64 { return f.before }

// Writes is how often the file was written.
func (f *AppliedFile) Writes() uint64 {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.writes
}

func (f *AppliedFile) write(applied uint64, atOnce bool) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if applied <= f.written || !atOnce && time.Since(f.at) < f.every {
		return nil
	}
	temporary := filepath.Join(filepath.Dir(f.path), "."+filepath.Base(f.path)+".writing")
	if err := writeSynced(temporary, strconv.FormatUint(applied, 10)+"\n"); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	f.written, f.at = applied, time.Now()
	f.writes++
	return nil
}

func writeSynced(path, content string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
