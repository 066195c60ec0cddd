package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

const (
	// askTimeout is how long another agent may take for a look.
	askTimeout = 600 * time.Millisecond
	// joinTimeout is how long a newcomer's agent may take to start a replica.
	joinTimeout = 4 * time.Second
	// orphaned is how long a replica has to be without a leader before the others are asked about it.
	orphaned = 3 * time.Second
	// mostOrphans are asked about at a time.
	mostOrphans = 100
)

// word is what this host says of a replica it knows of: how it joined, as far as it has a record, and the
// membership of its shard.
type word struct {
	Shard      uint64               `json:"shard"`
	Kinds      map[uint64]role.Kind `json:"kinds,omitempty"`
	Membership *role.Membership     `json:"membership,omitempty"`
}

// told is the answer of one agent to another.
type told struct {
	Cluster string `json:"cluster"`
	Member  string `json:"member"`
	Hosts   []Host `json:"hosts"`
	Words   []word `json:"words"`
}

// joinRequest asks a newcomer's agent to start a replica whose addition was committed.
type joinRequest struct {
	Replica    uint64           `json:"replica"`
	Kind       role.Kind        `json:"kind"`
	Membership *role.Membership `json:"membership"`
	Hosts      []Host           `json:"hosts"`
}

type joinAnswer struct {
	Started bool   `json:"started"`
	Why     string `json:"why,omitempty"`
}

// calls are those that agents of Dragonboat make to each other, beside the protocol.
func (a *Agent) calls() []protocol.Call {
	return []protocol.Call{
		{Method: http.MethodGet, Path: "dragonboat/words", Needs: protocol.MayChange, Serve: a.serveWords},
		{Method: http.MethodPost, Path: "dragonboat/groups/{group}/join", Needs: protocol.MayChange, Serve: a.serveJoin},
		{Method: http.MethodPost, Path: "dragonboat/groups/{group}/stop", Needs: protocol.MayChange, Serve: a.serveStop},
	}
}

// serveWords answers for the shards named (`?shard=1&shard=2`), or for all that this host knows.
func (a *Agent) serveWords(_ context.Context, request *http.Request) (any, *protocol.Refusal) {
	// Who asks says who it is: its agent may have moved. Only who may change is believed.
	query := request.URL.Query()
	if query.Get("cluster") != a.options.Cluster {
		return nil, protocol.Rule("newcomer-other-cluster", "This host belongs to another cluster.")
	}
	a.hosts.introduce(Host{Name: query.Get("name"), RaftAddress: query.Get("raft"), AgentAddress: query.Get("agent")})
	var wanted []uint64
	for _, text := range query["shard"] {
		shard, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, protocol.Malformed("`shard` is a number.")
		}
		wanted = append(wanted, shard)
	}
	return told{Cluster: a.options.Cluster, Member: a.options.Member, Hosts: a.hosts.all(), Words: a.ownWords(wanted)}, nil
}

func (a *Agent) ownWords(wanted []uint64) []word {
	words := map[uint64]*word{}
	take := func(shard uint64) *word {
		if len(wanted) > 0 && !slices.Contains(wanted, shard) {
			return nil
		}
		if words[shard] == nil {
			words[shard] = &word{Shard: shard, Kinds: map[uint64]role.Kind{}}
		}
		return words[shard]
	}
	records, _ := a.records.All()
	for _, record := range records {
		if w := take(record.Shard); w != nil {
			w.Kinds[record.Replica] = record.Kind
			w.newer(record.Membership)
		}
	}
	a.shards.mu.Lock()
	for shard, now := range a.shards.rows {
		if w := take(shard); w != nil {
			w.newer(now.membership)
		}
	}
	a.shards.mu.Unlock()
	answer := make([]word, 0, len(words))
	for _, w := range words {
		answer = append(answer, *w)
	}
	return answer
}

func (w *word) newer(m *role.Membership) {
	if m != nil && (w.Membership == nil || m.Index > w.Membership.Index) {
		w.Membership = m
	}
}

func (a *Agent) serveJoin(ctx context.Context, request *http.Request) (any, *protocol.Refusal) {
	at := a.attached.Load()
	shard, known := a.program.Shard(request.PathValue("group"))
	if at == nil || !known {
		return nil, protocol.UnknownGroup()
	}
	var asked joinRequest
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil || asked.Replica == 0 || !asked.Kind.Valid() {
		return nil, protocol.Malformed("`replica`, `kind` and `membership` are needed.")
	}
	own := at.library.RaftAddress()
	if address, member := asked.Membership.Address(asked.Replica); !member || address != own {
		return nil, protocol.Rule("newcomer-other-id", fmt.Sprintf("Replica %d is not at %s in the membership that was sent.", asked.Replica, own))
	}
	a.hosts.learn(asked.Hosts)
	outcome := at.starter.Join(ctx, role.Key{Shard: shard, Replica: asked.Replica}, asked.Kind, asked.Membership)
	a.look()
	if !outcome.Started() {
		return joinAnswer{Why: outcome.String()}, nil
	}
	return joinAnswer{Started: true}, nil
}

// serveStop ends a replica that was removed while this host was away, and nothing else.
func (a *Agent) serveStop(_ context.Context, request *http.Request) (any, *protocol.Refusal) {
	at := a.attached.Load()
	shard, known := a.program.Shard(request.PathValue("group"))
	now, running := a.row(shard)
	if at == nil || !known || !running {
		return nil, protocol.UnknownGroup()
	}
	if now.removedSays == "" {
		return nil, protocol.Rule("not-removed", "Nobody says that this replica was removed; only those are stopped here.")
	}
	if err := a.program.Stop(shard, now.info.ReplicaID); err != nil {
		return nil, protocol.AgentFault("The replica could not be stopped: " + err.Error())
	}
	at.starter.Stopped(role.Key{Shard: shard, Replica: now.info.ReplicaID}, true)
	a.look()
	return struct {
		Stopped bool `json:"stopped"`
	}{true}, nil
}

// neighbours are the other hosts that have an agent.
func (a *Agent) neighbours() []Host {
	own := a.self()
	return slices.DeleteFunc(a.hosts.all(), func(host Host) bool {
		return host.AgentAddress == "" || host.Name == own.Name || host.RaftAddress == own.RaftAddress
	})
}

// askWords asks all neighbours at once about some shards, or all.
func (a *Agent) askWords(ctx context.Context, shards []uint64) (answers []told, asked int) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	own := a.self()
	query := url.Values{"cluster": {a.options.Cluster}, "name": {own.Name}, "raft": {own.RaftAddress}, "agent": {own.AgentAddress}}
	for _, shard := range shards {
		query.Add("shard", strconv.FormatUint(shard, 10))
	}
	path := "dragonboat/words?" + query.Encode()
	neighbours := a.neighbours()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, host := range neighbours {
		asking.Go(func() {
			defer a.contain("asking " + host.Name)
			var answer told
			if err := a.options.Peer.Call(ctx, http.MethodGet, host.AgentAddress, path, nil, &answer); err != nil ||
				answer.Cluster != a.options.Cluster {
				return // Shards of another cluster have the same numbers.
			}
			mu.Lock()
			defer mu.Unlock()
			answers = append(answers, answer)
		})
	}
	asking.Wait()
	for _, answer := range answers {
		a.hosts.learn(answer.Hosts)
	}
	return answers, len(neighbours)
}

// words are the other hosts' agents, as the role at start asks them.
type words struct{ agent *Agent }

func (w words) Words(ctx context.Context, shards []uint64) (map[role.Key][]role.PeerWord, int) {
	answers, asked := w.agent.askWords(ctx, shards)
	own := w.agent.self().RaftAddress
	found := map[role.Key][]role.PeerWord{}
	for _, answer := range answers {
		for _, said := range answer.Words {
			for _, replica := range said.about(own) {
				key := role.Key{Shard: said.Shard, Replica: replica}
				found[key] = append(found[key], role.PeerWord{Host: answer.Member, Kind: said.Kinds[replica], Membership: said.Membership})
			}
		}
	}
	return found, asked
}

// about names the replicas that an answer says something of: those at the asker's address, those that were
// removed, and the absent ones are nobody's.
func (w *word) about(address string) []uint64 {
	replicas := []uint64{}
	if w.Membership != nil {
		if replica, ok := w.Membership.ReplicaAt(address); ok {
			replicas = append(replicas, replica)
		}
		replicas = append(replicas, w.Membership.Removed...)
	}
	for replica := range w.Kinds {
		if !slices.Contains(replicas, replica) {
			replicas = append(replicas, replica)
		}
	}
	return replicas
}

// lookForOrphans asks the others about replicas here that have had no leader for a while: one that was
// removed while this host was away lists itself as running for ever. It also learns who the hosts are whose
// Raft addresses nobody has named yet.
func (a *Agent) lookForOrphans(ctx context.Context) {
	var orphans []uint64
	replicas := map[uint64]uint64{}
	s := &a.shards
	s.mu.Lock()
	for shard, now := range s.rows {
		if (now.alone() && now.removedSays == "" || a.strangers(now) || now.witness) && len(orphans) < mostOrphans && time.Since(now.askedAt) > orphaned {
			now.askedAt = time.Now()
			orphans = append(orphans, shard)
			replicas[shard] = now.info.ReplicaID
		}
	}
	s.mu.Unlock()
	if len(orphans) == 0 {
		return
	}
	answers, _ := a.askWords(ctx, orphans)
	for _, answer := range answers {
		for _, said := range answer.Words {
			replica, ok := replicas[said.Shard]
			if ok {
				a.tellWitness(said.Shard, said.Membership)
			}
			if ok && said.Membership.HasRemoved(replica) {
				a.wasRemoved(said.Shard, replica, answer.Member, said.Membership)
			}
		}
	}
}

// tellWitness has a witness here know what it is part of: by the word of others, for it reads nothing itself.
func (a *Agent) tellWitness(shard uint64, m *role.Membership) {
	a.shards.mu.Lock()
	defer a.shards.mu.Unlock()
	now := a.shards.rows[shard]
	if now != nil && now.witness && m != nil && (now.membership == nil || m.Index > now.membership.Index) {
		now.membership = m
	}
}

func (a *Agent) strangers(now *row) bool {
	if now.membership == nil {
		return false
	}
	for _, part := range []map[uint64]string{now.membership.Voters, now.membership.NonVotings, now.membership.Witnesses} {
		for _, address := range part {
			if !a.hosts.knows(address) {
				return true
			}
		}
	}
	return false
}

func (a *Agent) wasRemoved(shard, replica uint64, who string, m *role.Membership) {
	s := &a.shards
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.rows[shard]
	if now == nil || now.info.ReplicaID != replica || !now.alone() && !now.witness || m.Index <= now.info.ConfigChangeIndex {
		return
	}
	now.removedSays = fmt.Sprintf("%s (configuration %d)", who, m.Index)
	// Known for the next start, whoever answers then.
	_ = a.records.Learn(shard, replica, m)
}
