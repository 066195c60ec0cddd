// Package cuts is a transport for programs of tests: it cuts a node off from others.
package cuts

import (
	"errors"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

var errCut = errors.New("the connection is cut")

// Transport is one whose way to some peers can be cut, inside of open pipelines too. To cut two
// nodes apart, both are told.
type Transport struct {
	*raft.NetworkTransport
	mutex sync.Mutex
	to    map[raft.ServerID]bool
}

// Set cuts the way to these peers, and to no others.
func (c *Transport) Set(peers []raft.ServerID) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.to = map[raft.ServerID]bool{}
	for _, peer := range peers {
		c.to[peer] = true
	}
}

func (c *Transport) check(id raft.ServerID) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.to[id] {
		return errCut
	}
	return nil
}

func (c *Transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, asked *raft.AppendEntriesRequest, told *raft.AppendEntriesResponse) error {
	if err := c.check(id); err != nil {
		return err
	}
	return c.NetworkTransport.AppendEntries(id, target, asked, told)
}

func (c *Transport) RequestVote(id raft.ServerID, target raft.ServerAddress, asked *raft.RequestVoteRequest, told *raft.RequestVoteResponse) error {
	if err := c.check(id); err != nil {
		return err
	}
	return c.NetworkTransport.RequestVote(id, target, asked, told)
}

func (c *Transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, asked *raft.RequestPreVoteRequest, told *raft.RequestPreVoteResponse) error {
	if err := c.check(id); err != nil {
		return err
	}
	return c.NetworkTransport.RequestPreVote(id, target, asked, told)
}

func (c *Transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, asked *raft.InstallSnapshotRequest, told *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := c.check(id); err != nil {
		return err
	}
	return c.NetworkTransport.InstallSnapshot(id, target, asked, told, data)
}

func (c *Transport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, asked *raft.TimeoutNowRequest, told *raft.TimeoutNowResponse) error {
	if err := c.check(id); err != nil {
		return err
	}
	return c.NetworkTransport.TimeoutNow(id, target, asked, told)
}

func (c *Transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	if err := c.check(id); err != nil {
		return nil, err
	}
	pipeline, err := c.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &cutPipeline{pipeline, c, id}, nil
}

type cutPipeline struct {
	raft.AppendPipeline
	cuts *Transport
	id   raft.ServerID
}

func (p *cutPipeline) AppendEntries(asked *raft.AppendEntriesRequest, told *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	if err := p.cuts.check(p.id); err != nil {
		return nil, err
	}
	return p.AppendPipeline.AppendEntries(asked, told)
}
