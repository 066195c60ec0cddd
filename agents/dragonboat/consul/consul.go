// Package consul keeps the registry of replicas in Consul's key/value store, by its HTTP API.
//
// One key a replica, `PREFIX/DEPLOYMENT/SHARD/REPLICA`, holding a small JSON document. Everything is written
// with check-and-set. Nothing here uses sessions, locks, time-outs or health checks: a membership must never
// change because somebody was silent.
package consul

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"quorate.dev/agent/dragonboat/role"
)

// maxAnswer bounds what is read of one answer: 100,000 replicas of 300 bytes.
const maxAnswer = 32 << 20

// Options say where the registry is.
type Options struct {
	// Address is the origin of Consul's HTTP API, `https://127.0.0.1:8501`.
	Address string
	// Token goes into the header X-Consul-Token; empty sends none.
	Token string
	// Prefix of all keys; `quorate/dragonboat` if empty.
	Prefix string
	// Deployment keeps clusters apart.
	Deployment string
	// Client carries the calls; a client with a time limit of 3 s if nil.
	Client *http.Client
}

// Registry is a role.Registry in Consul.
type Registry struct {
	options Options
	base    *url.URL
}

var _ role.Registry = (*Registry)(nil)

// New checks the options. It calls nobody.
func New(options Options) (*Registry, error) {
	base, err := url.Parse(options.Address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("consul: %q is no address", options.Address)
	}
	if options.Deployment == "" || strings.Contains(options.Deployment, "/") {
		return nil, fmt.Errorf("consul: the deployment %q cannot be part of a key", options.Deployment)
	}
	if options.Prefix == "" {
		options.Prefix = "quorate/dragonboat"
	}
	options.Prefix = strings.Trim(options.Prefix, "/")
	if options.Client == nil {
		options.Client = &http.Client{
			Timeout:       3 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Registry{options: options, base: base}, nil
}

func (r *Registry) root() string { return r.options.Prefix + "/" + r.options.Deployment + "/" }

type pair struct {
	Key         string
	Value       []byte
	ModifyIndex uint64
}

// Entries reads all keys of the deployment in one call.
func (r *Registry) Entries(ctx context.Context) (map[role.Key]role.Entry, map[role.Key]string, error) {
	status, body, err := r.call(ctx, http.MethodGet, r.root(), url.Values{"recurse": {"true"}, "consistent": {"true"}}, nil)
	if err != nil {
		return nil, nil, err
	}
	entries, faults := map[role.Key]role.Entry{}, map[role.Key]string{}
	if status == http.StatusNotFound {
		return entries, faults, nil // No key below the prefix.
	}
	if status != http.StatusOK {
		return nil, nil, refused("read", status, body)
	}
	var pairs []pair
	if err := json.Unmarshal(body, &pairs); err != nil {
		return nil, nil, fmt.Errorf("consul: the answer cannot be read: %w", err)
	}
	for _, pair := range pairs {
		key, ok := r.parse(pair.Key)
		if !ok {
			continue
		}
		var entry role.Entry
		switch err := json.Unmarshal(pair.Value, &entry); {
		case err != nil:
			faults[key] = fmt.Sprintf("%s holds no JSON document of ours: %v", pair.Key, err)
		case !entry.Known():
			faults[key] = fmt.Sprintf("%s holds kind %q and state %q", pair.Key, entry.Kind, entry.State)
		default:
			entry.Version = pair.ModifyIndex
			entries[key] = entry
		}
	}
	return entries, faults, nil
}

func (r *Registry) parse(key string) (role.Key, bool) {
	rest, ok := strings.CutPrefix(key, r.root())
	if !ok {
		return role.Key{}, false
	}
	shard, replica, ok := strings.Cut(rest, "/")
	if !ok {
		return role.Key{}, false
	}
	s, err1 := strconv.ParseUint(shard, 10, 64)
	n, err2 := strconv.ParseUint(replica, 10, 64)
	return role.Key{Shard: s, Replica: n}, err1 == nil && err2 == nil
}

// Write puts one entry with check-and-set.
func (r *Registry) Write(ctx context.Context, key role.Key, entry role.Entry) error {
	value, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("consul: %w", err)
	}
	path := fmt.Sprintf("%s%d/%d", r.root(), key.Shard, key.Replica)
	query := url.Values{"cas": {strconv.FormatUint(entry.Version, 10)}}
	status, body, err := r.call(ctx, http.MethodPut, path, query, value)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refused("write", status, body)
	}
	switch strings.TrimSpace(string(body)) {
	case "true":
		return nil
	case "false":
		return role.ErrMoved
	}
	return errors.New("consul: the answer to a write is neither true nor false")
}

func (r *Registry) call(ctx context.Context, method, key string, query url.Values, body []byte) (int, []byte, error) {
	target := r.base.JoinPath("v1", "kv")
	target.Path += "/" + key
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("consul: %w", err)
	}
	if r.options.Token != "" {
		request.Header.Set("X-Consul-Token", r.options.Token)
	}
	response, err := r.options.Client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("consul: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("consul: %w", err)
	}
	if len(answer) > maxAnswer {
		return 0, nil, errors.New("consul: the answer is too large")
	}
	return response.StatusCode, answer, nil
}

// refused names the cause. Consul's errors are plain text.
func refused(what string, status int, body []byte) error {
	text := strings.TrimSpace(string(body[:min(len(body), 200)]))
	if status == http.StatusForbidden {
		return fmt.Errorf("consul: the token may not %s (403): %s", what, text)
	}
	return fmt.Errorf("consul: %s answers %d: %s", what, status, text)
}
