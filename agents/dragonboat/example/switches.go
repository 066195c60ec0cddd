package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"

	"quorate.dev/agent/dragonboat/role"
)

// switches stage faults and tell the truth: they go to Dragonboat itself, past the agent and its rules. They
// are for tests, have no password, and are served with --switches on loopback only.
func switches(h *host) http.Handler {
	mux := http.NewServeMux()
	handle := func(name string, do func(ctx context.Context, q query) (any, error)) {
		mux.HandleFunc("/switches/"+name, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			value, err := do(ctx, query{r})
			if err != nil {
				http.Error(w, err.Error(), http.StatusConflict)
				return
			}
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	handle("truth", func(ctx context.Context, q query) (any, error) { return h.truth(ctx, q.number("shard")) })
	handle("write", h.write)
	handle("latency", h.latency)
	handle("partition", func(_ context.Context, q query) (any, error) {
		if !partition(h.nodeHost, q.number("cut") == 1) {
			return nil, fmt.Errorf("this build cannot be partitioned")
		}
		return "ok", nil
	})
	handle("add", func(ctx context.Context, q query) (any, error) {
		return "ok", h.nodeHost.SyncRequestAddReplica(ctx, q.number("shard"), q.number("replica"), q.text("target"), q.number("ccid"))
	})
	handle("add-non-voting", func(ctx context.Context, q query) (any, error) {
		return "ok", h.nodeHost.SyncRequestAddNonVoting(ctx, q.number("shard"), q.number("replica"), q.text("target"), q.number("ccid"))
	})
	handle("add-witness", func(ctx context.Context, q query) (any, error) {
		return "ok", h.nodeHost.SyncRequestAddWitness(ctx, q.number("shard"), q.number("replica"), q.text("target"), q.number("ccid"))
	})
	handle("start-witness", func(_ context.Context, q query) (any, error) {
		settings := h.shardConfig(q.number("shard"), q.number("replica"))
		settings.IsWitness, settings.SnapshotEntries = true, 0
		return "ok", h.nodeHost.StartReplica(nil, q.number("join") == 1, h.counters.create, settings)
	})
	handle("remove", func(ctx context.Context, q query) (any, error) {
		return "ok", h.nodeHost.SyncRequestDeleteReplica(ctx, q.number("shard"), q.number("replica"), q.number("ccid"))
	})
	handle("transfer", func(_ context.Context, q query) (any, error) {
		return "ok", h.nodeHost.RequestLeaderTransfer(q.number("shard"), q.number("replica"))
	})
	handle("snapshot", func(ctx context.Context, q query) (any, error) {
		return h.nodeHost.SyncRequestSnapshot(ctx, q.number("shard"), dragonboat.SnapshotOption{OverrideCompactionOverhead: true, CompactionOverhead: 1})
	})
	handle("start", func(_ context.Context, q query) (any, error) {
		return "ok", h.Launch(role.Launch{Shard: q.number("shard"), Replica: q.number("replica"), Join: q.number("join") == 1,
			NonVoting: q.number("flag") == 1})
	})
	handle("stop", func(_ context.Context, q query) (any, error) {
		return "ok", h.nodeHost.StopReplica(q.number("shard"), q.number("replica"))
	})
	return mux
}

type query struct{ *http.Request }

func (q query) text(name string) string { return q.URL.Query().Get(name) }

func (q query) number(name string) uint64 {
	number, _ := strconv.ParseUint(q.text(name), 10, 64)
	return number
}

// truth is what Dragonboat itself says of a group.
type truth struct {
	Info        *dragonboat.ShardInfo
	Leader      uint64
	Term        uint64
	Valid       bool
	First, Last uint64
	Membership  *dragonboat.Membership
	// Readable tells why a linearizable read fails; empty if it goes through.
	Readable string
	OnDisk   []uint64
	Count    uint64
}

func (h *host) truth(ctx context.Context, shard uint64) (*truth, error) {
	info := h.nodeHost.GetNodeHostInfo(dragonboat.DefaultNodeHostInfoOption)
	t := &truth{}
	for _, found := range info.ShardInfoList {
		if found.ShardID == shard {
			t.Info = &found
		}
	}
	for _, found := range info.LogInfo {
		if found.ShardID == shard {
			t.OnDisk = append(t.OnDisk, found.ReplicaID)
		}
	}
	if t.Info == nil {
		return t, nil
	}
	t.Leader, t.Term, t.Valid, _ = h.nodeHost.GetLeaderID(shard)
	if reader, err := h.nodeHost.GetLogReader(shard); err == nil {
		t.First, t.Last = reader.GetRange()
	}
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	var err error
	if t.Membership, err = h.nodeHost.SyncGetShardMembership(ctx, shard); err != nil {
		t.Readable = err.Error()
	}
	if count, err := h.nodeHost.StaleRead(shard, nil); err == nil {
		t.Count, _ = count.(uint64)
	}
	return t, nil
}

// write proposes `n` entries to a group.
func (h *host) write(ctx context.Context, q query) (any, error) {
	session := h.nodeHost.GetNoOPSession(q.number("shard"))
	for n := uint64(0); n < max(q.number("n"), 1); n++ {
		if _, err := h.nodeHost.SyncPropose(ctx, session, []byte("an entry")); err != nil {
			return nil, err
		}
	}
	return "ok", nil
}

// latency proposes `n` entries to a group, one after the other, and tells how long they took, in µs. It ends within
// the half minute: with an error, if it was not done by then.
func (h *host) latency(_ context.Context, q query) (any, error) {
	// Longer than other switches may take: on a busy machine a round is.
	all, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	session, took := h.nodeHost.GetNoOPSession(q.number("shard")), []int64{}
	for uint64(len(took)) < max(q.number("n"), 1) {
		spent, err := h.timed(all, session)
		if err != nil && all.Err() != nil {
			return nil, fmt.Errorf("%d proposals in time: %w", len(took), err)
		}
		if err != nil {
			// An election on a busy machine is none of what is measured.
			time.Sleep(50 * time.Millisecond)
			continue
		}
		took = append(took, spent.Microseconds())
	}
	return took, nil
}

// timed is one proposal. Dragonboat does not tell of one that was lost in an election: it is waited for until its
// own deadline, so that must be short.
func (h *host) timed(all context.Context, session *client.Session) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(all, 3*time.Second)
	defer cancel()
	began := time.Now()
	_, err := h.nodeHost.SyncPropose(ctx, session, []byte("an entry"))
	return time.Since(began), err
}
