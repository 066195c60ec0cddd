package protocol

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// long is enough for a busy machine.
const long = 60 * time.Second

func TestConnectionsBeyondTheBoundWaitForAPlace(t *testing.T) {
	node := &madeUp{board: NewBoard()}
	server, err := NewServer(node, node.board, Options{ReadTokens: []Token{NewToken("look")}})
	if err != nil {
		t.Fatal(err)
	}
	stop, at, err := server.Listen("", nil)
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		connection, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		if _, err := fmt.Fprintf(connection, "GET %s/identity HTTP/1.1\r\nHost: agent\r\nAuthorization: Bearer look\r\n\r\n", Base); err != nil {
			t.Fatal(err)
		}
		return connection
	}
	answered := func(connection net.Conn, within time.Duration) bool {
		_ = connection.SetReadDeadline(time.Now().Add(within))
		line, err := bufio.NewReader(connection).ReadString('\n')
		return err == nil && strings.HasPrefix(line, "HTTP/1.1 200")
	}
	first := dial()
	if !answered(first, long) {
		t.Fatal("nobody is answered")
	}
	for range mostConnections - 1 {
		if !answered(dial(), long) {
			t.Fatal("not as many are served as there are places")
		}
	}
	late := dial()
	if answered(late, 100*time.Millisecond) {
		t.Fatal("more are served than there are places")
	}
	_ = first.Close()
	if !answered(late, long) {
		t.Fatal("a place that is free again is given to nobody")
	}
	// Whoever stays connected does not hold up the end.
	began := time.Now()
	if stop(); time.Since(began) > long/2 {
		t.Fatal("the end took", time.Since(began))
	}
}

func TestAChangeRequestIsReadUpToABound(t *testing.T) {
	node := &madeUp{change: func(context.Context, ChangeRequest) (Receipt, error) { return Receipt{Outcome: Done}, nil }}
	url := serve(t, node, Options{}).URL + Base + "/groups/default/changes"
	asked := `{"action":"snapshot"}`
	for _, c := range []struct{ length, status int }{{bodyLimit, 200}, {bodyLimit + 1, 400}, {100 * bodyLimit, 400}} {
		status, _ := call(t, "POST", url, "do", asked+strings.Repeat(" ", c.length-len(asked)))
		if status != c.status {
			t.Errorf("%d bytes: %d instead of %d", c.length, status, c.status)
		}
	}
}

func TestNoticesThatNobodyTakesAreForgotten(t *testing.T) {
	board := NewBoard()
	for n := range 3 * mostNotices {
		board.Tell(Notice{Kind: fmt.Sprint(n)})
		if len(board.notices) > mostNotices {
			t.Fatal(len(board.notices), "notices are kept")
		}
	}
	kept, told := board.noticesAfter(0)
	if told != 3*mostNotices || len(kept) == 0 || kept[len(kept)-1].Kind != fmt.Sprint(3*mostNotices-1) {
		t.Fatal(told, kept)
	}
	board.Tell(Notice{Kind: "last"})
	if news, _ := board.noticesAfter(told); len(news) != 1 || news[0].Kind != "last" {
		t.Fatal(news)
	}
}

func TestLooksThatHangAreBoundedInTimeAndNumber(t *testing.T) {
	var inside, most atomic.Int64
	release := make(chan struct{})
	node := &madeUp{board: NewBoard(), view: func(group string) (GroupView, bool) {
		now := inside.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			continue
		}
		<-release
		inside.Add(-1)
		return GroupView{Group: group}, true
	}}
	server, err := NewServer(node, node.board, Options{ReadTokens: []Token{NewToken("look")}})
	if err != nil {
		t.Fatal(err)
	}
	look := func() int {
		answer, request := httptest.NewRecorder(), httptest.NewRequest("GET", Base+"/groups/default", nil)
		request.Header.Set("Authorization", "Bearer look")
		server.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	var looking sync.WaitGroup
	for range mostLooks + 16 {
		looking.Go(func() {
			if status := look(); status != http.StatusInternalServerError {
				t.Errorf("a look that hangs is answered by %d", status)
			}
		})
	}
	looking.Wait()
	if most.Load() > mostLooks {
		t.Errorf("%d looks hang at once", most.Load())
	}
	close(release)
	eventually(t, "looks are answered again", func() bool { return look() == http.StatusOK })
}

func TestTheBulkStateIsAnsweredWhileARefreshHangs(t *testing.T) {
	release := make(chan struct{})
	node := &madeUp{refresh: func() { <-release }}
	url := serve(t, node, Options{}).URL + Base + "/groups"
	defer close(release)
	if status, told := call(t, "GET", url, "look", ""); status != 200 || len(told["groups"].([]any)) != 1 {
		t.Fatal(status, told)
	}
}

func TestCallsOfALibrarysOwnAreHeldToTheSameRules(t *testing.T) {
	own := []Call{
		{Method: "POST", Path: "library/{name}", Needs: MayChange, Serve: func(_ context.Context, request *http.Request) (any, *Refusal) {
			body, err := io.ReadAll(request.Body)
			if err != nil {
				return nil, Malformed("too large")
			}
			return map[string]any{"name": request.PathValue("name"), "length": len(body)}, nil
		}},
		{Method: "GET", Path: "library/panics", Needs: MayRead, Serve: func(context.Context, *http.Request) (any, *Refusal) {
			panic("in a call of a library's own")
		}},
	}
	caught := make(chan string, 1)
	url := serve(t, &madeUp{}, Options{More: own, Failed: func(what string) { caught <- what }}).URL + Base + "/library/"
	for _, c := range []struct {
		method, path, token, body string
		status                    int
	}{
		{"POST", "one", "none", "", 401},
		{"POST", "one", "look", "", 403},
		{"POST", "one", "do", "words", 200},
		{"POST", "one", "do", strings.Repeat(" ", moreLimit), 200},
		{"POST", "one", "do", strings.Repeat(" ", moreLimit+1), 400},
		{"GET", "panics", "none", "", 401},
		{"GET", "panics", "look", "", 500},
	} {
		if status, told := call(t, c.method, url+c.path, c.token, c.body); status != c.status {
			t.Errorf("%s %s as %s: %d instead of %d, %v", c.method, c.path, c.token, status, c.status, told)
		}
	}
	if what := <-caught; !strings.Contains(what, "in a call of a library's own") {
		t.Fatal(what)
	}
}

func TestNoHostGivesChangesMoreTimeThanTheProtocolDoes(t *testing.T) {
	for given, taken := range map[time.Duration]time.Duration{0: mostChangeTime, -1: mostChangeTime, time.Hour: mostChangeTime, time.Second: time.Second} {
		server, err := NewServer(&madeUp{}, NewBoard(), Options{ReadTokens: []Token{NewToken("x")}, ChangeLimit: given})
		if err != nil || server.options.ChangeLimit != taken {
			t.Errorf("%v: %v", given, err)
		}
	}
}

func TestWhatANodeLeavesOutIsEmptyAndNotNull(t *testing.T) {
	_, told := call(t, "GET", serve(t, &madeUp{}, Options{}).URL+Base+"/groups/default", "look", "")
	membership, _ := told["membership"].(map[string]any)
	for name, value := range map[string]any{
		"progress": told["progress"], "burned": told["burned"], "members": membership["members"], "configs": membership["configs"],
	} {
		if value == nil {
			t.Errorf("%s is null", name)
		}
	}
	_, told = call(t, "GET", serve(t, &madeUp{}, Options{}).URL+Base+"/identity", "look", "")
	if told["capabilities"] == nil {
		t.Error("capabilities is null")
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	node := &madeUp{board: NewBoard()}
	server, err := NewServer(node, node.board, Options{ReadTokens: []Token{NewToken("look")}})
	if err != nil {
		t.Fatal(err)
	}
	answer, request := httptest.NewRecorder(), httptest.NewRequest("GET", Base+"/events", nil)
	request.Header.Set("Authorization", "Bearer look")
	done := make(chan struct{})
	go func() { defer close(done); server.Handler().ServeHTTP(answer, request) }()
	server.Close()
	server.Close() // Twice is once.
	select {
	case <-done:
	case <-time.After(long):
		t.Fatal("a stream goes on after the end")
	}
}
