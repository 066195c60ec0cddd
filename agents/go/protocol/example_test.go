package protocol_test

import (
	"log"
	"net/http"

	"quorate.dev/agent/go/protocol"
)

// A library's side, kept up to date as the package's words say, and a server made of it.
func Example() {
	var node protocol.Node
	var readSecret, changeSecret string
	mux := http.NewServeMux()

	board := protocol.NewBoard()
	server, err := protocol.NewServer(node, board, protocol.Options{
		ReadTokens:   []protocol.Token{protocol.NewToken(readSecret)},
		ChangeTokens: []protocol.Token{protocol.NewToken(changeSecret)},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle(protocol.Base+"/", server.Handler())
	stop, address, err := server.Listen("127.0.0.1:0", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	log.Print(address)
}
