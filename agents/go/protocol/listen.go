package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPlainBeyondLoopback is an address that others can reach, without TLS.
var ErrPlainBeyondLoopback = errors.New("beyond loopback an agent listens with TLS only")

// Listen serves the protocol on a listener of its own. An empty address means a free port on
// loopback. Without TLS only loopback addresses are taken. The returned function ends it.
func (s *Server) Listen(address string, config *tls.Config) (stop func(), at net.Addr, err error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	if config == nil && !onLoopback(address) {
		return nil, nil, fmt.Errorf("%s: %w", address, ErrPlainBeyondLoopback)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	at = listener.Addr()
	listener = &bounded{Listener: listener, places: make(chan struct{}, mostConnections), closed: make(chan struct{})}
	// TLS outermost: only then does the server see the certificates.
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 * 1024,
	}
	go func() { _ = server.Serve(listener) }()
	stop = func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	return stop, at, nil
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// mostConnections bounds what callers can make an agent hold.
const mostConnections = 128

// bounded accepts a connection only while there is a place for it.
type bounded struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &placed{Conn: conn, places: b.places}, nil
}

// Close lets go of who waits for a place too: the end of a server waits for that first, whatever its limit.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type placed struct {
	net.Conn
	places chan struct{}
	left   atomic.Bool
}

func (p *placed) Close() error {
	if p.left.CompareAndSwap(false, true) {
		<-p.places
	}
	return p.Conn.Close()
}
