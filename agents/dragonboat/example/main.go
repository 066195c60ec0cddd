// The example program: a small counter store of many Raft groups on Dragonboat that embeds the agent. It is
// also the test cluster, with switches that stage faults.
//
//	example cluster --groups 200     three hosts and a spare one, each a process, until the input ends
//	example host --name host-1 …     one host
//	example registry                 the stand-in for Consul, on a free port
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to run: cluster, host or registry")
	}
	switch args[0] {
	case "cluster":
		return runCluster(args[1:])
	case "host":
		return runHost(args[1:])
	case "registry":
		return runRegistry(args[1:])
	}
	return fmt.Errorf("%q cannot be run: it is cluster, host or registry", args[0])
}
