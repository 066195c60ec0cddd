package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"quorate.dev/agent/dragonboat/consul/standin"
)

const voters, spares = 3, 1

// runCluster starts three hosts and a spare one, prints a line for each, and ends them when the input ends.
func runCluster(args []string) error {
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder for data; a new one if empty")
	groups := flags.Int("groups", 200, "how many groups there are")
	rtt := flags.Int("rtt", 20, "RTTMillisecond; elections take 10 to 20 times that")
	registry := flags.Bool("registry", false, "keep a registry in a stand-in for Consul")
	if err := flags.Parse(args); err != nil {
		return err
	}
	folder := *dir
	if folder == "" {
		made, err := os.MkdirTemp("", "dragonboat-example-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(made) }()
		folder = made
	}
	consul := ""
	if *registry {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go func() { _ = http.Serve(listener, &standin.Store{}) }()
		consul = "http://" + listener.Addr().String()
	}
	children, err := startAll(folder, *groups, *rtt, consul)
	defer end(children)
	if err != nil {
		return err
	}
	done := make(chan os.Signal, 1)
	signal.Notify(done, os.Interrupt, syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		done <- os.Interrupt
	}()
	<-done
	return nil
}

type child struct {
	command *exec.Cmd
	input   io.Closer
}

func startAll(folder string, groups, rtt int, consul string) ([]child, error) {
	ports, err := freePorts(2 * (voters + spares))
	if err != nil {
		return nil, err
	}
	var hosts, initial []string
	for n := range voters + spares {
		raft, at := ports[2*n], ports[2*n+1]
		hosts = append(hosts, fmt.Sprintf("host-%d=%s@http://%s", n+1, raft, at))
		if n < voters {
			initial = append(initial, raft)
		}
	}
	var children []child
	for n := range voters + spares {
		name := fmt.Sprintf("host-%d", n+1)
		args := []string{"host", "--exit-with-input", "--switches", "--name", name, "--dir", filepath.Join(folder, name),
			"--raft", ports[2*n], "--listen", ports[2*n+1], "--hosts", strings.Join(hosts, ","), "--groups", fmt.Sprint(groups),
			"--initial", strings.Join(initial, ","), "--unordered", "2", "--consul", consul, "--rtt", fmt.Sprint(rtt)}
		child, line, err := start(args)
		if err != nil {
			return children, err
		}
		children = append(children, child)
		if n >= voters {
			line += "  spare"
		}
		fmt.Println(line)
	}
	return children, nil
}

func start(args []string) (child, string, error) {
	program, err := os.Executable()
	if err != nil {
		return child{}, "", err
	}
	command := exec.Command(program, args...)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		return child{}, "", err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return child{}, "", err
	}
	if err := command.Start(); err != nil {
		return child{}, "", err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return child{command, input}, "", fmt.Errorf("a host did not start: %w", err)
	}
	return child{command, input}, strings.TrimSpace(line), nil
}

// end lets the children end by themselves and kills what does not, frozen ones included.
func end(children []child) {
	for _, child := range children {
		_ = child.input.Close()
	}
	for _, child := range children {
		kill := time.AfterFunc(5*time.Second, func() { _ = child.command.Process.Kill() })
		_ = child.command.Wait()
		kill.Stop()
	}
}

// freePorts are free now, and above those that the system gives to whoever connects somewhere.
func freePorts(count int) ([]string, error) {
	const lowest, highest = 63500, 65500
	var addresses []string
	port := lowest + os.Getpid()*16%(highest-lowest)
	for range highest - lowest {
		if port++; port >= highest {
			port = lowest
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer func() { _ = listener.Close() }()
		if addresses = append(addresses, listener.Addr().String()); len(addresses) == count {
			return addresses, nil
		}
	}
	return nil, errors.New("no free ports")
}

func runRegistry(args []string) error {
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("registry  http://%s  pid %d\n", listener.Addr(), os.Getpid())
	return http.Serve(listener, &standin.Store{})
}
