package protocol

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// madeUp is a node of any number of groups that exist on a board only.
type madeUp struct {
	board   *Board
	cluster *string
	change  func(context.Context, ChangeRequest) (Receipt, error)
	view    func(group string) (GroupView, bool)
	refresh func()
}

func (m *madeUp) Identity() Identity {
	return Identity{Member: "n1", Program: "test 1", ClusterID: m.cluster}
}
func (m *madeUp) Refresh(context.Context) {
	if m.refresh != nil {
		m.refresh()
	}
}
func (m *madeUp) View(_ context.Context, group string) (GroupView, bool) {
	if m.view != nil {
		return m.view(group)
	}
	return GroupView{Group: group, Member: "n1", State: Follower}, m.board.Has(group)
}
func (m *madeUp) Change(ctx context.Context, _ string, asked ChangeRequest) (Receipt, error) {
	return m.change(ctx, asked)
}

func serve(t testing.TB, node *madeUp, options Options) *httptest.Server {
	t.Helper()
	if node.board == nil {
		node.board = NewBoard()
		node.board.Put(GroupSummary{Group: "default", State: Follower, Term: 1})
	}
	options.ReadTokens = []Token{NewToken("look"), NewToken("")}
	options.ChangeTokens = []Token{NewToken("do")}
	server, err := NewServer(node, node.board, options)
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(server.Handler())
	t.Cleanup(func() { server.Close(); listening.CloseClientConnections(); listening.Close() })
	return listening
}

func call(t testing.TB, method, url, token, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "none" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var told map[string]any
	if err := json.NewDecoder(response.Body).Decode(&told); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, told
}

func TestOnlyWhoHasTheRightMayCome(t *testing.T) {
	node := &madeUp{change: func(context.Context, ChangeRequest) (Receipt, error) {
		return Receipt{Outcome: Done}, nil
	}}
	server := serve(t, node, Options{})
	snapshot := `{"action":"snapshot","member":null}`
	for _, c := range []struct {
		method, path, token, body string
		status                    int
	}{
		{"GET", "/identity", "none", "", 401},
		{"GET", "/identity", "", "", 401},
		{"GET", "/identity", "other", "", 401},
		{"GET", "/nowhere", "other", "", 401},
		{"GET", "/nowhere", "look", "", 404},
		{"GET", "/identity", "look", "", 200},
		{"GET", "/groups/default", "do", "", 200},
		{"GET", "/groups/other", "do", "", 404},
		{"POST", "/groups/default/changes", "none", snapshot, 401},
		{"POST", "/groups/default/changes", "look", snapshot, 403},
		{"POST", "/groups/default/changes", "do", snapshot, 200},
		{"POST", "/groups/default/changes", "do", "{", 400},
		{"POST", "/groups/default/changes", "do", `{"action":"reboot"}`, 400},
		{"POST", "/groups/default/changes", "do", `{"action":"promote","member":"n2"}`, 400},
		{"POST", "/groups/default/changes", "do", strings.Repeat(" ", bodyLimit+1), 400},
	} {
		status, _ := call(t, c.method, server.URL+Base+c.path, c.token, c.body)
		if status != c.status {
			t.Errorf("%s %s as %q: %d instead of %d", c.method, c.path, c.token, status, c.status)
		}
	}
}

func TestAServerThatNobodyCouldUseIsNotMade(t *testing.T) {
	options := Options{ReadTokens: []Token{NewToken("")}}
	if _, err := NewServer(&madeUp{}, NewBoard(), options); !errors.Is(err, ErrNobodyMayCome) {
		t.Fatal(err)
	}
}

func TestATokenIsNeverShown(t *testing.T) {
	token := NewToken("secret")
	if shown := fmt.Sprintf("%v %+v %#v %s", token, token, token, token); shown != "*** *** *** ***" {
		t.Fatal(shown)
	}
}

func TestPanicsEndInTheAgent(t *testing.T) {
	caught := make(chan string, 8)
	node := &madeUp{
		change: func(context.Context, ChangeRequest) (Receipt, error) { panic("in a change") },
		view:   func(string) (GroupView, bool) { panic("in a view") },
	}
	server := serve(t, node, Options{Failed: func(what string) { caught <- what; panic("again") }})
	status, told := call(t, "POST", server.URL+Base+"/groups/default/changes", "do", `{"action":"snapshot"}`)
	if status != 500 || told["code"] != "agent-fault" {
		t.Fatal(status, told)
	}
	status, told = call(t, "GET", server.URL+Base+"/groups/default", "do", "")
	if status != 500 || told["code"] != "agent-fault" {
		t.Fatal(status, told)
	}
	if what := <-caught; !strings.Contains(what, "in a change") {
		t.Fatal(what)
	}
}

func TestAChangeWithoutAnEndIsUnknownAndKeepsItsPlace(t *testing.T) {
	release := make(chan struct{})
	node := &madeUp{change: func(context.Context, ChangeRequest) (Receipt, error) {
		<-release
		return Receipt{}, nil
	}}
	server := serve(t, node, Options{ChangeLimit: 10 * time.Millisecond})
	url := server.URL + Base + "/groups/default/changes"
	body := `{"action":"promote","member":"n2","expected_revision":"1"}`
	if status, told := call(t, "POST", url, "do", body); status != 504 || told["code"] != "unknown" {
		t.Fatal(status, told)
	}
	status, told := call(t, "POST", url, "do", body)
	if status != 409 || told["code"] != "change-in-progress" {
		t.Fatal(status, told)
	}
	close(release)
	eventually(t, "the place is free again", func() bool {
		status, _ := call(t, "POST", url, "do", body)
		return status == 200
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("never seen: " + what)
}

func TestADeltaHoldsWhatChangedAndNothingElse(t *testing.T) {
	board := NewBoard()
	for i := range 1000 {
		board.Put(GroupSummary{Group: fmt.Sprintf("g%04d", i), Term: 1, LastIndex: Known(uint64(5))})
	}
	all := board.Since("")
	if !all.Complete || len(all.Groups) != 1000 || all.Groups[7].Group != "g0007" {
		t.Fatal(all.Complete, len(all.Groups))
	}
	board.Put(GroupSummary{Group: "g0003", Term: 1, LastIndex: Known(uint64(9))})
	if delta := board.Since(all.Revision); delta.Complete || len(delta.Groups) != 0 ||
		delta.Revision != all.Revision {
		t.Fatal("an index alone moved the revision", delta)
	}
	board.Put(GroupSummary{Group: "g0003", Term: 2})
	board.Drop("g0004")
	board.Drop("never-was")
	delta := board.Since(all.Revision)
	if delta.Complete || len(delta.Groups) != 1 || delta.Groups[0].Group != "g0003" ||
		len(delta.Gone) != 1 || delta.Gone[0] != "g0004" {
		t.Fatal(delta)
	}
	if again := board.Since(delta.Revision); len(again.Groups)+len(again.Gone) != 0 {
		t.Fatal(again)
	}
	board.Put(GroupSummary{Group: "g0004", Term: 3})
	if back := board.Since(delta.Revision); len(back.Groups) != 1 || len(back.Gone) != 0 {
		t.Fatal(back)
	}
	for _, stranger := range []string{"x-1", "never-was", NewBoard().Since("").Revision, board.epoch + "-99999"} {
		if !board.Since(stranger).Complete {
			t.Fatal("not answered in full", stranger)
		}
	}
}

func TestWhoIsTooFarBackForTheDeparturesIsToldAll(t *testing.T) {
	board := NewBoard()
	first := board.Since("").Revision
	for i := range mostGone + 10 {
		board.Put(GroupSummary{Group: fmt.Sprint(i)})
		board.Drop(fmt.Sprint(i))
	}
	if len(board.byName) > mostGone {
		t.Fatal("departures are kept without bound", len(board.byName))
	}
	if !board.Since(first).Complete {
		t.Fatal("departures that are forgotten are passed over")
	}
}

func TestEventsBeginAtOnceAndFollowWhatMoves(t *testing.T) {
	node := &madeUp{}
	server := serve(t, node, Options{KeepAlive: 10 * time.Millisecond})
	request, err := http.NewRequest("GET", server.URL+Base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer look")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	until := func(prefix string) string {
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), prefix) {
				return lines.Text()
			}
		}
		t.Fatal("the stream ended before " + prefix)
		return ""
	}
	until("event: group")
	until("id: follower.0.-.")
	until(": still here")
	node.board.Put(GroupSummary{Group: "default", State: Leader, Term: 2})
	until("event: group")
	node.board.Tell(Notice{Group: "default", Kind: "heartbeat-failed", Member: "n2"})
	until("event: notice")
	if data := until("data:"); !strings.Contains(data, "heartbeat-failed") {
		t.Fatal(data)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	server := serve(t, &madeUp{}, Options{MostStreams: 1})
	open := func() *http.Response {
		request, err := http.NewRequest("GET", server.URL+Base+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer look")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	first, second := open(), open()
	if first.StatusCode != 200 || second.StatusCode != 503 {
		t.Fatal(first.StatusCode, second.StatusCode)
	}
	_ = second.Body.Close()
	_ = first.Body.Close()
	eventually(t, "the place is free again", func() bool {
		response := open()
		defer func() { _ = response.Body.Close() }()
		return response.StatusCode == 200
	})
}

func TestBeyondLoopbackOnlyWithTLS(t *testing.T) {
	node := &madeUp{board: NewBoard()}
	server, err := NewServer(node, node.board, Options{ReadTokens: []Token{NewToken("x")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense"} {
		if _, _, err := server.Listen(address, nil); !errors.Is(err, ErrPlainBeyondLoopback) {
			t.Errorf("%s: %v", address, err)
		}
	}
	stop, at, err := server.Listen("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if status, _ := call(t, "GET", "http://"+at.String()+Base+"/identity", "x", ""); status != 200 {
		t.Fatal(status)
	}
}

func TestANewcomerIsAskedWhoItIs(t *testing.T) {
	ours := "c1"
	view := GroupView{Group: "default", Member: "n1", State: Outside}
	node := &madeUp{view: func(string) (GroupView, bool) { return view, true }}
	server := serve(t, node, Options{})
	peer := &Peer{Token: "look"}
	for _, c := range []struct{ origin, member, code string }{
		{server.URL, "", ""}, {server.URL, "n1", ""},
		{server.URL, "n2", "newcomer-other-id"},
		{"http://192.0.2.1:1", "", "newcomer-silent"},
		{"http://127.0.0.1:1", "", "newcomer-silent"},
		{"nonsense", "", "newcomer-silent"},
	} {
		_, refused := peer.Meet(context.Background(), c.origin, "default", c.member, &ours)
		if (refused == nil) != (c.code == "") || refused != nil && refused.Code != c.code {
			t.Errorf("%s %s: %v instead of %s", c.origin, c.member, refused, c.code)
		}
	}
	meets := func(code string) {
		t.Helper()
		if _, refused := peer.Meet(context.Background(), server.URL, "default", "", &ours); refused == nil || refused.Code != code {
			t.Errorf("%v instead of %s", refused, code)
		}
	}
	view.State = Follower
	meets("newcomer-not-empty")
	// It has left its cluster, and its log is still there.
	view.State, view.LastIndex = Outside, Known(uint64(1))
	meets("newcomer-not-empty")
	view.LastIndex = Known(uint64(0))
	node.cluster = Known("c2")
	meets("newcomer-other-cluster")
	node.cluster = &ours
	if met, refused := peer.Meet(context.Background(), server.URL, "default", "", &ours); refused != nil || met.Identity.Member != "n1" {
		t.Error(met, refused)
	}
}
