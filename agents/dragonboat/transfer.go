package agent

import (
	"fmt"
	"strconv"
	"time"

	"quorate.dev/agent/go/protocol"
)

// transferPoll is how often the leader is looked for; a transfer takes 4 to 7 ms.
const transferPoll = 2 * time.Millisecond

// transfer offers leadership to a member that is level, answers and has run for a while. Dragonboat answers
// nothing at all to such a request, so the outcome is looked up.
func (c *change) transfer() (protocol.Receipt, *protocol.Refusal) {
	replica, _, refused := c.allowed()
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	if ready, told := c.readyFor[c.asked.Member]; told && ready < grace {
		return protocol.Receipt{}, protocol.Rulef("just-started", "%s is ready for %d ms; offered leadership within %d ms of that, it may "+
			"end in an election.", c.asked.Member, ready.Milliseconds(), grace.Milliseconds())
	}
	if err := c.at.library.Transfer(c.shard, replica); err != nil {
		return protocol.Receipt{}, protocol.Rule("refused-by-core", err.Error())
	}
	leader, term := c.newLeader(c.at.library, replica)
	switch {
	case leader == replica:
		return c.moved(leader, term, protocol.Done), nil
	case leader != 0 && leader != c.own():
		return c.moved(leader, term, protocol.Other), nil
	case leader == 0:
		return protocol.Receipt{}, protocol.Unknown("The old leader leads no more, and nobody else was seen to lead.")
	}
	return protocol.Receipt{}, protocol.Rulef("transfer-not-taken", "%s was level and answered, and did not take the leadership. If it stays "+
		"so, it may run as non-voting although it votes: start it again in its role.", c.asked.Member)
}

func (c *change) own() uint64 {
	now, _ := c.agent.row(c.shard)
	return now.info.ReplicaID
}

// newLeader looks for two election timeouts, or until somebody else leads.
func (c *change) newLeader(library library, wanted uint64) (leader, term uint64) {
	election, _ := c.agent.program.Timing(c.shard)
	limit := max(2*2*time.Duration(election)*c.at.rtt, 500*time.Millisecond)
	end := time.Now().Add(min(limit, 5*time.Second))
	for {
		leader, term, known := library.Leader(c.shard)
		if !known {
			leader = 0
		}
		if leader == wanted || time.Now().After(end) || c.ctx.Err() != nil {
			return leader, term
		}
		if leader != 0 && leader != c.own() {
			return leader, term
		}
		pause(c.ctx, transferPoll)
	}
}

func (c *change) moved(leader, term uint64, outcome protocol.Outcome) protocol.Receipt {
	c.agent.look()
	address, _ := c.seen.Address(leader)
	name := c.agent.hosts.at(address).Name
	return protocol.Receipt{
		Action: c.asked.Action, Member: &c.asked.Member, Outcome: outcome, Leader: &name, Term: term,
		Revision: strconv.FormatUint(c.seen.Index, 10),
		Note:     fmt.Sprintf("Writes may have paused for up to %d ms.", c.electionTimeout().Milliseconds()),
	}
}

func (c *change) electionTimeout() time.Duration {
	election, _ := c.agent.program.Timing(c.shard)
	return 2 * time.Duration(election) * c.at.rtt
}
