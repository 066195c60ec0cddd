package agent_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	agent "quorate.dev/agent/hashicorp-raft"
)

// counts is a state machine that counts what it is handed.
type counts struct {
	applied, batches, stored int
	refuse                   error
}

func (c *counts) Apply(*raft.Log) any                 { c.applied++; return c.applied }
func (c *counts) Snapshot() (raft.FSMSnapshot, error) { return nil, c.refuse }
func (c *counts) Restore(io.ReadCloser) error         { return c.refuse }

type batches struct{ counts }

func (b *batches) ApplyBatch(logs []*raft.Log) []any {
	b.batches++
	return make([]any, len(logs))
}

type stores struct{ counts }

func (s *stores) StoreConfiguration(uint64, raft.Configuration) { s.stored++ }

func servers(ids ...string) raft.Configuration {
	var configuration raft.Configuration
	for _, id := range ids {
		server := raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)}
		configuration.Servers = append(configuration.Servers, server)
	}
	return configuration
}

func TestAStateMachineKeepsWhatItCan(t *testing.T) {
	plain, batching, storing := &counts{}, &batches{}, &stores{}
	if watched := agent.Watch(plain, nil); watched.FSM.Apply(&raft.Log{Index: 7}) != 1 {
		t.Fatal("the answer of Apply is lost")
	} else if index, inside := watched.Applied(); index != 7 || inside {
		t.Fatal(index, inside)
	}
	watched := agent.Watch(batching, nil)
	many, ok := watched.FSM.(raft.BatchingFSM)
	if !ok {
		t.Fatal("batches are lost")
	}
	answers := many.ApplyBatch([]*raft.Log{
		{Index: 3, Type: raft.LogCommand},
		{Index: 4, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(servers("a"))},
	})
	if len(answers) != 2 || batching.batches != 1 {
		t.Fatal(answers, batching.batches)
	}
	if _, ok := agent.Watch(plain, nil).FSM.(raft.BatchingFSM); ok {
		t.Fatal("batches where there were none")
	}
	store, ok := agent.Watch(storing, nil).FSM.(raft.ConfigurationStore)
	if !ok {
		t.Fatal("configurations are not taken")
	}
	store.StoreConfiguration(3, servers("a"))
	if storing.stored != 1 {
		t.Fatal("the host's own store is passed over")
	}
	refusing := &counts{refuse: errors.New("no")}
	if err := agent.Watch(refusing, nil).FSM.Restore(nil); !errors.Is(err, refusing.refuse) {
		t.Fatal(err)
	}
}

func TestAPanicOfTheHostsStateMachineStaysTheHosts(t *testing.T) {
	watched := agent.Watch(&panics{}, nil)
	defer func() {
		if recover() == nil {
			t.Fatal("the panic was swallowed")
		}
		if _, inside := watched.Applied(); inside {
			t.Fatal("it counts as inside for ever")
		}
	}()
	watched.FSM.Apply(&raft.Log{Index: 1})
}

type panics struct{ counts }

func (*panics) Apply(*raft.Log) any { panic("the host's") }

// lacking is a transport without some optional interfaces.
type (
	lackingBoth    struct{ raft.Transport }
	lackingPreVote struct {
		raft.Transport
		raft.WithClose
	}
	lackingClose struct {
		raft.Transport
		raft.WithPreVote
	}
)

func TestATransportKeepsPreVoteAndCloseExactlyWhereItHasThem(t *testing.T) {
	_, inner := raft.NewInmemTransport("")
	for _, c := range []struct {
		transport       raft.Transport
		preVote, closes bool
	}{
		{inner, true, true},
		{lackingBoth{inner}, false, false},
		{lackingPreVote{inner, inner}, false, true},
		{lackingClose{inner, inner}, true, false},
	} {
		watched := agent.Watch(nil, c.transport).Transport
		_, preVote := watched.(raft.WithPreVote)
		_, closes := watched.(raft.WithClose)
		if preVote != c.preVote || closes != c.closes {
			t.Errorf("%T: pre-vote %v, close %v", c.transport, preVote, closes)
		}
	}
}

// stuck is a pipeline whose answers nobody takes from the wrapper.
type stuck struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
}

func (s *stuck) Consumer() <-chan raft.AppendFuture { return s.answers }
func (*stuck) Close() error                         { return nil }

type pipelines struct {
	raft.Transport
	one raft.AppendPipeline
}

func (p *pipelines) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return p.one, nil
}

// answer is one that has failed: there is nothing to read in it.
type answer struct{ raft.AppendFuture }

func (answer) Error() error { return errors.New("no answer") }

func TestAPipelineThatIsClosedLeavesNothingBehind(t *testing.T) {
	inner := &stuck{answers: make(chan raft.AppendFuture)}
	_, memory := raft.NewInmemTransport("")
	piped, err := agent.Watch(nil, &pipelines{memory, inner}).Transport.AppendEntriesPipeline("b", "")
	if err != nil {
		t.Fatal(err)
	}
	// One answer has room on its way, the next waits for Raft, which takes none any more.
	inner.answers <- answer{}
	inner.answers <- answer{}
	if piped.Close() != nil || piped.Close() != nil {
		t.Fatal("closing twice is no error")
	}
	until(t, "nobody waits in it", func() bool {
		stacks := make([]byte, 1<<20)
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "(*watchedPipeline).pass")
	})
}
