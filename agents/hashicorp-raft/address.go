package agent

import (
	"net"
	"strconv"

	"github.com/hashicorp/raft"
)

// PortOffset finds a member's agent on the host of its Raft address, so many ports further:
// with "https" and 10, the agent of 10.0.0.4:8300 is at https://10.0.0.4:8310.
func PortOffset(scheme string, offset int) func(raft.Server) string {
	return func(server raft.Server) string {
		host, text, err := net.SplitHostPort(string(server.Address))
		if err != nil {
			return ""
		}
		port, err := strconv.Atoi(text)
		if err != nil || port+offset <= 0 || port+offset > 65535 {
			return ""
		}
		return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port+offset))
	}
}
