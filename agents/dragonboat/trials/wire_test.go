package trials

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"quorate.dev/agent/go/protocol"
)

// longestChange is the most that a change may take. What is not there by then does not come any more.
const longestChange = 12 * time.Second

// patient waits as long as a change may take, which is longer than a look.
func patient() *protocol.Peer {
	return &protocol.Peer{Token: token, HTTP: &http.Client{Timeout: longestChange}}
}

// wire stands between whoever asks and a host's agent. Every request arrives, no answer does.
type wire struct {
	listener net.Listener
	// agent is where the host's agent listens.
	agent string
	// atOnce: the wire breaks as soon as the request has been passed on. Else it breaks when the answer comes.
	atOnce bool
	// passed counts the requests that arrived.
	passed atomic.Int64
}

func (c *cluster) wire(n int, atOnce bool) *wire {
	c.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	w := &wire{listener: listener, agent: c.hosts[n].listen, atOnce: atOnce}
	go func() {
		for {
			caller, err := listener.Accept()
			if err != nil {
				return
			}
			go w.carry(caller)
		}
	}()
	return w
}

func (w *wire) origin() string { return "http://" + w.listener.Addr().String() }

func (w *wire) carry(caller net.Conn) {
	defer func() { _ = caller.Close() }()
	agent, err := net.Dial("tcp", w.agent)
	if err != nil {
		return
	}
	defer func() { _ = agent.Close() }()
	request, err := http.ReadRequest(bufio.NewReader(caller))
	if err != nil || request.Write(agent) != nil {
		return
	}
	w.passed.Add(1)
	if !w.atOnce {
		_, _ = agent.Read(make([]byte, 1))
	}
}

// lost asks for a change until it is seen to have happened, and hears no answer. It gives the request whose answer
// was lost.
func (c *cluster) lost(atOnce bool, asked protocol.ChangeRequest, seen func(*protocol.GroupView) bool) protocol.ChangeRequest {
	c.t.Helper()
	var last time.Time
	c.eventually("the change whose answer was lost has happened", func() bool {
		leader := c.leader()
		view, err := c.view(leader, "default")
		switch {
		case err != nil || view.State != protocol.Leader:
			return false
		case seen(view):
			return true
		case time.Since(last) > longestChange:
			// Not asked for yet, or refused: a machine so busy that leadership moved, or nobody was heard.
			asked.ExpectedRevision = view.Membership.Revision
			c.unanswered(leader, atOnce, asked)
			last = time.Now()
		}
		return false
	})
	return asked
}

func (c *cluster) unanswered(n int, atOnce bool, asked protocol.ChangeRequest) {
	c.t.Helper()
	w := c.wire(n, atOnce)
	defer func() { _ = w.listener.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), longestChange)
	defer cancel()
	_, err := patient().Change(ctx, w.origin(), "default", asked)
	var refused *protocol.Refusal
	if err == nil || errors.As(err, &refused) {
		c.t.Fatalf("an answer came through: %v", err)
	}
	if passed := w.passed.Load(); passed != 1 {
		c.t.Fatalf("%d requests arrived", passed)
	}
}

// again asks once more for what has happened, as somebody would who had no answer: on the membership it was decided
// on, and on the one there is now. Neither changes anything.
func (c *cluster) again(asked protocol.ChangeRequest, already string) {
	c.t.Helper()
	before := c.ccid()
	c.eventually("it is refused to whoever goes by the old membership", func() bool {
		leader := c.leader()
		_, err := patient().Change(context.Background(), c.hosts[leader].origin(), "default", asked)
		var refused *protocol.Refusal
		if !errors.As(err, &refused) {
			c.t.Fatalf("%s once more: %v", asked.Action, err)
		}
		view, err := c.view(leader, "default")
		return err == nil && refused.Code == "revision-moved" && refused.Revision != nil && *refused.Revision == view.Membership.Revision
	})
	c.refused(already, nil, second(c.onLeader(asked.Action, asked.Member, asked.Address)))
	if after := c.ccid(); after != before {
		c.t.Fatalf("the membership moved from %d to %d", before, after)
	}
}
