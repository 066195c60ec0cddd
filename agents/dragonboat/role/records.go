package role

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxRecord bounds what is read of one file; a record is a few hundred bytes.
const maxRecord = 1 << 20

// Records are the local files of a host, one a replica, in a folder beside the NodeHost's own.
// A file is complete or absent: it is written beside its place, synced and renamed.
type Records struct {
	dir string
	mu  sync.Mutex
}

// OpenRecords opens the folder and makes it if it is not there.
func OpenRecords(dir string) (*Records, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open records: %w", err)
	}
	return &Records{dir: dir}, nil
}

func (r *Records) path(shard, replica uint64) string {
	return filepath.Join(r.dir, fmt.Sprintf("shard-%d-replica-%d.json", shard, replica))
}

// Read gives the record of a replica, nil if there is none.
func (r *Records) Read(shard, replica uint64) (*Record, error) {
	path := r.path(shard, replica)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if info.Size() > maxRecord {
		return nil, fmt.Errorf("read record: %s is too large", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	var record Record
	if err := json.Unmarshal(data, &record); err != nil {
		return nil, fmt.Errorf("read record %s: %w", path, err)
	}
	return &record, nil
}

// Write replaces the record of a replica.
func (r *Records) Write(record Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(record)
}

func (r *Records) write(record Record) error {
	record.At = time.Now().UTC()
	data, err := json.MarshalIndent(record, "", " ")
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return replaceFile(r.path(record.Shard, record.Replica), append(data, '\n'))
}

// Update changes a record that is there; without one nothing happens. change returns false to leave it.
func (r *Records) Update(shard, replica uint64, change func(*Record) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	record, err := r.Read(shard, replica)
	if err != nil || record == nil {
		return err
	}
	if !change(record) {
		return nil
	}
	return r.write(*record)
}

// Learn keeps a membership if it is newer than the one kept.
func (r *Records) Learn(shard, replica uint64, membership *Membership) error {
	if membership == nil {
		return nil
	}
	return r.Update(shard, replica, func(record *Record) bool {
		if record.Membership != nil && record.Membership.Index >= membership.Index {
			return false
		}
		record.Membership = membership
		record.Removed = record.Removed || membership.HasRemoved(replica)
		return true
	})
}

// All gives every readable record of the host. What cannot be read is left out.
func (r *Records) All() ([]Record, error) {
	paths, err := filepath.Glob(filepath.Join(r.dir, "shard-*-replica-*.json"))
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	records := make([]Record, 0, len(paths))
	for _, path := range paths {
		var shard, replica uint64
		if _, err := fmt.Sscanf(filepath.Base(path), "shard-%d-replica-%d.json", &shard, &replica); err != nil {
			continue
		}
		if record, err := r.Read(shard, replica); err == nil && record != nil {
			records = append(records, *record)
		}
	}
	return records, nil
}

func replaceFile(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
