package agent_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"quorate.dev/agent/go/protocol"
)

// listener keeps what an event stream said.
type listener struct {
	mutex sync.Mutex
	lines []string
}

func listen(t *testing.T, c *cluster, id string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.nodes[id].Origin+protocol.Base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+looking)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(err, response)
	}
	heard := &listener{}
	go func() {
		defer func() { _ = response.Body.Close() }()
		scanner := bufio.NewScanner(response.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			heard.mutex.Lock()
			heard.lines = append(heard.lines, scanner.Text())
			heard.mutex.Unlock()
		}
	}()
	return heard
}

func (l *listener) said(parts ...string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, line := range l.lines {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

func TestHeartbeatsPeersAndLeadersAreToldAsTheyAreObserved(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader, lost := c.leader(), c.follower()
	var other string
	for id := range c.nodes {
		if id != leader && id != lost {
			other = id
		}
	}
	atLeader, atOther := listen(t, c, leader), listen(t, c, other)
	c.until("the stream begins with the group", func() bool {
		return atLeader.said("event: group") && atLeader.said("id: leader.")
	})
	c.stop(lost)
	c.until("a failed heartbeat is told", func() bool {
		return atLeader.said("heartbeat-failed", `"`+lost+`"`)
	})
	c.restart(lost)
	c.until("that it came back is told", func() bool {
		return atLeader.said("heartbeat-resumed", `"`+lost+`"`)
	})
	c.start("d")
	c.add("d")
	c.until("a new peer is told", func() bool { return atLeader.said("peer-added", `"d"`) })
	c.stop(leader)
	c.until("the group moves, and the new leader is told", func() bool {
		now := c.leader()
		return now != leader && atOther.said(`"kind":"leader"`, `"`+now+`"`)
	})
}

func TestIdsOfFormerMembersOutliveARestart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2)
	leader := c.leader()
	c.start("x")
	c.add("x")
	c.done(protocol.Remove, "x")
	c.stop("x")
	c.until("every node keeps the id in its file", func() bool {
		for id := range c.nodes {
			if burned := c.view(id).Burned; len(burned) != 1 || burned[0] != "x" {
				return false
			}
		}
		return true
	})
	c.start("y", func(o *nodeOptions) { o.ID, o.Dir = "x", o.Dir+"-anew" })
	_, err := c.ask(protocol.AddLearner, "", c.nodes["y"].Origin)
	if codeOf(err) != "id-burned" {
		t.Fatal(err)
	}
	// The log forgets with a snapshot; the file does not.
	follower := c.follower()
	if follower == leader {
		t.Fatal("the follower leads")
	}
	if err := c.nodes[leader].Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	c.until("a snapshot is taken", func() bool {
		_, err := c.askOf(follower, protocol.ChangeRequest{Action: protocol.Snapshot})
		return err == nil
	})
	c.stop(follower)
	c.restart(follower)
	if burned := c.view(follower).Burned; len(burned) != 1 || burned[0] != "x" {
		t.Fatal("forgotten", burned)
	}
}

func TestNewcomersThatAreNotWhatTheyShouldBeAreRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	stranger := newCluster(t, 1, func(o *nodeOptions) { o.ClusterID = "another" })
	c.start("b", func(o *nodeOptions) { o.ClusterID = "another" })
	for _, each := range []struct{ member, address, code string }{
		{"", stranger.nodes["a"].Origin, "newcomer-other-cluster"},
		{"", c.nodes["b"].Origin, "newcomer-other-cluster"},
		{"z", c.nodes["b"].Origin, "newcomer-other-id"},
		{"", c.nodes["a"].Origin, "newcomer-not-empty"},
		{"", "http://127.0.0.1:1", "newcomer-silent"},
		{"", "not an address", "newcomer-silent"},
	} {
		_, err := c.ask(protocol.AddLearner, each.member, each.address)
		if codeOf(err) != each.code {
			t.Errorf("%s: %v instead of %s", each.address, err, each.code)
		}
	}
	// A Raft address will do too, where the agents' place is known.
	c.start("c")
	if _, err := c.ask(protocol.AddLearner, "c", c.nodes["c"].Address); err != nil {
		t.Fatal(err)
	}
}
