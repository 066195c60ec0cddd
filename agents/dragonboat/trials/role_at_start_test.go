package trials

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// records is where a host keeps how its replicas joined.
func (h *host) records() string { return filepath.Join(h.dir, "records") }

func (c *cluster) forget(n int) {
	c.t.Helper()
	if err := os.RemoveAll(c.hosts[n].records()); err != nil {
		c.t.Fatal(err)
	}
}

// registered waits until the registry has a replica of the default group in a state.
func (c *cluster) registered(replica int, kind role.Kind, state role.State) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("replica %d is registered as %s", replica, state), func() bool {
		value, ok := c.store.Get(c.key(1, replica))
		var entry role.Entry
		return ok && json.Unmarshal(value, &entry) == nil && entry.Kind == kind && entry.State == state
	})
}

func TestColdStartOfAllWithAndWithoutTheRegistry(t *testing.T) {
	c := running(t, 0, 3, true)
	for replica := 1; replica <= 3; replica++ {
		c.registered(replica, role.Initial, role.Voter)
	}
	all := func(do func(n int)) {
		for n := 1; n <= 3; n++ {
			do(n)
		}
	}
	all(c.kill)
	all(func(n int) { c.start(n) })
	c.leader()
	all(c.kill)
	c.registryAway()
	all(func(n int) { c.start(n) })
	all(c.votes)
}

func TestAReplicaStartsAgainInEveryRoleAndAtEveryMoment(t *testing.T) {
	c := running(t, 1, 1, true)
	c.done(c.add(4))
	c.registered(4, role.JoinedNonVoting, role.Started)
	c.is(4, protocol.Learner)
	// Between added and promoted.
	c.restart(4)
	c.is(4, protocol.Learner)
	// With a snapshot of its own that names it non-voting.
	c.must(4, "snapshot", "shard=1")
	c.restart(4)
	c.is(4, protocol.Learner)
	// Promoted while its process was down.
	c.kill(4)
	leader := c.leader()
	c.must(leader, "add", fmt.Sprintf("shard=1&replica=4&target=%s&ccid=%d", c.hosts[4].raft, c.ccid()))
	c.start(4)
	c.votes(4)
	c.registered(4, role.JoinedNonVoting, role.Voter)
	c.leads(4)
	// With a snapshot from after the promotion.
	c.must(4, "write", "shard=1&n=3")
	c.must(4, "snapshot", "shard=1")
	c.restart(4)
	c.votes(4)
	c.leads(4)
	// All at once, the registry away.
	c.registryAway()
	for n := 1; n <= 4; n++ {
		c.kill(n)
	}
	for n := 1; n <= 4; n++ {
		c.start(n)
	}
	for n := 1; n <= 4; n++ {
		c.votes(n)
	}
}

func TestANewcomerStartsBySnapshotsOlderAndNewerThanItsAddition(t *testing.T) {
	c := running(t, 1, 1, true)
	// Older: the log up to here is gone everywhere, the addition is replayed on top of the snapshot.
	c.must(c.leader(), "write", "shard=1&n=20")
	for n := 1; n <= 3; n++ {
		c.must(n, "snapshot", "shard=1")
	}
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.restart(4)
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Remove, "host-4"))
	c.registered(4, role.JoinedNonVoting, role.Removed)
	// Newer: added while its host was down, and a snapshot that names it non-voting is all there is.
	c.kill(4)
	leader := c.leader()
	entry, _ := json.Marshal(role.Entry{Kind: role.JoinedNonVoting, Target: c.hosts[4].raft, State: role.Added})
	c.store.Put(c.key(1, 5), entry)
	c.must(leader, "add-non-voting", fmt.Sprintf("shard=1&replica=5&target=%s&ccid=%d", c.hosts[4].raft, c.ccid()))
	c.must(leader, "write", "shard=1&n=20")
	for n := 1; n <= 3; n++ {
		c.eventually("all have it", func() bool { return c.known(n, 1).Last >= c.known(leader, 1).Last })
		c.must(n, "snapshot", "shard=1")
	}
	c.start(4)
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Promote, "host-4"))
	c.restart(4)
	c.votes(4)
	c.leads(4)
}

func TestTheRegistryIsLostAndWrong(t *testing.T) {
	c := running(t, 1, 1, true)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Promote, "host-4"))
	c.registered(4, role.JoinedNonVoting, role.Voter)
	right, _ := c.store.Get(c.key(1, 4))
	// Lost: it runs by its record, and the registry is told again.
	c.store.Clear()
	c.restart(4)
	c.votes(4)
	c.registered(4, role.JoinedNonVoting, role.Voter)
	// Wrong: another kind than the record. Its host runs on and says why it does not start it.
	wrong := func(change func(*role.Entry)) {
		var entry role.Entry
		if err := json.Unmarshal(right, &entry); err != nil {
			t.Fatal(err)
		}
		change(&entry)
		value, _ := json.Marshal(entry)
		c.kill(4)
		c.store.Put(c.key(1, 4), value)
		c.start(4)
	}
	wrong(func(e *role.Entry) { e.Kind = role.Initial })
	c.fault(4, "the registry says initial")
	wrong(func(e *role.Entry) { e.Target = "127.0.0.1:1" })
	c.fault(4, "the registry has the replica at 127.0.0.1:1")
	// Nonsense, or removed although Raft has it: the record and the others know better.
	c.kill(4)
	c.store.Put(c.key(1, 4), []byte("by hand"))
	c.start(4)
	c.votes(4)
	wrong(func(e *role.Entry) { e.State, e.Index = role.Removed, 1 })
	c.votes(4)
	// Without its record it goes by the registry alone.
	wrong(func(*role.Entry) {})
	c.kill(4)
	c.forget(4)
	c.start(4)
	c.votes(4)
	c.leads(4)
}

func TestWhatIsForgottenIsAskedOfTheOthersOrFoundOut(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Promote, "host-4"))
	// The host that added it remembers.
	c.kill(4)
	c.forget(4)
	c.start(4)
	c.votes(4)
	// Nobody remembers: what is on disk decides, and an initial member is known by Dragonboat itself.
	for n := 1; n <= 4; n++ {
		c.kill(n)
		c.forget(n)
		c.extra[n] = []string{"--initial", ""}
	}
	for n := 1; n <= 4; n++ {
		c.start(n)
		if n == 3 {
			c.leader() // One of the three leads, so that the fourth has not proven anything yet.
		}
	}
	for n := 1; n <= 4; n++ {
		c.votes(n)
	}
	c.fault(4, "nobody remembers how it joined")
	c.leads(4)
	c.is(4, protocol.Leader) // It led, so it is known how it joined.
	c.restart(4)
	c.votes(4)
	if view, err := c.view(4, "default"); err != nil || view.Fault != nil {
		t.Fatalf("%v %+v", err, view)
	}
}

func TestDataThatIsGoneIsNotReplacedByAnEmptyReplica(t *testing.T) {
	c := running(t, 0, 1, true)
	c.registered(2, role.Initial, role.Voter)
	c.kill(2)
	if err := os.RemoveAll(filepath.Join(c.hosts[2].dir, "data")); err != nil {
		t.Fatal(err)
	}
	c.start(2)
	c.fault(2, "written by NodeHost")
	c.kill(2)
	if err := os.RemoveAll(c.hosts[2].dir); err != nil {
		t.Fatal(err)
	}
	c.start(2)
	c.fault(2, "holds no data of it")
}

func TestAnEditedConfigurationDoesNotChangeHowAReplicaStarts(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Promote, "host-4"))
	c.extra[4] = []string{"--joined-as", "joined-voter"}
	c.restart(4)
	c.votes(4)
	c.leads(4)
}

func TestAFirstStartWaitsForItsAuthority(t *testing.T) {
	c := running(t, 1, 1, true)
	// Added while its host was down; then the registry goes away.
	c.kill(4)
	entry, _ := json.Marshal(role.Entry{Kind: role.JoinedNonVoting, Target: c.hosts[4].raft, State: role.Added})
	c.store.Put(c.key(1, 4), entry)
	c.must(c.leader(), "add-non-voting", fmt.Sprintf("shard=1&replica=4&target=%s&ccid=%d", c.hosts[4].raft, c.ccid()))
	c.registryAway()
	c.eventually("the others know of it", func() bool {
		view, err := c.view(c.leader(), "default")
		return err == nil && len(view.Membership.Members) == 4
	})
	c.start(4)
	c.fault(4, "the registry is away")
	// Nobody is added either without its knowing.
	c.refused("already-member", nil, second(c.add(4)))
	c.registryBack()
	c.is(4, protocol.Learner)
	c.registered(4, role.JoinedNonVoting, role.Started)
}

func TestAnAdditionIsLearnedFromTheOthersWhereThereIsNoRegistry(t *testing.T) {
	c := running(t, 1, 1, false)
	c.kill(4)
	c.must(c.leader(), "add-non-voting", fmt.Sprintf("shard=1&replica=4&target=%s&ccid=%d", c.hosts[4].raft, c.ccid()))
	c.eventually("the others know of it", func() bool {
		view, err := c.view(c.leader(), "default")
		return err == nil && len(view.Membership.Members) == 4
	})
	c.start(4)
	c.is(4, protocol.Learner)
	c.restart(4)
	c.is(4, protocol.Learner)
}
