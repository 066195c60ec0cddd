package consul

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"quorate.dev/agent/dragonboat/consul/standin"
	"quorate.dev/agent/dragonboat/role"
)

var key = role.Key{Shard: 7, Replica: 4}

func registry(t *testing.T, handler http.Handler, token string) *Registry {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r, err := New(Options{Address: server.URL, Deployment: "orders", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEntriesAreWrittenByCompareAndSet(t *testing.T) {
	r, ctx := registry(t, &standin.Store{Token: "t"}, "t"), context.Background()
	entry := role.Entry{Kind: role.JoinedNonVoting, Target: "10.0.0.4:63000", State: role.Planned, Index: 3}
	if err := r.Write(ctx, key, entry); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(ctx, key, entry); !errors.Is(err, role.ErrMoved) {
		t.Fatalf("an entry that is there was created again: %v", err)
	}
	entries, faults, err := r.Entries(ctx)
	if err != nil || len(faults) != 0 || entries[key].Version == 0 {
		t.Fatalf("%v %v %v", entries, faults, err)
	}
	seen := entries[key]
	seen.State = role.Added
	if err := r.Write(ctx, key, seen); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(ctx, key, seen); !errors.Is(err, role.ErrMoved) {
		t.Fatalf("an older version won: %v", err)
	}
}

func TestAnEmptyRegistryIsNoError(t *testing.T) {
	entries, faults, err := registry(t, &standin.Store{}, "").Entries(context.Background())
	if err != nil || len(entries) != 0 || len(faults) != 0 {
		t.Fatalf("%v %v %v", entries, faults, err)
	}
}

func TestWhatSomebodyWroteByHandIsAFaultOfItsReplicaOnly(t *testing.T) {
	store := &standin.Store{}
	store.Put("quorate/dragonboat/orders/7/4", []byte("voter"))
	store.Put("quorate/dragonboat/orders/7/5", []byte(`{"kind":"observer","target":"a:1","state":"started"}`))
	store.Put("quorate/dragonboat/orders/7/6", []byte(`{"kind":"initial","target":"a:1","state":"voter"}`))
	store.Put("quorate/dragonboat/orders/readme", []byte("hands off"))
	store.Put("quorate/dragonboat/orders2/7/4", []byte(`{"kind":"initial","target":"a:1","state":"voter"}`))
	entries, faults, err := registry(t, store, "").Entries(context.Background())
	if err != nil || len(entries) != 1 || len(faults) != 2 {
		t.Fatalf("%v %v %v", entries, faults, err)
	}
	if !strings.Contains(faults[role.Key{Shard: 7, Replica: 5}], `kind "observer"`) {
		t.Fatal(faults)
	}
}

func TestWhyTheRegistryDoesNotAnswerIsSaid(t *testing.T) {
	answer := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	for name, c := range map[string]struct {
		handler http.Handler
		says    string
	}{
		"a wrong token":          {&standin.Store{Token: "another"}, "the token may not read (403)"},
		"a server without lead":  {answer(500, "No cluster leader"), "answers 500: No cluster leader"},
		"something else":         {answer(200, "<html>"), "cannot be read"},
		"an answer cut off":      {answer(200, `[{"Key":"quorate/dragonboat/orders/7/4","Value":"e30`), "cannot be read"},
		"a redirect to somebody": {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound), "answers 302"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := registry(t, c.handler, "t").Entries(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatal(err)
			}
		})
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, options := range []Options{{Address: "127.0.0.1:8500", Deployment: "a"}, {Address: "http://h", Deployment: "a/b"}, {Address: "http://h"}} {
		if _, err := New(options); err == nil {
			t.Fatalf("%+v", options)
		}
	}
}
