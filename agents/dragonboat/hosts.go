package agent

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// mostHosts bounds the directory.
const mostHosts = 1024

// Host is a NodeHost of the cluster. A host has at most one replica of a shard, so hosts are the members
// that operators see; the replica ids of each shard are beside them.
type Host struct {
	// Name of the host: the member's id in the protocol.
	Name string `json:"name"`
	// RaftAddress as the memberships hold it.
	RaftAddress string `json:"raft_address"`
	// AgentAddress is the origin of its agent, `https://10.0.0.4:7000`.
	AgentAddress string `json:"agent_address"`
}

// directory knows the hosts by their Raft address. Memberships hold nothing else.
type directory struct {
	mu     sync.Mutex
	byRaft map[string]Host
	file   string
}

// newDirectory begins with what was learned before and what is configured; the latter wins.
func newDirectory(dir string, configured []Host) *directory {
	d := &directory{byRaft: map[string]Host{}, file: filepath.Join(dir, "hosts.json")}
	var before []Host
	if data, err := os.ReadFile(d.file); err == nil && json.Unmarshal(data, &before) == nil {
		d.learn(before)
	}
	for _, host := range configured {
		if host.Name != "" && host.RaftAddress != "" {
			d.byRaft[host.RaftAddress] = host
		}
	}
	return d
}

// learn takes in hosts that are not known yet. What is known is not overwritten by hearsay.
func (d *directory) learn(hosts []Host) {
	d.mu.Lock()
	defer d.mu.Unlock()
	news := false
	for _, host := range hosts {
		_, known := d.byRaft[host.RaftAddress]
		if known || host.Name == "" || host.RaftAddress == "" || len(d.byRaft) >= mostHosts || d.taken(host.Name) {
			continue
		}
		d.byRaft[host.RaftAddress], news = host, true
	}
	if news {
		d.save()
	}
}

// introduce takes in what a host says of itself: its agent may answer elsewhere since it was started again.
func (d *directory) introduce(host Host) {
	d.mu.Lock()
	known, ok := d.byRaft[host.RaftAddress]
	moved := ok && known.Name == host.Name && host.AgentAddress != "" && known.AgentAddress != host.AgentAddress
	if moved {
		d.byRaft[host.RaftAddress] = host
		d.save()
	}
	d.mu.Unlock()
	if !ok {
		d.learn([]Host{host})
	}
}

func (d *directory) taken(name string) bool {
	for _, host := range d.byRaft {
		if host.Name == name {
			return true
		}
	}
	return false
}

// save is best effort: what is lost is learned again.
func (d *directory) save() {
	if data, err := json.MarshalIndent(d.sorted(), "", " "); err == nil {
		_ = os.WriteFile(d.file, data, 0o600)
	}
}

func (d *directory) sorted() []Host {
	hosts := make([]Host, 0, len(d.byRaft))
	for _, host := range d.byRaft {
		hosts = append(hosts, host)
	}
	slices.SortFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	return hosts
}

func (d *directory) all() []Host {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sorted()
}

// at gives the host at a Raft address. One that nobody has named is called by its address.
func (d *directory) at(raftAddress string) Host {
	d.mu.Lock()
	defer d.mu.Unlock()
	if host, ok := d.byRaft[raftAddress]; ok {
		return host
	}
	return Host{Name: raftAddress, RaftAddress: raftAddress}
}

func (d *directory) knows(raftAddress string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.byRaft[raftAddress]
	return ok
}
