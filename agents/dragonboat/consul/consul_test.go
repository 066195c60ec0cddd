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

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func registry(t *testing.T, address, token string) *Registry {
	t.Helper()
	r, err := New(Options{Address: address, Deployment: "orders", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARegistryInConsul(t *testing.T) {
	for name, place := range places(t) {
		r := registry(t, place.address, place.token)
		t.Run(name+" that is empty is no error", func(t *testing.T) { emptyIsNoError(t, r) })
		t.Run(name+" takes entries by compare and set", func(t *testing.T) { writtenByCompareAndSet(t, r) })
		place.lose()
		t.Run(name+" that has lost everything is no error", func(t *testing.T) { emptyIsNoError(t, r) })
		t.Run(name+" with what somebody wrote by hand", func(t *testing.T) { writtenByHand(t, r, place.put) })
		t.Run(name+" refuses a token that it has never made", func(t *testing.T) {
			wrong := registry(t, place.address, "9c8b7a60-5d4e-4f3a-8b2c-1d0e9f8a7b6c")
			if _, _, err := wrong.Entries(context.Background()); err == nil || !strings.Contains(err.Error(), "the token may not read (403)") {
				t.Fatal(err)
			}
			if err := wrong.Write(context.Background(), key, role.Entry{}); err == nil || !strings.Contains(err.Error(), "the token may not write (403)") {
				t.Fatal(err)
			}
		})
	}
}

func writtenByCompareAndSet(t *testing.T, r *Registry) {
	ctx := context.Background()
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

func emptyIsNoError(t *testing.T, r *Registry) {
	entries, faults, err := r.Entries(context.Background())
	if err != nil || len(entries) != 0 || len(faults) != 0 {
		t.Fatalf("%v %v %v", entries, faults, err)
	}
}

func writtenByHand(t *testing.T, r *Registry, put func(key, value string)) {
	put("quorate/dragonboat/orders/7/4", "voter")
	put("quorate/dragonboat/orders/7/5", `{"kind":"observer","target":"a:1","state":"started"}`)
	put("quorate/dragonboat/orders/7/6", `{"kind":"initial","target":"a:1","state":"voter"}`)
	put("quorate/dragonboat/orders/readme", "hands off")
	put("quorate/dragonboat/orders2/7/4", `{"kind":"initial","target":"a:1","state":"voter"}`)
	entries, faults, err := r.Entries(context.Background())
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
			_, _, err := registry(t, serve(t, c.handler), "t").Entries(context.Background())
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
