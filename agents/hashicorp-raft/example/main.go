// Command example is a node of a small replicated key-value store with an agent in it.
//
//	example serve -id a -dir data/a -raft 127.0.0.1:7100 -token-file token -bootstrap
//	example measure
package main

import (
	"fmt"
	"os"

	"quorate.dev/agent/hashicorp-raft/example/command"
)

func main() {
	if err := command.Run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
