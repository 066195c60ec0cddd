// Package standin is a stand-in for Consul's key/value store, for tests and for the example. It is not
// Consul: it keeps pairs in memory and answers those calls of the documented API that the registry makes
// (GET with recurse, PUT with cas, DELETE), with X-Consul-Token. The registry's tests run against it, and
// in the slow rounds the same tests run against a real Consul.
package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

type pair struct {
	LockIndex   uint64
	Key         string
	Flags       uint64
	Value       []byte
	CreateIndex uint64
	ModifyIndex uint64
}

// Store answers below /v1/kv/. Its zero value needs no token.
type Store struct {
	// Token is asked for if it is not empty.
	Token string
	mu    sync.Mutex
	index uint64
	pairs map[string]pair
}

// Put writes a value whatever is there, as an operator would by hand.
func (s *Store) Put(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(key, value)
}

// Get reads a value.
func (s *Store) Get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.pairs[key]
	return found.Value, ok
}

// Clear loses everything.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pairs = nil
}

func (s *Store) put(key string, value []byte) {
	if s.pairs == nil {
		s.pairs = map[string]pair{}
	}
	s.index++
	old, ok := s.pairs[key]
	if !ok {
		old.CreateIndex = s.index
	}
	s.pairs[key] = pair{Key: key, Value: value, CreateIndex: old.CreateIndex, ModifyIndex: s.index}
}

func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := strings.CutPrefix(r.URL.Path, "/v1/kv/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if s.Token != "" && r.Header.Get("X-Consul-Token") != s.Token {
		http.Error(w, "Permission denied", http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		s.get(w, r, key)
	case http.MethodPut:
		s.set(w, r, key)
	case http.MethodDelete:
		delete(s.pairs, key)
		_, _ = io.WriteString(w, "true")
	default:
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (s *Store) get(w http.ResponseWriter, r *http.Request, key string) {
	var found []pair
	for name, pair := range s.pairs {
		if name == key || (r.URL.Query().Has("recurse") && strings.HasPrefix(name, key)) {
			found = append(found, pair)
		}
	}
	w.Header().Set("X-Consul-Index", strconv.FormatUint(max(s.index, 1), 10))
	if len(found) == 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	slices.SortFunc(found, func(a, b pair) int { return strings.Compare(a.Key, b.Key) })
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(found)
}

func (s *Store) set(w http.ResponseWriter, r *http.Request, key string) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 512<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if wanted := r.URL.Query().Get("cas"); wanted != "" {
		index, err := strconv.ParseUint(wanted, 10, 64)
		if err != nil {
			http.Error(w, "Invalid check-and-set index", http.StatusBadRequest)
			return
		}
		if s.pairs[key].ModifyIndex != index {
			_, _ = io.WriteString(w, "false")
			return
		}
	}
	s.put(key, value)
	_, _ = io.WriteString(w, "true")
}
