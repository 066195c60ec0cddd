// Package command is what the example's command line does.
package command

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"quorate.dev/agent/hashicorp-raft/example/measure"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

// Run runs one command until it ends, or until a signal ends it.
func Run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("example serve … | example measure …")
	}
	switch arguments[0] {
	case "serve":
		return serve(arguments[1:])
	case "measure":
		return measure.Run(arguments[1:], os.Stdout)
	default:
		return fmt.Errorf("no such command: %s", arguments[0])
	}
}

func serve(arguments []string) error {
	options, withParent, err := read(arguments)
	if err != nil {
		return err
	}
	running, err := node.Start(options)
	if err != nil {
		return err
	}
	fmt.Printf("%s  %s  raft %s  pid %d\n", options.ID, running.Origin, running.Address, os.Getpid())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if withParent {
		go func() {
			// Whoever started this holds the other end; when it is gone, so is this.
			_, _ = io.Copy(io.Discard, os.Stdin)
			signals <- syscall.SIGTERM
		}()
	}
	<-signals
	return running.Close()
}

func read(arguments []string) (node.Options, bool, error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	options := node.Options{}
	flags.StringVar(&options.ID, "id", "", "the member's id")
	flags.StringVar(&options.ClusterID, "cluster", "example", "the cluster's id")
	flags.StringVar(&options.Dir, "dir", "", "where the node keeps its data")
	flags.StringVar(&options.Raft, "raft", "", "Raft's address; the agent is on the next port")
	flags.BoolVar(&options.Bootstrap, "bootstrap", false, "make a cluster of this node, if it has no data")
	flags.DurationVar(&options.Timeout, "timeout", time.Second, "heartbeat and election time-out")
	tokens := flags.String("token-file", "", "the token that may change")
	reading := flags.String("read-token-file", "", "the token that may look")
	withParent := flags.Bool("with-parent", false, "end when standard input does")
	verbose := flags.Bool("verbose", false, "Raft's log to standard error")
	if err := flags.Parse(arguments); err != nil {
		return options, false, err
	}
	if options.ID == "" || options.Dir == "" || options.Raft == "" || *tokens == "" {
		return options, false, fmt.Errorf("-id, -dir, -raft and -token-file are needed")
	}
	if *verbose {
		options.Log = os.Stderr
	}
	var err error
	if options.Token, err = secret(*tokens); err == nil && *reading != "" {
		options.ReadToken, err = secret(*reading)
	}
	return options, *withParent, err
}

func secret(path string) (string, error) {
	content, err := os.ReadFile(path)
	return strings.TrimSpace(string(content)), err
}
