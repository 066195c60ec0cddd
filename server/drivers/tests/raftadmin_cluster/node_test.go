package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/Jille/raftadmin/proto"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestRaftAndRaftadminShareAPort(t *testing.T) {
	nodes := map[string]*node{}
	for _, id := range []string{"a", "b"} {
		running, err := start(options{
			id: id, dir: t.TempDir(), listen: "127.0.0.1:0", control: "127.0.0.1:0",
			bootstrap: id == "a", timeout: time.Second, log: io.Discard,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = running.close() })
		nodes[id] = running
	}
	a, b := nodes["a"], nodes["b"]
	if err := until("a leads", func() bool { return a.raft.State() == raft.Leader }); err != nil {
		t.Fatal(err)
	}
	connection, err := grpc.NewClient(a.raftAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	admin := proto.NewRaftAdminClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	future, err := admin.AddNonvoter(ctx, &proto.AddNonvoterRequest{Id: "b", Address: b.raftAddress})
	if err != nil {
		t.Fatal(err)
	}
	told, err := admin.Await(ctx, future)
	if err != nil || told.GetError() != "" {
		t.Fatal(told, err)
	}
	level := func() bool { return b.raft.LastIndex() == a.raft.LastIndex() }
	if err := until("b has the log", level); err != nil {
		t.Fatal(err)
	}
	if open := a.words().Open; open != 1 {
		t.Fatalf("%d operations are open, not 1", open)
	}
	if _, err := admin.Forget(ctx, future); err != nil {
		t.Fatal(err)
	}
	if open := a.words().Open; open != 0 {
		t.Fatalf("%d operations are open after forgetting", open)
	}
}
