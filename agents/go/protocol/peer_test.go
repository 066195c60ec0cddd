package protocol

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// wire is a client's way to others, made up.
type wire func(*http.Request) *http.Response

func (w wire) RoundTrip(request *http.Request) (*http.Response, error) { return w(request), nil }

func answering(body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body)}
}

func TestATokenGoesToLoopbackAndOverTLSOnly(t *testing.T) {
	var sent string
	peer := &Peer{Token: "secret", HTTP: &http.Client{Transport: wire(func(request *http.Request) *http.Response {
		sent = request.Header.Get("Authorization")
		return answering(strings.NewReader(`{"protocol":1}`))
	})}}
	for _, c := range []struct {
		origin, sent string
		contacted    bool
	}{
		{"http://127.0.0.1:7000", "Bearer secret", true},
		{"http://[::1]:7000", "Bearer secret", true},
		{"http://localhost", "Bearer secret", true},
		{"https://10.0.0.4:7000", "Bearer secret", true},
		{"http://10.0.0.4:7000", "", false},
		{"http://user:word@127.0.0.1:7000", "", false},
		{"ftp://127.0.0.1:7000", "", false},
		{"127.0.0.1:7000", "", false},
		{"", "", false},
	} {
		sent = ""
		if _, err := peer.Identity(context.Background(), c.origin); (err == nil) != c.contacted || sent != c.sent {
			t.Errorf("%s: sent %q, %v", c.origin, sent, err)
		}
	}
	// Even where the host allows it, a plain wire does not see the token.
	peer.Allowed = func(*url.URL) bool { return true }
	sent = "-"
	if _, err := peer.Identity(context.Background(), "http://10.0.0.4:7000"); err != nil || sent != "" {
		t.Fatal(sent, err)
	}
}

func TestWhoSendsOnIsNotFollowed(t *testing.T) {
	var reached atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer elsewhere.Close()
	sending := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer sending.Close()
	peer := &Peer{Token: "secret"}
	if _, err := peer.Change(context.Background(), sending.URL, "default", ChangeRequest{Action: Snapshot}); err == nil || reached.Load() {
		t.Fatal("a token may have gone elsewhere:", err)
	}
}

// endless counts what is read of it, up to a little more than anybody may read.
type endless struct{ read int }

func (e *endless) Read(into []byte) (int, error) {
	if e.read > answerLimit+1<<20 {
		return 0, io.EOF
	}
	e.read += len(into)
	return len(into), nil
}

func TestAnAnswerIsReadUpToABound(t *testing.T) {
	body := &endless{}
	peer := &Peer{HTTP: &http.Client{Transport: wire(func(*http.Request) *http.Response { return answering(body) })}}
	if _, err := peer.View(context.Background(), "https://10.0.0.4", "default"); err == nil || body.read > answerLimit {
		t.Fatal(body.read, err)
	}
}

func TestWhoSpeaksAnotherProtocolIsNotUnderstood(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"protocol":2,"member":"n1"}`))
	}))
	defer other.Close()
	if _, err := (&Peer{}).Identity(context.Background(), other.URL); err == nil {
		t.Fatal("version 2 was taken for version 1")
	}
	if _, refused := (&Peer{}).Meet(context.Background(), other.URL, "default", "", nil); refused == nil || refused.Code != "newcomer-silent" {
		t.Fatal(refused)
	}
}

func TestARefusalOfAnotherAgentKeepsWhatItSays(t *testing.T) {
	leader, revision := &LeaderHint{Member: "n2", AgentAddress: Known("https://n2:7000")}, "9"
	node := &madeUp{change: func(context.Context, ChangeRequest) (Receipt, error) {
		refused := NotLeader(leader)
		refused.Revision = &revision
		return Receipt{}, refused
	}}
	_, err := (&Peer{Token: "do"}).Change(context.Background(), serve(t, node, Options{}).URL, "default", ChangeRequest{Action: Snapshot})
	var refused *Refusal
	if !errors.As(err, &refused) || refused.Code != "not-leader" || refused.Status != http.StatusMisdirectedRequest ||
		refused.Leader == nil || *refused.Leader.AgentAddress != "https://n2:7000" || *refused.Revision != "9" || refused.OutcomeUnknown() {
		t.Fatal(err)
	}
}
