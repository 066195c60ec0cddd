package agent

import "quorate.dev/agent/go/protocol"

// Identity is who answers, and what it can do.
func (a *Agent) Identity() protocol.Identity {
	identity := protocol.Identity{
		Implementation: "hashicorp-raft", LibraryVersion: libraryVersion(), AgentVersion: Version,
		Program: a.options.Program, Member: string(a.options.Member), Instance: a.instance,
		Capabilities: a.capabilities(),
	}
	if identity.Program == "" {
		identity.Program = "hashicorp/raft"
	}
	if a.options.ClusterID != "" {
		identity.ClusterID = protocol.Known(a.options.ClusterID)
	}
	if a.watched.address != "" {
		identity.RaftAddress = protocol.Known(string(a.watched.address))
	}
	return identity
}

const (
	blind = "The host does not let the agent watch its transport, so nobody knows who answers."

	compared = "The library compares the configuration's index itself."
	hashed   = "The members are compared just before the change; the library does not compare them again."
)

func (a *Agent) capabilities() []protocol.Capability {
	cas := hashed
	if a.watched.machine != nil {
		cas = compared
	}
	can := func(action protocol.Action, note string) protocol.Capability {
		return protocol.Capability{Action: action, Supported: true, Target: true, Note: &note}
	}
	needsSight := func(action protocol.Action, note string) protocol.Capability {
		if a.watched.peers == nil {
			return protocol.Capability{Action: action, Target: true, Note: protocol.Known(blind)}
		}
		return can(action, note)
	}
	return []protocol.Capability{
		can(protocol.AddLearner, "The newcomer's agent must answer; it must be empty and carry an id never used before. "+cas),
		needsSight(protocol.Promote, cas),
		needsSight(protocol.Demote, cas),
		can(protocol.Remove, "The removed process goes on in silence until it is stopped. "+cas),
		needsSight(protocol.Transfer, "Writes are refused while leadership moves."),
		can(protocol.Snapshot, "The node keeps the snapshot itself; there is no content to download."),
	}
}
