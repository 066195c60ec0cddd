package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// answerLimit is how much of another agent's answer is read.
const answerLimit = 8 << 20

// contactLimit is how long a newcomer may take to say who it is.
const contactLimit = 3 * time.Second

// Peer asks other agents. The zero value asks without a credential.
type Peer struct {
	// Token is sent as a bearer token, to loopback and over TLS only.
	Token string
	// HTTP carries the calls, for certificates and trust; nil means a client of its own. It must
	// not follow redirects: a token would travel along.
	HTTP *http.Client
	// Allowed says whether an origin may be contacted at all; nil allows loopback and any https.
	Allowed func(*url.URL) bool
}

var plainClient = &http.Client{
	Timeout:       contactLimit,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{
		Proxy: nil, MaxIdleConnsPerHost: 1, MaxIdleConns: 16, IdleConnTimeout: 30 * time.Second,
		ResponseHeaderTimeout: contactLimit,
	},
}

// Identity asks who answers at an origin, `https://10.0.0.4:7000`.
func (p *Peer) Identity(ctx context.Context, origin string) (Identity, error) {
	var identity Identity
	err := p.call(ctx, http.MethodGet, origin, "identity", nil, &identity)
	if err == nil && identity.Protocol != Version {
		err = fmt.Errorf("agent protocol version %d instead of %d", identity.Protocol, Version)
	}
	return identity, err
}

// View asks for a node's own view of a group.
func (p *Peer) View(ctx context.Context, origin, group string) (GroupView, error) {
	var view GroupView
	err := p.call(ctx, http.MethodGet, origin, "groups/"+url.PathEscape(group), nil, &view)
	return view, err
}

// Change asks another agent to carry out a change.
func (p *Peer) Change(
	ctx context.Context, origin, group string, asked ChangeRequest,
) (Receipt, error) {
	var receipt Receipt
	path := "groups/" + url.PathEscape(group) + "/changes"
	err := p.call(ctx, http.MethodPost, origin, path, asked, &receipt)
	return receipt, err
}

// Call makes one of a library's own calls, see [Options.More]. Its answer may be larger than those
// of the protocol.
func (p *Peer) Call(
	ctx context.Context, method, origin, path string, body, into any,
) error {
	return p.call(ctx, method, origin, path, body, into)
}

// Newcomer is what a node said that is to become a learner.
type Newcomer struct {
	Identity Identity
	View     GroupView
}

// Meet asks a newcomer who it is, and refuses whom the protocol's rules refuse: who does not
// answer, is somebody else than `member` (if that is not empty), belongs to another cluster, or
// has a past in the group.
func (p *Peer) Meet(
	ctx context.Context, origin, group, member string, cluster *string,
) (*Newcomer, *Refusal) {
	ctx, cancel := context.WithTimeout(ctx, contactLimit)
	defer cancel()
	identity, err := p.Identity(ctx, origin)
	var view GroupView
	if err == nil {
		view, err = p.View(ctx, origin, group)
		var refused *Refusal
		if errors.As(err, &refused) && refused.Code == "unknown-group" {
			// A host of many groups does not run this one yet: as empty as can be.
			view, err = GroupView{Group: group, Member: identity.Member, State: Outside}, nil
		}
	}
	if err != nil {
		return nil, Rulef("newcomer-silent", "No newcomer could be asked at %s: %v.", origin, err)
	}
	id := identity.Member
	switch {
	case id == "":
		return nil, Rulef("newcomer-silent", "Who answers at %s has no name.", origin)
	case member != "" && member != id:
		return nil, Rulef("newcomer-other-id", "%s answers there, not %s.", id, member)
	case identity.ClusterID != nil && (cluster == nil || *cluster != *identity.ClusterID):
		return nil, Rulef("newcomer-other-cluster", "%s belongs to another cluster.", id)
	case view.State != Outside || view.LastIndex != nil && *view.LastIndex > 0:
		return nil, Rulef("newcomer-not-empty", "%s holds a log already; a newcomer must be empty.", id)
	}
	return &Newcomer{Identity: identity, View: view}, nil
}

func (p *Peer) call(
	ctx context.Context, method, origin, path string, body, into any,
) error {
	at, err := url.Parse(origin)
	if err != nil || at.Host == "" || at.User != nil || (at.Scheme != "http" && at.Scheme != "https") {
		return errors.New("that is no address of an agent")
	}
	if !p.mayContact(at) {
		return errors.New("this address may not be contacted")
	}
	var content io.Reader
	if body != nil {
		packed, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(packed)
	}
	target := at.Scheme + "://" + at.Host + Base + "/" + path
	request, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if p.Token != "" && (at.Scheme == "https" || onLoopback(hostPort(at))) {
		request.Header.Set("Authorization", "Bearer "+p.Token)
	}
	return p.send(request, into)
}

func (p *Peer) send(request *http.Request, into any) error {
	client := p.HTTP
	if client == nil {
		client = plainClient
	}
	response, err := client.Do(request)
	if err != nil {
		var wire *url.Error
		if errors.As(err, &wire) {
			return wire.Err
		}
		return err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK {
		return json.Unmarshal(read, into)
	}
	var told problem
	if json.Unmarshal(read, &told) != nil || told.Code == "" {
		return fmt.Errorf("the answer was %d", response.StatusCode)
	}
	return &Refusal{
		Status: response.StatusCode, Code: told.Code, Text: told.Detail,
		Leader: told.Leader, Revision: told.Revision,
	}
}

func (p *Peer) mayContact(at *url.URL) bool {
	if p.Allowed != nil {
		return p.Allowed(at)
	}
	return at.Scheme == "https" || onLoopback(hostPort(at))
}

func hostPort(at *url.URL) string {
	if at.Port() == "" {
		return at.Host + ":0"
	}
	return at.Host
}
