// Package protocol is the part of a Quorate agent that is the same for every Raft library written
// in Go: the shapes of the agent protocol, version 1, and the server that speaks it.
//
// It answers for who may come (bearer tokens, or certificates of mutual TLS), for bounded memory
// and bounded time, for server-sent events, for the bulk state with its revisions, and for the
// rules a change is judged by. It must not know any Raft library.
//
// A library's side implements [Node], keeps a [Board] up to date and makes a server of the two:
//
//	board := protocol.NewBoard()
//	server, err := protocol.NewServer(node, board, protocol.Options{
//		ReadTokens:   []protocol.Token{protocol.NewToken(readSecret)},
//		ChangeTokens: []protocol.Token{protocol.NewToken(changeSecret)},
//	})
//	mux.Handle(protocol.Base+"/", server.Handler())       // on a listener of the host, or
//	stop, address, err := server.Listen("127.0.0.1:0", nil) // on one of its own
//
// What a node has to keep to:
//
//   - View and Refresh answer from memory, within half a second, also when Raft is dead. The
//     server runs each on a goroutine of its own under a limit, and a panic in them ends there.
//   - Change returns a [Receipt], or an error that is a [*Refusal]. Any other error, and a panic,
//     becomes 500 `agent-fault`. At most one change and one snapshot run in a group at a time;
//     the server sees to that. Its context ends after [Options.ChangeLimit]; what has not
//     returned shortly after is answered as 504 `unknown`, and keeps its group's place until it
//     does return.
//   - [Board.Put] is told of every group whenever it may have moved. It finds out itself whether
//     anything but indexes did. Events are sent for exactly those groups, by asking View.
//
// [Leading] and [Allows] are the rules on a leader's own view; [Patiently] tries them for a while.
// [Peer] asks another agent who it is, as is done with every newcomer.
package protocol
