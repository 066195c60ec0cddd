package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	pb "github.com/Jille/raftadmin/proto"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// recording writes what real nodes answer to files, one a call, and a table of them.
type recording struct {
	to    string
	nodes map[string]*node
	table []string
}

// recorded is one answer.
type recorded struct {
	Call    string          `json:"call"`
	At      string          `json:"at"`
	Asked   json.RawMessage `json:"asked"`
	Status  uint32          `json:"grpc_status"`
	Text    string          `json:"grpc_message,omitempty"`
	Fields  json.RawMessage `json:"fields,omitempty"`
	Message string          `json:"message_hex"`
}

// record forms a cluster of a, b, c and the learner d, and writes down what they answer.
func record(to string) error {
	dir, err := os.MkdirTemp("", "raftadmin")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	r := &recording{to: to, nodes: map[string]*node{}}
	defer func() {
		for _, node := range r.nodes {
			_ = node.close()
		}
	}()
	for _, id := range []string{"a", "b", "c", "d"} {
		r.nodes[id], err = start(options{
			id: id, dir: filepath.Join(dir, id), listen: "127.0.0.1:0", control: "127.0.0.1:0",
			bootstrap: id == "a", timeout: time.Second, log: io.Discard,
		})
		if err != nil {
			return err
		}
	}
	if err := r.all(); err != nil {
		return err
	}
	return r.finish()
}

func (r *recording) all() error {
	a := r.nodes["a"].raft
	if err := until("a leads", func() bool { return a.State() == raft.Leader }); err != nil {
		return err
	}
	fresh := r.call("outside", "a node of no cluster", "d", "GetConfiguration", &pb.GetConfigurationRequest{})
	if fresh != nil {
		return fresh
	}
	if err := r.call("stats-outside", "a node of no cluster", "d", "Stats", &pb.StatsRequest{}); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return r.add("b", "add-learner", "a newcomer that runs") },
		func() error { return r.promote("b", "promote", "a learner that is level") },
		func() error { return r.add("c", "", "") },
		func() error { return r.promote("c", "", "") },
		func() error { return r.add("d", "", "") },
		r.healthy,
		r.refusals,
		r.snapshots,
		r.withoutQuorum,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *recording) address(id string) string { return r.nodes[id].raftAddress }

func (r *recording) add(id, name, what string) error {
	asked := &pb.AddNonvoterRequest{Id: id, Address: r.address(id)}
	return r.operate(name, what, "a", "AddNonvoter", asked)
}

func (r *recording) promote(id, name, what string) error {
	level := func() bool { return r.nodes[id].raft.LastIndex() == r.nodes["a"].raft.LastIndex() }
	if err := until(id+" is level", level); err != nil {
		return err
	}
	return r.operate(name, what, "a", "AddVoter", &pb.AddVoterRequest{Id: id, Address: r.address(id)})
}

// healthy is every member's own word, once all have applied all.
func (r *recording) healthy() error {
	if err := r.nodes["a"].raft.Apply([]byte("a value"), time.Second).Error(); err != nil {
		return err
	}
	last := r.nodes["a"].raft.LastIndex()
	settled := func() bool {
		for _, node := range r.nodes {
			stats := node.raft.Stats()
			if node.raft.AppliedIndex() != last || stats["fsm_pending"] != "0" || string(node.raft.Leader()) == "" {
				return false
			}
		}
		return true
	}
	if err := until("all have applied all", settled); err != nil {
		return err
	}
	what := "3 voters and the learner d, a leads"
	for _, id := range []string{"a", "b", "c", "d"} {
		for _, call := range []struct {
			name, method string
			asked        proto.Message
		}{
			{"stats-", "Stats", &pb.StatsRequest{}},
			{"leader-", "Leader", &pb.LeaderRequest{}},
			{"configuration-", "GetConfiguration", &pb.GetConfigurationRequest{}},
		} {
			if err := r.call(call.name+id, what, id, call.method, call.asked); err != nil {
				return err
			}
		}
	}
	return nil
}

// refusals change nothing.
func (r *recording) refusals() error {
	for _, call := range []struct {
		name, what, at, method string
		asked                  proto.Message
	}{
		{"wrong-index", "an index that no configuration has", "a", "DemoteVoter", &pb.DemoteVoterRequest{PreviousIndex: math.MaxUint64}},
		{"not-leader", "a change asked at a follower", "b", "RemoveServer", &pb.RemoveServerRequest{Id: "c"}},
		{"address-taken", "the address of a member", "a", "AddNonvoter", &pb.AddNonvoterRequest{Id: "e", Address: r.address("b")}},
		{"transfer-unknown", "transfer to an id nobody has", "a", "LeadershipTransferToServer", &pb.LeadershipTransferToServerRequest{Id: "e", Address: r.address("b")}},
		{"transfer-itself", "transfer to the leader", "a", "LeadershipTransferToServer", &pb.LeadershipTransferToServerRequest{Id: "a", Address: r.address("a")}},
		{"remove-unknown", "remove of an id nobody has: done", "a", "RemoveServer", &pb.RemoveServerRequest{Id: "e"}},
	} {
		if err := r.operate(call.name, call.what, call.at, call.method, call.asked); err != nil {
			return err
		}
	}
	return r.call("await-unknown", "a token that was forgotten", "a", "Await", &pb.Future{OperationToken: "0123"})
}

func (r *recording) snapshots() error {
	if err := r.operate("snapshot-not-now", "the newest entry is one of the configuration", "a", "Snapshot", &pb.SnapshotRequest{}); err != nil {
		return err
	}
	if err := r.operate("barrier", "a barrier", "a", "Barrier", &pb.BarrierRequest{}); err != nil {
		return err
	}
	if err := r.operate("snapshot", "after a barrier", "a", "Snapshot", &pb.SnapshotRequest{}); err != nil {
		return err
	}
	return r.call("stats-snapshot", "after a snapshot", "a", "Stats", &pb.StatsRequest{})
}

// withoutQuorum is a change that is begun and never committed.
func (r *recording) withoutQuorum() error {
	for _, id := range []string{"b", "c"} {
		if err := r.nodes[id].close(); err != nil {
			return err
		}
	}
	asked := &pb.AddNonvoterRequest{Id: "e", Address: "127.0.0.1:1"}
	if err := r.operate("no-quorum", "two of three voters were ended", "a", "AddNonvoter", asked); err != nil {
		return err
	}
	gone := func() bool { return r.nodes["a"].raft.State() != raft.Leader }
	if err := until("a has stepped down", gone); err != nil {
		return err
	}
	return r.call("stats-no-quorum", "two of three voters were ended", "a", "Stats", &pb.StatsRequest{})
}

// operate asks for a change and writes down what came of waiting for it.
func (r *recording) operate(name, what, at, method string, asked proto.Message) error {
	future := &pb.Future{}
	if err := r.invoke(at, method, asked, future); err != nil {
		return err
	}
	defer func() { _ = r.invoke(at, "Forget", future, &pb.ForgetResponse{}) }()
	told := &pb.AwaitResponse{}
	err := r.invoke(at, "Await", future, told)
	if name == "" {
		if err == nil && told.Error != "" {
			return fmt.Errorf("%s: %s", method, told.Error)
		}
		return err
	}
	return r.write(name, what, at, method+", Await", asked, told, err)
}

func (r *recording) call(name, what, at, method string, asked proto.Message) error {
	answers := map[string]proto.Message{
		"Stats": &pb.StatsResponse{}, "Leader": &pb.LeaderResponse{},
		"GetConfiguration": &pb.GetConfigurationResponse{}, "Await": &pb.AwaitResponse{},
	}
	told := answers[method]
	err := r.invoke(at, method, asked, told)
	return r.write(name, what, at, method, asked, told, err)
}

func (r *recording) invoke(at, method string, asked, told proto.Message) error {
	connection, err := grpc.NewClient(r.nodes[at].adminAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return connection.Invoke(ctx, "/RaftAdmin/"+method, asked, told)
}

func (r *recording) write(name, what, at, call string, asked, told proto.Message, failed error) error {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(told)
	if err != nil {
		return err
	}
	one := recorded{Call: call, At: at, Message: hex.EncodeToString(raw)}
	if one.Asked, err = protojson.Marshal(asked); err != nil {
		return err
	}
	if failed != nil {
		told := status.Convert(failed)
		one.Status, one.Text = uint32(told.Code()), told.Message()
	} else if one.Fields, err = protojson.Marshal(told); err != nil {
		return err
	}
	r.table = append(r.table, fmt.Sprintf("| %s | %s | %d | %s |", name, call, one.Status, what))
	return r.save(name, one)
}

func (r *recording) save(name string, content any) error {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.to, name+".json"), append(text, '\n'), 0o644)
}

func (r *recording) finish() error {
	members := map[string]string{}
	for id, node := range r.nodes {
		members[id] = node.raftAddress
	}
	if err := r.save("members", members); err != nil {
		return err
	}
	head := `# Recorded answers of raftadmin 1.2.1 on hashicorp/raft 1.7.3

One file per situation: the call, what was asked, gRPC's status, the message as it came (hex) and
its fields. Of a change the file holds what waiting for it brought. All of it is made again by
` + "`go run . -record ../recorded/raftadmin-1.2.1` in `server/drivers/tests/raftadmin_cluster`" + `;
` + "`members.json`" + ` tells each member's address.

| file | call | status | situation |
| --- | --- | --- | --- |
`
	text := head + strings.Join(r.table, "\n") + "\n"
	return os.WriteFile(filepath.Join(r.to, "README.md"), []byte(text), 0o644)
}

func until(what string, holds func() bool) error {
	for began := time.Now(); time.Since(began) < 60*time.Second; time.Sleep(10 * time.Millisecond) {
		if holds() {
			return nil
		}
	}
	return fmt.Errorf("in vain: %s", what)
}
