package role

import (
	"strings"
	"testing"
)

const here, there = "10.0.0.4:63000", "10.0.0.5:63000"

var three = map[uint64]string{1: "10.0.0.1:63000", 2: "10.0.0.2:63000", 3: "10.0.0.3:63000"}

// facts of replica 4 of shard 9 on a host of its own, with what each case adds.
func facts(change ...func(*Facts)) Facts {
	f := Facts{Deployment: "orders", NodeHostID: "nh-4", Target: here, Shard: 9, Replica: 4}
	for _, c := range change {
		c(&f)
	}
	return f
}

func onDisk(f *Facts) { f.OnDisk = true }

func local(kind Kind) func(*Facts) {
	return func(f *Facts) {
		f.Local = &Record{Deployment: "orders", NodeHostID: "nh-4", Shard: 9, Replica: 4, Kind: kind, Target: here, Started: true}
	}
}

func localNew(kind Kind) func(*Facts) {
	return func(f *Facts) { local(kind)(f); f.Local.Started = false }
}

func localIs(change func(*Record)) func(*Facts) { return func(f *Facts) { change(f.Local) } }

func registry(kind Kind, state State) func(*Facts) {
	return func(f *Facts) {
		f.Registry = RegistryWord{Configured: true, Entry: &Entry{Kind: kind, Target: here, State: state, Index: 7, Version: 1}}
	}
}

func empty(f *Facts) { f.Registry = RegistryWord{Configured: true} }
func away(f *Facts)  { f.Registry = RegistryWord{Configured: true, Away: "connection refused"} }

func peer(kind Kind, m *Membership) func(*Facts) {
	return func(f *Facts) {
		f.Peers = append(f.Peers, PeerWord{Host: "host-1", Kind: kind, Membership: m})
		f.PeersAsked++
	}
}

func silent(f *Facts) { f.PeersAsked++ }

func joinedAs(kind Kind) func(*Facts) { return func(f *Facts) { f.Static.JoinedAs = kind } }

func initial(f *Facts) {
	f.Replica, f.Target = 1, three[1]
	f.Static.InitialMembers = three
	if f.Local != nil {
		f.Local.Replica, f.Local.Target = 1, three[1]
	}
	if f.Registry.Entry != nil {
		f.Registry.Entry.Target = three[1]
	}
}

func nonVotingMember() *Membership {
	return &Membership{Index: 8, Voters: three, NonVotings: map[uint64]string{4: here}}
}

func votingMember() *Membership {
	voters := map[uint64]string{4: here}
	for id, at := range three {
		voters[id] = at
	}
	return &Membership{Index: 12, Voters: voters}
}

func witnessMember() *Membership {
	return &Membership{Index: 9, Voters: three, Witnesses: map[uint64]string{4: here}}
}

func without() *Membership {
	return &Membership{Index: 15, Voters: three, Removed: []uint64{4}}
}

func TestHowAReplicaIsStarted(t *testing.T) {
	type start struct{ members, join, flag bool }
	for _, c := range []struct {
		name    string
		facts   Facts
		verdict Verdict
		start   start
		says    string
	}{
		// First starts.
		{"cold start of an initial member", facts(initial), Start, start{members: true}, ""},
		{"cold start of an initial member, the registry empty", facts(empty, initial), Start, start{members: true}, ""},
		{"cold start of an initial member, the registry away", facts(away, initial), Wait, start{}, "whether the replica has run before"},
		{"cold start of an initial member after a crash between record and start, the registry away", facts(localNew(Initial), away, initial), Start, start{members: true}, ""},
		{"an initial member that the shard runs without", facts(initial, peer(Unknown, &Membership{Index: 9, Voters: map[uint64]string{2: three[2]}})), Refuse, start{}, "runs without replica 1"},
		{"an initial member without the map of the others", facts(registry(Initial, Added)), Wait, start{}, "does not tell the others"},
		{"added as non-voting, the registry says so", facts(registry(JoinedNonVoting, Added)), Start, start{join: true, flag: true}, ""},
		{"planned and committed, the registry not yet told", facts(registry(JoinedNonVoting, Planned), peer(Unknown, nonVotingMember())), Start, start{join: true, flag: true}, ""},
		{"planned only", facts(registry(JoinedNonVoting, Planned)), Wait, start{}, "planned"},
		{"added as a voter, the registry says so", facts(registry(JoinedVoter, Added)), Start, start{join: true}, ""},
		{"added and promoted while never started", facts(localNew(JoinedNonVoting), peer(JoinedNonVoting, votingMember())), Start, start{join: true, flag: true}, ""},
		{"added, no registry, another host has it as non-voting", facts(peer(Unknown, nonVotingMember())), Start, start{join: true, flag: true}, ""},
		{"a voter, no registry, the host that added it remembers how", facts(peer(JoinedNonVoting, votingMember())), Start, start{join: true, flag: true}, ""},
		{"a voter, no registry, nobody remembers how it came", facts(peer(Unknown, votingMember())), Refuse, start{}, "added as one or promoted"},
		{"a voter, no registry, the configuration says how it came", facts(joinedAs(JoinedNonVoting), peer(Unknown, votingMember())), Start, start{join: true, flag: true}, ""},
		{"the registry away at a first start", facts(away, peer(Unknown, nonVotingMember())), Wait, start{}, "needs its word"},
		{"recorded, then the registry went away before the start", facts(localNew(JoinedNonVoting), away), Start, start{join: true, flag: true}, ""},
		{"the registry knows nothing of it, nor do the others", facts(empty), Wait, start{}, "neither the registry nor another host"},
		{"nobody answers", facts(silent), Wait, start{}, "no other host answers"},
		{"only the configuration speaks of it", facts(joinedAs(JoinedNonVoting)), Wait, start{}, "nobody says that the addition was committed"},
		// Restarts.
		{"restart of an initial member", facts(onDisk, local(Initial), initial), Start, start{}, ""},
		{"restart of an initial member, nothing but the configuration left", facts(onDisk, initial), Start, start{}, ""},
		{"restart between added and promoted", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Started), peer(Unknown, nonVotingMember())), Start, start{flag: true}, ""},
		{"restart after the promotion", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Voter), peer(Unknown, votingMember())), Start, start{flag: true}, ""},
		{"restart of one that joined as a voter", facts(onDisk, local(JoinedVoter), peer(Unknown, votingMember())), Start, start{}, ""},
		{"restart with the registry away", facts(onDisk, local(JoinedNonVoting), away), Start, start{flag: true}, ""},
		{"restart with the registry emptied", facts(onDisk, local(JoinedNonVoting), empty), Start, start{flag: true}, ""},
		{"restart of all, the others silent", facts(onDisk, local(JoinedNonVoting), silent), Start, start{flag: true}, ""},
		{"restart, the record lost, the registry remembers", facts(onDisk, registry(JoinedNonVoting, Voter)), Start, start{flag: true}, ""},
		{"restart, the record lost, another host remembers", facts(onDisk, peer(JoinedVoter, votingMember())), Start, start{}, ""},
		{"restart, the record lost, the configuration remembers", facts(onDisk, joinedAs(JoinedNonVoting)), Start, start{flag: true}, ""},
		{"restart, nobody remembers", facts(onDisk, silent), Probe, start{join: true, flag: true}, "nobody remembers"},
		{"restart, the configuration was edited after the promotion", facts(onDisk, local(JoinedNonVoting), joinedAs(JoinedVoter)), Start, start{flag: true}, ""},
		{"the registry says removed, Raft has it at a later configuration", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Removed), peer(Unknown, votingMember())), Start, start{flag: true}, ""},
		// Contradictions.
		{"the registry has another kind", facts(onDisk, local(JoinedNonVoting), registry(Initial, Voter)), Refuse, start{}, "the registry says initial"},
		{"another host has another kind", facts(onDisk, local(JoinedNonVoting), peer(JoinedVoter, votingMember())), Refuse, start{}, "the agent of host-1 says joined-voter"},
		{"two hosts say different things", facts(onDisk, peer(JoinedNonVoting, nil), peer(JoinedVoter, nil)), Refuse, start{}, "somebody has to correct"},
		{"the registry has it at another address", facts(onDisk, registry(JoinedNonVoting, Voter), func(f *Facts) { f.Registry.Entry.Target = there }), Refuse, start{}, "the registry has the replica at"},
		{"the members have it at another address", facts(onDisk, local(JoinedNonVoting), peer(Unknown, &Membership{Index: 9, Voters: three, NonVotings: map[uint64]string{4: there}})), Refuse, start{}, "as host-1 says"},
		{"the registry's entry is nonsense and nothing else is there", facts(onDisk, func(f *Facts) { f.Registry = RegistryWord{Configured: true, Fault: "no JSON"} }), Refuse, start{}, "makes no sense"},
		{"the registry's entry is nonsense, the record is not", facts(onDisk, local(JoinedNonVoting), func(f *Facts) { f.Registry = RegistryWord{Configured: true, Fault: "no JSON"} }), Start, start{flag: true}, ""},
		{"the configuration contradicts itself", facts(initial, joinedAs(JoinedVoter)), Refuse, start{}, "among the initial members"},
		{"the configuration calls a stranger initial", facts(joinedAs(Initial)), Refuse, start{}, "does not have it"},
		// Witnesses are nobody's to start here.
		{"a witness by its record", facts(onDisk, local(Witness)), Refuse, start{}, "is a witness, as the local record says"},
		{"a witness by the word of another host, the record lost", facts(onDisk, peer(Unknown, witnessMember())), Refuse, start{}, "is a witness, as host-1 says"},
		{"a witness by the configuration, the others silent", facts(onDisk, joinedAs(Witness), silent), Refuse, start{}, "is a witness, as the host's configuration says"},
		{"a witness that was added and never ran", facts(peer(Unknown, witnessMember())), Refuse, start{}, "with IsWitness"},
		{"a witness that was removed", facts(onDisk, local(Witness), localIs(func(r *Record) { r.Removed = true })), Refuse, start{}, "the witness was removed"},
		// In the middle of a verb.
		{"restart between the wish to promote and its answer", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Promoting), peer(Unknown, nonVotingMember())), Start, start{flag: true}, ""},
		{"restart while it is being removed", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Removing), peer(Unknown, votingMember())), Start, start{flag: true}, ""},
		{"a first start while it is being removed", facts(registry(JoinedNonVoting, Removing), peer(Unknown, nonVotingMember())), Refuse, start{}, "is being removed"},
		{"the registry calls a joined voter planned, and it runs", facts(onDisk, local(JoinedVoter), registry(JoinedVoter, Planned), peer(Unknown, votingMember())), Start, start{}, ""},
		{"everybody's word at once, and one dissents", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Voter), peer(JoinedNonVoting, votingMember()), peer(JoinedVoter, votingMember())), Refuse, start{}, "the agent of host-1 says joined-voter"},
		// Removed, lost, moved.
		{"removed while it was down, another host knows", facts(onDisk, local(JoinedNonVoting), peer(Unknown, without())), Refuse, start{}, "was removed"},
		{"removed, the record knows", facts(onDisk, local(JoinedNonVoting), localIs(func(r *Record) { r.Removed = true })), Refuse, start{}, "was removed"},
		{"removed, the cached membership knows", facts(onDisk, local(JoinedNonVoting), localIs(func(r *Record) { r.Membership = without() })), Refuse, start{}, "the local record says at configuration 15"},
		{"removed, the registry knows", facts(onDisk, local(JoinedNonVoting), registry(JoinedNonVoting, Removed)), Refuse, start{}, "the registry says that the replica was removed"},
		{"its data is gone", facts(local(JoinedNonVoting), peer(Unknown, votingMember())), Refuse, start{}, "its data is gone"},
		{"its data and its record are gone, the registry remembers", facts(registry(JoinedNonVoting, Voter), peer(Unknown, votingMember())), Refuse, start{}, "holds no data of it"},
		{"an initial member's data is gone, the registry remembers", facts(registry(Initial, Voter), initial), Refuse, start{}, "holds no data of it"},
		{"the record is of another cluster", facts(onDisk, local(Initial), localIs(func(r *Record) { r.Deployment = "billing" })), Refuse, start{}, "belongs to the cluster"},
		{"the record is of another NodeHost", facts(onDisk, local(Initial), localIs(func(r *Record) { r.NodeHostID = "nh-5" })), Refuse, start{}, "copied from another host"},
		{"the host's address has changed", facts(onDisk, local(Initial), localIs(func(r *Record) { r.Target = there })), Refuse, start{}, "cannot move"},
		{"the record is broken", facts(onDisk, func(f *Facts) { f.LocalFault = "unexpected end" }), Refuse, start{}, "cannot be read"},
		{"an id of zero", facts(func(f *Facts) { f.Replica = 0 }), Refuse, start{}, "ids begin at 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Decide(c.facts)
			if d.Verdict != c.verdict || !strings.Contains(d.Why, c.says) {
				t.Fatalf("%s: %q", d.Verdict, d.Why)
			}
			if got := (start{d.Members != nil, d.Join, d.NonVoting}); got != c.start {
				t.Fatalf("started with %+v", got)
			}
			if d.Verdict != Start && d.Why == "" {
				t.Fatal("no explanation")
			}
		})
	}
}

// Whatever the sources say, a decision to start never holds what Dragonboat panics about or fails on.
func TestNoDecisionHoldsWhatDragonboatDiesOf(t *testing.T) {
	kinds := []Kind{Unknown, Initial, JoinedNonVoting, JoinedVoter}
	states := []State{Planned, Added, Started, Promoting, Voter, Removing, Removed}
	memberships := []*Membership{nil, nonVotingMember(), votingMember(), without()}
	for _, disk := range []bool{false, true} {
		for _, localKind := range kinds {
			for _, registryKind := range kinds {
				for _, state := range states {
					for _, peerKind := range kinds {
						for _, membership := range memberships {
							for _, static := range kinds {
								f := facts(joinedAs(static), peer(peerKind, membership))
								f.OnDisk = disk
								if localKind != Unknown {
									local(localKind)(&f)
								}
								if registryKind != Unknown {
									registry(registryKind, state)(&f)
								}
								holds(t, f, Decide(f))
							}
						}
					}
				}
			}
		}
	}
}

func holds(t *testing.T, f Facts, d Decision) {
	t.Helper()
	if d.Verdict != Start && d.Verdict != Probe {
		return
	}
	known := []Kind{f.Static.JoinedAs}
	if f.Local != nil {
		known = append(known, f.Local.Kind)
	}
	if f.Registry.Entry != nil {
		known = append(known, f.Registry.Entry.Kind)
	}
	switch {
	case len(d.Members) > 0 && (d.Join || d.NonVoting || f.OnDisk):
		t.Fatalf("a member map with a join, a flag or old data: %+v of %+v", d, f)
	case !f.OnDisk && len(d.Members) == 0 && !d.Join:
		t.Fatalf("neither map nor join at a first start: %+v of %+v", d, f)
	case d.Kind == Initial && (d.NonVoting || d.Join):
		t.Fatalf("an initial member with flag or join: %+v", d)
	case d.Kind == JoinedNonVoting && !d.NonVoting, d.Kind == JoinedVoter && d.NonVoting:
		t.Fatalf("the flag is not the kind's: %+v", d)
	case f.Local != nil && d.Kind != f.Local.Kind:
		t.Fatalf("not the record's kind: %+v of %+v", d, f)
	}
	if d.Verdict == Probe {
		for _, kind := range known {
			if kind != Unknown {
				t.Fatalf("probed although %s is known", kind)
			}
		}
	}
}
