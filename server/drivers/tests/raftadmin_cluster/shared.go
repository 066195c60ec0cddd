package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// shared is one port for Raft and for gRPC, told apart by the first byte: Raft's requests begin
// with a small number, those of gRPC with a letter or, by TLS, with 22.
type shared struct {
	net.Listener
	raft, others chan net.Conn
	// alone: there is nothing but Raft here.
	alone atomic.Bool
	ended chan struct{}
	end   sync.Once
}

const lastOfRaft = 15

func share(address string) (*shared, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &shared{Listener: listener, raft: make(chan net.Conn), others: make(chan net.Conn), ended: make(chan struct{})}
	go s.accept()
	return s, nil
}

func (s *shared) accept() {
	for {
		connection, err := s.Listener.Accept()
		if err != nil {
			_ = s.Close()
			return
		}
		go s.hand(connection)
	}
}

func (s *shared) hand(connection net.Conn) {
	first := make([]byte, 1)
	if _, err := connection.Read(first); err != nil {
		_ = connection.Close()
		return
	}
	to := s.others
	if first[0] <= lastOfRaft || s.alone.Load() {
		to = s.raft
	}
	select {
	case to <- &begun{Conn: connection, first: first}:
	case <-s.ended:
		_ = connection.Close()
	}
}

func (s *shared) Close() error {
	s.end.Do(func() { close(s.ended) })
	return s.Listener.Close()
}

func (s *shared) forRaft() raft.StreamLayer { return &part{shared: s, come: s.raft} }
func (s *shared) forOthers() net.Listener   { return &part{shared: s, come: s.others} }

// begun is a connection whose first byte has been read.
type begun struct {
	net.Conn
	first []byte
}

func (b *begun) Read(into []byte) (int, error) {
	if len(b.first) > 0 && len(into) > 0 {
		count := copy(into, b.first)
		b.first = b.first[count:]
		return count, nil
	}
	return b.Conn.Read(into)
}

// part is a listener for what is meant for one of the two.
type part struct {
	shared *shared
	come   chan net.Conn
}

func (p *part) Accept() (net.Conn, error) {
	select {
	case connection := <-p.come:
		return connection, nil
	case <-p.shared.ended:
		return nil, net.ErrClosed
	}
}

func (p *part) Close() error   { return p.shared.Close() }
func (p *part) Addr() net.Addr { return p.shared.Addr() }

func (p *part) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(address), timeout)
}
