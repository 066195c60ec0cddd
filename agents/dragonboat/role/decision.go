package role

import (
	"fmt"
	"strings"
)

// Facts is everything that is known of a replica before it is started, source by source.
type Facts struct {
	// Who is to be started, and where: the deployment's name, the NodeHost's id and its Raft address.
	Deployment, NodeHostID, Target string
	Shard, Replica                 uint64
	// OnDisk tells whether the NodeHost holds data of this replica.
	OnDisk bool
	// Local is the record written at the first start; nil if there is none.
	Local *Record
	// LocalFault says why the record could not be read.
	LocalFault string
	Registry   RegistryWord
	// Peers holds what the agents of the other hosts say. Who did not answer is not in it.
	Peers []PeerWord
	// PeersAsked counts the other hosts' agents that were asked.
	PeersAsked int
	Static     StaticWord
}

// RegistryWord is what the registry says.
type RegistryWord struct {
	// Configured tells whether there is a registry at all; if there is, it is the authority.
	Configured bool
	// Away says why it did not answer; empty if it did.
	Away string
	// Entry is nil if the registry answered and knows nothing of the replica.
	Entry *Entry
	// Fault says why its entry makes no sense.
	Fault string
}

// PeerWord is what another host's agent says of this replica and its shard.
type PeerWord struct {
	Host string
	// Kind as that host recorded it when it carried out the addition, or Unknown.
	Kind Kind
	// Membership as that host last read it; nil if it has none.
	Membership *Membership
}

// StaticWord is what the host's configuration says. It must hold nothing that changes: the initial members,
// the same on all hosts, and how this replica joined. The role it has now is no business of a file.
type StaticWord struct {
	InitialMembers map[uint64]string
	JoinedAs       Kind
}

// Verdict of a decision.
type Verdict string

const (
	// Start with what the decision holds.
	Start Verdict = "start"
	// Probe: nobody remembers how the replica joined, but its data is here. Started as a joined non-voting
	// replica it replays whatever its log holds; Dragonboat itself refuses this for an initial member, which
	// is then started as one.
	Probe Verdict = "probe"
	// Wait: no authority has said yet that the replica may be started for the first time.
	Wait Verdict = "wait"
	// Refuse: starting would be wrong. Why says what contradicts what.
	Refuse Verdict = "refuse"
)

// Decision says how to start a replica, or why not.
type Decision struct {
	Verdict Verdict
	Kind    Kind
	// The arguments of StartReplica. Members is set for the first start of an initial member only.
	Members   map[uint64]string
	Join      bool
	NonVoting bool
	// Source names who knew the kind: local, registry, agents, static, or nobody.
	Source string
	// Why explains every verdict but a plain start.
	Why string
	// Left is set when the replica is no member any more: there is nothing to put right.
	Left bool
	// Warnings are contradictions that do not matter for the start but want to be looked at.
	Warnings []string
}

func refuse(format string, args ...any) Decision {
	return Decision{Verdict: Refuse, Why: fmt.Sprintf(format, args...)}
}

func left(format string, args ...any) Decision {
	return Decision{Verdict: Refuse, Left: true, Why: fmt.Sprintf(format, args...)}
}

func wait(format string, args ...any) Decision {
	return Decision{Verdict: Wait, Why: fmt.Sprintf(format, args...)}
}

// Decide how the replica must be started. Sources by weight: the local record, the registry, the other
// hosts' agents, the host's configuration. Raft's own membership outranks all of them in one thing: who is
// a member and who was removed.
func Decide(f Facts) Decision {
	if decision, stop := witness(f); stop {
		return decision
	}
	if decision, stop := wrongPlace(f); stop {
		return decision
	}
	if decision, stop := removed(f); stop {
		return decision
	}
	known, decision, stop := kinds(f)
	if stop {
		return decision
	}
	if f.OnDisk {
		return again(f, known)
	}
	return first(f, known)
}

// witness finds replicas that are none of the kinds started here. Started as one of them, such a replica would
// panic while it replays its own addition.
func witness(f Facts) (Decision, bool) {
	membership, who := newest(f)
	switch {
	case f.Local != nil && f.Local.Kind == Witness && (f.Local.Removed || membership.HasRemoved(f.Replica)):
		return left("the witness was removed from its shard; delete its data"), true
	case f.Local != nil && f.Local.Kind == Witness:
		who = "the local record"
	case f.Static.JoinedAs == Witness:
		who = "the host's configuration"
	case membership == nil || membership.Witnesses[f.Replica] == "":
		return Decision{}, false
	}
	return refuse("the replica is a witness, as %s says, and witnesses are not started here: the host starts it itself, "+
		"with IsWitness", who), true
}

// wrongPlace finds data and records that belong to another host, cluster or replica.
func wrongPlace(f Facts) (Decision, bool) {
	if f.Shard == 0 || f.Replica == 0 {
		return refuse("shard %d and replica %d: ids begin at 1", f.Shard, f.Replica), true
	}
	if f.LocalFault != "" {
		return refuse("the local record cannot be read (%s); restore the file or remove it: without it the registry "+
			"and the other hosts are asked", f.LocalFault), true
	}
	if r := f.Local; r != nil {
		switch {
		case r.Shard != f.Shard || r.Replica != f.Replica:
			return refuse("the local record is of shard %d replica %d", r.Shard, r.Replica), true
		case r.Deployment != f.Deployment:
			return refuse("the local record belongs to the cluster %q, this host to %q", r.Deployment, f.Deployment), true
		case r.NodeHostID != "" && f.NodeHostID != "" && r.NodeHostID != f.NodeHostID:
			return refuse("the local record was written by NodeHost %s, this is %s: data or record was copied from "+
				"another host", r.NodeHostID, f.NodeHostID), true
		case r.Target != f.Target:
			return refuse("the replica was started at %s, this host is %s: a replica cannot move; remove it and add a "+
				"new one", r.Target, f.Target), true
		case !r.Kind.Valid():
			return refuse("the local record names the unknown kind %q", r.Kind), true
		}
	}
	if f.Registry.Fault != "" && f.Local == nil {
		return refuse("the registry's entry makes no sense (%s) and there is no local record to go by", f.Registry.Fault), true
	}
	if e := f.Registry.Entry; e != nil && e.Target != f.Target {
		return refuse("the registry has the replica at %s, this host is %s", e.Target, f.Target), true
	}
	return Decision{}, false
}

// newest is the membership of the highest index among those that were read from Raft, and who told it.
func newest(f Facts) (*Membership, string) {
	var best *Membership
	var who string
	if f.Local != nil && f.Local.Membership != nil {
		best, who = f.Local.Membership, "the local record"
	}
	for _, peer := range f.Peers {
		if peer.Membership != nil && (best == nil || peer.Membership.Index > best.Index) {
			best, who = peer.Membership, peer.Host
		}
	}
	return best, who
}

// removed finds out whether the replica has left its shard. A replica that is started after that lists
// itself as running, and never hears of anybody again.
func removed(f Facts) (Decision, bool) {
	membership, who := newest(f)
	if membership.HasRemoved(f.Replica) {
		return left("the replica was removed from its shard, as %s says at configuration %d; add a new one under a "+
			"fresh id and delete the data of this one", who, membership.Index), true
	}
	address, member := membership.Address(f.Replica)
	if member && address != f.Target {
		return refuse("replica %d is at %s, as %s says, not at %s", f.Replica, address, who, f.Target), true
	}
	if f.Local != nil && f.Local.Removed {
		return left("the local record says that the replica was removed; add a new one under a fresh id"), true
	}
	if e := f.Registry.Entry; e != nil && (e.State == Removed) {
		if member && membership.Index > e.Index && e.Index != 0 {
			return Decision{}, false // Raft outranks the registry.
		}
		return refuse("the registry says that the replica was removed, and nobody has read a newer membership that has " +
			"it; correct the registry if that is wrong"), true
	}
	return Decision{}, false
}

type knowledge struct {
	kind     Kind
	source   string
	warnings []string
}

// kinds asks every source how the replica joined and looks for contradictions.
func kinds(f Facts) (knowledge, Decision, bool) {
	type word struct {
		kind   Kind
		source string
	}
	var words []word
	if f.Local != nil {
		words = append(words, word{f.Local.Kind, "the local record"})
	}
	if e := f.Registry.Entry; e != nil {
		words = append(words, word{e.Kind, "the registry"})
	}
	for _, peer := range f.Peers {
		if peer.Kind.Valid() {
			words = append(words, word{peer.Kind, "the agent of " + peer.Host})
		}
	}
	var k knowledge
	for _, w := range words {
		switch {
		case k.kind == Unknown:
			k.kind, k.source = w.kind, w.source
		case k.kind != w.kind:
			return k, refuse("%s says %s, %s says %s. Started the wrong way it would panic or never lead, so somebody "+
				"has to correct one of them", k.source, k.kind, w.source, w.kind), true
		}
	}
	if f.Registry.Fault != "" {
		k.warnings = append(k.warnings, "the registry's entry makes no sense: "+f.Registry.Fault)
	}
	static, decision, stop := ofStatic(f)
	if stop {
		return k, decision, true
	}
	switch {
	case static == Unknown:
	case k.kind == Unknown:
		k.kind, k.source = static, "static"
	case k.kind != static:
		k.warnings = append(k.warnings, fmt.Sprintf("the host's configuration says %s, %s says %s, which holds; "+
			"`joined_as` is how a replica joined, not what it is now", static, k.source, k.kind))
	}
	return k, Decision{}, false
}

func ofStatic(f Facts) (Kind, Decision, bool) {
	target, initial := f.Static.InitialMembers[f.Replica]
	if initial && target != f.Target {
		return Unknown, refuse("the host's configuration has replica %d at %s, this host is %s", f.Replica, target, f.Target), true
	}
	if initial && f.Static.JoinedAs.Valid() && f.Static.JoinedAs != Initial {
		return Unknown, refuse("the host's configuration has replica %d among the initial members and says that it %s",
			f.Replica, strings.ReplaceAll(string(f.Static.JoinedAs), "-", " ")), true
	}
	if initial {
		return Initial, Decision{}, false
	}
	if f.Static.JoinedAs == Initial {
		return Unknown, refuse("the host's configuration calls replica %d initial and does not have it among the initial "+
			"members", f.Replica), true
	}
	if f.Static.JoinedAs.Valid() {
		return f.Static.JoinedAs, Decision{}, false
	}
	return Unknown, Decision{}, false
}

// again is a start of a replica whose data is on disk: it needs no authority, only its kind.
func again(f Facts, k knowledge) Decision {
	decision := Decision{Verdict: Start, Kind: k.kind, Source: k.source, Warnings: k.warnings}
	switch k.kind {
	case Initial, JoinedVoter:
	case JoinedNonVoting:
		decision.NonVoting = true
	default:
		decision.Verdict, decision.Join, decision.NonVoting, decision.Source = Probe, true, true, "nobody"
		decision.Why = "its data is here and nobody remembers how it joined"
	}
	return decision
}

// first is a start of a replica that has no data here.
func first(f Facts, k knowledge) Decision {
	if f.Local != nil && f.Local.Started {
		return refuse("the replica has run on this host and its data is gone. Under its old id it would have forgotten "+
			"whom it voted for: remove replica %d and add a new one under a fresh id", f.Replica)
	}
	if e := f.Registry.Entry; e != nil && f.Local == nil {
		switch e.State {
		case Started, Promoting, Voter:
			return refuse("the registry says that the replica has run (%s), and this host holds no data of it: remove "+
				"replica %d and add a new one under a fresh id", e.State, f.Replica)
		case Removing:
			return refuse("the registry says that the replica is being removed")
		}
	}
	if k.kind == Initial {
		return firstOfInitial(f, k)
	}
	return firstOfJoined(f, k)
}

func firstOfInitial(f Facts, k knowledge) Decision {
	members := f.Static.InitialMembers
	if len(members) == 0 {
		return wait("the replica is an initial member, and the host's configuration does not tell the others")
	}
	if _, ok := members[f.Replica]; !ok {
		return refuse("%s calls the replica an initial member, and it is not among those of the host's configuration", k.source)
	}
	if m, who := newest(f); m != nil {
		if _, member := m.Address(f.Replica); !member {
			return refuse("the shard runs without replica %d, as %s says at configuration %d", f.Replica, who, m.Index)
		}
	}
	if f.Registry.Configured && f.Registry.Away != "" && f.Local == nil {
		return wait("the registry is away (%s), and only it can tell whether the replica has run before", f.Registry.Away)
	}
	return Decision{Verdict: Start, Kind: Initial, Members: members, Source: k.source, Warnings: k.warnings}
}

func firstOfJoined(f Facts, k knowledge) Decision {
	membership, who := newest(f)
	_, member := membership.Address(f.Replica)
	entry := f.Registry.Entry
	decided := Decision{Verdict: Start, Kind: k.kind, Join: true, NonVoting: k.kind == JoinedNonVoting, Source: k.source, Warnings: k.warnings}
	switch {
	case f.Local != nil:
		// Written because the addition was committed; the start itself did not happen any more.
		return decided
	case f.Registry.Configured && f.Registry.Away != "":
		return wait("the registry is away (%s): a first start needs its word", f.Registry.Away)
	case entry != nil && entry.State == Planned && !member:
		return wait("the addition is planned and not known to be committed")
	case entry != nil:
		return decided
	case f.Registry.Configured && !member:
		return wait("neither the registry nor another host knows of the replica")
	case !member && f.PeersAsked > 0 && len(f.Peers) == 0:
		return wait("no other host answers, and nobody else can say whether the addition was committed")
	case !member:
		return wait("nobody says that the addition was committed")
	case k.kind != Unknown:
		return decided
	}
	if _, nonVoting := membership.NonVotings[f.Replica]; nonVoting {
		decided.Kind, decided.NonVoting, decided.Source = JoinedNonVoting, true, who
		return decided
	}
	return refuse("%s has it as a voter, and nobody remembers whether it was added as one or promoted; say so in "+
		"`joined_as`, or remove it and add a new one", who)
}
