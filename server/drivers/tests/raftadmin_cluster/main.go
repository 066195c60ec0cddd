// Command raftadmin-cluster is one node of a small replicated store around hashicorp/raft that is
// administered by raftadmin and nothing else: what Quorate's driver for raftadmin is tested on.
//
//	raftadmin-cluster -id a -dir data/a -listen 127.0.0.1:0 -bootstrap
//	raftadmin-cluster -record ../recorded/raftadmin-1.2.1
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("raftadmin-cluster", flag.ContinueOnError)
	options := options{}
	flags.StringVar(&options.id, "id", "", "the member's id")
	flags.StringVar(&options.dir, "dir", "", "where the node keeps its data")
	flags.StringVar(&options.listen, "listen", "127.0.0.1:0", "where Raft and raftadmin answer, both")
	flags.StringVar(&options.admin, "admin", "", "where raftadmin answers, if not beside Raft")
	flags.StringVar(&options.control, "control", "127.0.0.1:0", "where the switches for tests are")
	flags.StringVar(&options.certificate, "certificate", "", "certificate of raftadmin (PEM); without it no TLS")
	flags.StringVar(&options.key, "key", "", "its key (PEM)")
	flags.StringVar(&options.clients, "clients", "", "authority of the clients that are let in (PEM); without it everybody is")
	flags.BoolVar(&options.bootstrap, "bootstrap", false, "make a cluster of this node, if it has no data")
	flags.DurationVar(&options.timeout, "timeout", time.Second, "heartbeat and election time-out")
	recordings := flags.String("record", "", "write what real nodes answer to this folder, and end")
	verbose := flags.Bool("verbose", false, "Raft's log to standard error")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if *recordings != "" {
		return record(*recordings)
	}
	if options.id == "" || options.dir == "" {
		return fmt.Errorf("-id and -dir are needed")
	}
	options.log = io.Discard
	if *verbose {
		options.log = os.Stderr
	}
	running, err := start(options)
	if err != nil {
		return fmt.Errorf("node %s: %w", options.id, err)
	}
	fmt.Printf("%s raft %s admin %s control %s\n", options.id, running.raftAddress, running.adminAddress, running.controlAddress)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		// Whoever started this holds the other end; when it is gone, so is this.
		_, _ = io.Copy(io.Discard, os.Stdin)
		signals <- syscall.SIGTERM
	}()
	<-signals
	return running.close()
}
