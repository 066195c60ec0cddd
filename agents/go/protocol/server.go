package protocol

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	// A change request is a few names; nothing larger is read.
	bodyLimit = 16 * 1024
	// moreLimit bounds the bodies of a library's own calls.
	moreLimit = 256 * 1024
	// lookLimit is how long a look may take before the agent answers for it.
	lookLimit = 500 * time.Millisecond
	// mostLooks is how many looks run at once.
	mostLooks = 64
	// smallAnswer is not worth compressing.
	smallAnswer = 2 * 1024
)

// Node is a library's side of an agent; see the package's words on what it has to keep to.
type Node interface {
	// Identity without the caller's rights.
	Identity() Identity
	// View is this node's own view of a group; false if no such group runs here.
	View(ctx context.Context, group string) (GroupView, bool)
	// Refresh brings the board up to date before it is shown.
	Refresh(ctx context.Context)
	// Change carries out one change, with all checks.
	Change(ctx context.Context, group string, request ChangeRequest) (Receipt, error)
}

// Options are what the host decides about its agent.
type Options struct {
	// ReadTokens may look. ChangeTokens may look and change.
	ReadTokens   []Token
	ChangeTokens []Token
	// CertificateRights tells what a certificate may do that TLS has verified already.
	CertificateRights func(*x509.Certificate) Rights
	// ChangeLimit is how long a change may take; 10 s is the most, and what zero means.
	ChangeLimit time.Duration
	// MostStreams is how many event streams are served at once; zero means 32.
	MostStreams int
	// KeepAlive is how often a silent stream shows that it lives; zero means 5 s.
	KeepAlive time.Duration
	// Failed is told of panics the agent has caught, with their stack. It may be nil.
	Failed func(what string)
	// More are calls of a library's own, for agents of the same library to speak with each other.
	More []Call
}

// Call is a call below [Base] that the protocol does not have.
type Call struct {
	// Method and Path, `dragonboat/replicas`; wildcards as in [http.ServeMux].
	Method, Path string
	// Needs is the right a caller must have.
	Needs Rights
	// Serve gives what is answered, as JSON. Its context ends after the limit for changes.
	Serve func(ctx context.Context, request *http.Request) (any, *Refusal)
}

const mostChangeTime = 10 * time.Second

// ErrNobodyMayCome is a server that no credential opens.
var ErrNobodyMayCome = errors.New("no token and no certificate is let in: " +
	"give ReadTokens, ChangeTokens or CertificateRights")

// Server speaks the protocol for one node.
type Server struct {
	node    Node
	board   *Board
	options Options
	streams chan struct{}
	// looks bounds how many looks may hang at once should a node's side ever hang.
	looks chan struct{}
	ended chan struct{}
	end   sync.Once

	places sync.Mutex
	// busy holds the groups in which a change or a snapshot runs.
	busy map[place]struct{}
}

type place struct {
	group    string
	snapshot bool
}

// NewServer makes a server of a node and its board.
func NewServer(node Node, board *Board, options Options) (*Server, error) {
	mayCome := options.CertificateRights != nil
	for _, tokens := range [][]Token{options.ReadTokens, options.ChangeTokens} {
		for _, token := range tokens {
			mayCome = mayCome || token.valid
		}
	}
	if !mayCome {
		return nil, ErrNobodyMayCome
	}
	if options.ChangeLimit <= 0 || options.ChangeLimit > mostChangeTime {
		options.ChangeLimit = mostChangeTime
	}
	if options.MostStreams <= 0 {
		options.MostStreams = 32
	}
	if options.KeepAlive <= 0 {
		options.KeepAlive = 5 * time.Second
	}
	return &Server{
		node: node, board: board, options: options,
		streams: make(chan struct{}, options.MostStreams),
		looks:   make(chan struct{}, mostLooks),
		ended:   make(chan struct{}), busy: map[place]struct{}{},
	}, nil
}

// Close ends all event streams; calls after it are answered as before.
func (s *Server) Close() { s.end.Do(func() { close(s.ended) }) }

type rightsKey struct{}

// Handler serves everything below [Base].
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Base+"/identity", s.identity)
	mux.HandleFunc("GET "+Base+"/groups", s.groups)
	mux.HandleFunc("GET "+Base+"/groups/{group}", s.group)
	mux.HandleFunc("POST "+Base+"/groups/{group}/changes", s.change)
	mux.HandleFunc("GET "+Base+"/events", s.events)
	for _, call := range s.options.More {
		mux.HandleFunc(call.Method+" "+Base+"/"+call.Path, s.more(call))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refusal(http.StatusNotFound, "unknown-path", "The agent has no such call.").write(w)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		defer s.contain(w)
		rights := s.options.rightsOf(request)
		if rights == MayNothing {
			notSignedIn().write(w)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		with := context.WithValue(request.Context(), rightsKey{}, rights)
		mux.ServeHTTP(w, request.WithContext(with))
	})
}

func (s *Server) more(call Call) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		if rightsIn(request) < call.Needs {
			notAllowed().write(w)
			return
		}
		ctx, cancel := context.WithTimeout(request.Context(), s.options.ChangeLimit)
		defer cancel()
		request.Body = http.MaxBytesReader(w, request.Body, moreLimit)
		value, refused := call.Serve(ctx, request)
		if refused != nil {
			refused.write(w)
			return
		}
		answer(w, request, value)
	}
}

// contain makes an answer of a panic; none reaches the host.
func (s *Server) contain(w http.ResponseWriter) {
	if caught := recover(); caught != nil {
		s.failed(caught)
		AgentFault("The agent failed; what was asked for may or may not have happened.").write(w)
	}
}

func (s *Server) failed(caught any) {
	if s.options.Failed == nil {
		return
	}
	defer func() { _ = recover() }()
	s.options.Failed(fmt.Sprintf("%v\n%s", caught, debug.Stack()))
}

func rightsIn(request *http.Request) Rights {
	rights, _ := request.Context().Value(rightsKey{}).(Rights)
	return rights
}

func (s *Server) identity(w http.ResponseWriter, request *http.Request) {
	identity := s.node.Identity()
	identity.Protocol = Version
	identity.Rights = rightsIn(request).names()
	if identity.Capabilities == nil {
		identity.Capabilities = []Capability{}
	}
	answer(w, request, identity)
}

func (s *Server) groups(w http.ResponseWriter, request *http.Request) {
	_, _ = guarded(s, lookLimit, func(ctx context.Context) struct{} {
		s.node.Refresh(ctx)
		return struct{}{}
	})
	answer(w, request, s.board.Since(request.URL.Query().Get("since")))
}

type look struct {
	view  GroupView
	known bool
}

// view asks the node under a limit; a panic or silence of its becomes a refusal.
func (s *Server) view(group string) (*GroupView, *Refusal) {
	seen, ok := guarded(s, 2*lookLimit, func(ctx context.Context) look {
		view, known := s.node.View(ctx, group)
		return look{view, known}
	})
	if !ok {
		return nil, AgentFault("The agent could not look at the group.")
	}
	if !seen.known {
		return nil, UnknownGroup()
	}
	neverNull(&seen.view)
	return &seen.view, nil
}

func (s *Server) group(w http.ResponseWriter, request *http.Request) {
	view, refused := s.view(request.PathValue("group"))
	if refused != nil {
		refused.write(w)
		return
	}
	answer(w, request, view)
}

func (s *Server) change(w http.ResponseWriter, request *http.Request) {
	if rightsIn(request) < MayChange {
		notAllowed().write(w)
		return
	}
	group := request.PathValue("group")
	asked, refused := readChange(request)
	if refused != nil {
		refused.write(w)
		return
	}
	receipt, refused := s.Change(group, asked)
	if refused != nil {
		refused.write(w)
		return
	}
	answer(w, request, receipt)
}

// guarded runs work on a goroutine of its own, for so long at most; false if it failed or was
// not done in time.
func guarded[T any](s *Server, limit time.Duration, work func(context.Context) T) (T, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var none T
	select {
	case s.looks <- struct{}{}:
	case <-ctx.Done():
		return none, false
	}
	done := make(chan T, 1)
	go func() {
		defer func() { <-s.looks }()
		defer func() {
			if caught := recover(); caught != nil {
				s.failed(caught)
				cancel()
			}
		}()
		done <- work(ctx)
	}()
	select {
	case value := <-done:
		return value, true
	case <-ctx.Done():
		return none, false
	}
}

// neverNull gives lists and maps that are empty the shape of a list and a map.
func neverNull(view *GroupView) {
	if view.Progress == nil {
		view.Progress = map[string]Progress{}
	}
	if view.Burned == nil {
		view.Burned = []string{}
	}
	if view.Membership.Members == nil {
		view.Membership.Members = []Member{}
	}
	if view.Membership.Configs == nil {
		view.Membership.Configs = [][]string{}
	}
}

func answer(w http.ResponseWriter, request *http.Request, value any) {
	body, err := encoded(value)
	if err != nil {
		AgentFault("The answer could not be written.").write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) < smallAnswer || !strings.Contains(request.Header.Get("Accept-Encoding"), "gzip") {
		_, _ = w.Write(body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	packed, ok := packers.Get().(*gzip.Writer)
	if !ok {
		return
	}
	defer packers.Put(packed)
	packed.Reset(w)
	_, _ = packed.Write(body)
	_ = packed.Close()
}

// packers hold most of a megabyte each: too much to make one for every answer.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}
