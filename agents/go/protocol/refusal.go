package protocol

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Refusal is why something was not done, or why nobody knows whether it was.
type Refusal struct {
	Status int
	// Code is stable and in kebab-case.
	Code string
	Text string
	// Leader is where to go instead.
	Leader *LeaderHint
	// Revision is the membership's revision as it is now, where that is the point.
	Revision *string
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Text }

func refusal(status int, code, text string) *Refusal {
	return &Refusal{Status: status, Code: code, Text: text}
}

// Malformed: the request is not understood.
func Malformed(text string) *Refusal { return refusal(http.StatusBadRequest, "malformed", text) }

// UnknownGroup: no such group runs on this node.
func UnknownGroup() *Refusal {
	return refusal(http.StatusNotFound, "unknown-group", "No such group runs on this node.")
}

// Moved: the membership is another one than was expected.
func Moved(now string) *Refusal {
	text := "The membership is another one than this change was decided on."
	moved := refusal(http.StatusConflict, "revision-moved", text)
	moved.Revision = &now
	return moved
}

// InProgress: another change is in the way.
func InProgress(text string) *Refusal {
	return refusal(http.StatusConflict, "change-in-progress", text)
}

// NotLeader sends on to whom this node believes to lead.
func NotLeader(leader *LeaderHint) *Refusal {
	text := "This node does not lead and knows of no leader."
	if leader != nil {
		text = fmt.Sprintf("This node does not lead; %s does, as far as it knows.", leader.Member)
	}
	other := refusal(http.StatusMisdirectedRequest, "not-leader", text)
	other.Leader = leader
	return other
}

// Rule says no; nothing was handed to Raft.
func Rule(code, text string) *Refusal {
	return refusal(http.StatusUnprocessableEntity, code, text)
}

// Rulef is Rule with a format.
func Rulef(code, format string, arguments ...any) *Refusal {
	return Rule(code, fmt.Sprintf(format, arguments...))
}

// NoQuorum: the leader has had no word from a majority.
func NoQuorum() *Refusal {
	text := "The leader has had no word from a majority within an election timeout."
	return refusal(http.StatusServiceUnavailable, "no-quorum", text)
}

// CoreStopped: this node's core is dead; nothing was tried.
func CoreStopped(fault string) *Refusal {
	text := fmt.Sprintf("This node's Raft core does not run: %s.", fault)
	return refusal(http.StatusInternalServerError, "core-stopped", text)
}

// AgentFault: the agent failed; whether anything happened is not known.
func AgentFault(text string) *Refusal {
	return refusal(http.StatusInternalServerError, "agent-fault", text)
}

// Unknown: it was handed to Raft and its end was not seen.
func Unknown(text string) *Refusal { return refusal(http.StatusGatewayTimeout, "unknown", text) }

// OutcomeUnknown is whether nobody knows if the change happened.
func (r *Refusal) OutcomeUnknown() bool { return r.Code == "unknown" || r.Code == "agent-fault" }

// MayPass is whether time alone may cure it within an agent's patience.
func (r *Refusal) MayPass() bool {
	return r.Code == "not-heard" || r.Code == "not-level" || r.Code == "majority-at-risk"
}

// problem is the refusal on the wire.
type problem struct {
	Type     string      `json:"type"`
	Title    string      `json:"title"`
	Status   int         `json:"status"`
	Code     string      `json:"code"`
	Detail   string      `json:"detail"`
	Leader   *LeaderHint `json:"leader"`
	Revision *string     `json:"revision"`
}

func (r *Refusal) write(w http.ResponseWriter) {
	body, err := json.Marshal(problem{
		Type: "about:blank", Title: http.StatusText(r.Status), Status: r.Status,
		Code: r.Code, Detail: r.Text, Leader: r.Leader, Revision: r.Revision,
	})
	if err != nil {
		body = []byte(`{"code":"agent-fault","detail":"The answer could not be written."}`)
	}
	if r.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(r.Status)
	_, _ = w.Write(body)
}
