package agent

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// watchedTransport passes everything on and reads the answers.
type watchedTransport struct {
	raft.Transport
	peers *peers
}

// The wrapper has exactly those optional interfaces that the transport has. One that hid pre-vote
// would let every returning node throw out a healthy leader.
type (
	withPreVote struct{ raft.WithPreVote }
	withClose   struct{ raft.WithClose }
	preVoteOnly struct {
		*watchedTransport
		withPreVote
	}
	closeOnly struct {
		*watchedTransport
		withClose
	}
	preVoteAndClose struct {
		*watchedTransport
		withPreVote
		withClose
	}
)

var (
	_ raft.WithPreVote = preVoteOnly{}
	_ raft.WithPreVote = preVoteAndClose{}
	_ raft.WithClose   = closeOnly{}
	_ raft.WithClose   = preVoteAndClose{}
)

func wrapTransport(inner raft.Transport, peers *peers) raft.Transport {
	watched := &watchedTransport{Transport: inner, peers: peers}
	preVote, canPreVote := inner.(raft.WithPreVote)
	closing, canClose := inner.(raft.WithClose)
	switch {
	case canPreVote && canClose:
		return preVoteAndClose{watched, withPreVote{preVote}, withClose{closing}}
	case canPreVote:
		return preVoteOnly{watched, withPreVote{preVote}}
	case canClose:
		return closeOnly{watched, withClose{closing}}
	default:
		return watched
	}
}

func (t *watchedTransport) AppendEntries(
	id raft.ServerID, target raft.ServerAddress,
	asked *raft.AppendEntriesRequest, told *raft.AppendEntriesResponse,
) error {
	start := now()
	err := t.Transport.AppendEntries(id, target, asked, told)
	if err != nil {
		t.peers.failed(id, asked.Term)
		return err
	}
	t.peers.answered(id, asked, told, byAppend, start)
	return nil
}

func (t *watchedTransport) InstallSnapshot(
	id raft.ServerID, target raft.ServerAddress,
	asked *raft.InstallSnapshotRequest, told *raft.InstallSnapshotResponse, data io.Reader,
) error {
	start := now()
	t.peers.snapshotBegins(id, asked.Term)
	err := t.Transport.InstallSnapshot(id, target, asked, told, data)
	t.peers.snapshotEnds(id, asked, told, start, err)
	return err
}

func (t *watchedTransport) AppendEntriesPipeline(
	id raft.ServerID, target raft.ServerAddress,
) (raft.AppendPipeline, error) {
	inner, err := t.Transport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	from := inner.Consumer()
	watched := &watchedPipeline{
		AppendPipeline: inner, id: id, peers: t.peers,
		// As deep as the one before it, so that nothing waits that would not have waited.
		passed: make(chan raft.AppendFuture, max(1, cap(from))),
		closed: make(chan struct{}),
	}
	go watched.pass(from)
	return watched, nil
}

// watchedPipeline reads the answers of a pipeline on their way.
type watchedPipeline struct {
	raft.AppendPipeline
	id     raft.ServerID
	peers  *peers
	passed chan raft.AppendFuture
	closed chan struct{}
	once   sync.Once
}

func (p *watchedPipeline) Consumer() <-chan raft.AppendFuture { return p.passed }

func (p *watchedPipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}

func (p *watchedPipeline) pass(from <-chan raft.AppendFuture) {
	for {
		select {
		case future, open := <-from:
			if !open {
				return
			}
			// Whatever becomes of reading it, the answer goes on to Raft.
			_ = contained(func() error { return p.read(future) })
			select {
			case p.passed <- future:
			case <-p.closed:
				return
			}
		case <-p.closed:
			return
		}
	}
}

func (p *watchedPipeline) read(future raft.AppendFuture) error {
	// What comes out of the consumer has ended, so asking does not wait.
	if err := future.Error(); err != nil {
		return err
	}
	start := now() - int64(time.Since(future.Start()))
	p.peers.answered(p.id, future.Request(), future.Response(), byPipeline, start)
	return nil
}
