package consul

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/agent/dragonboat/consul/standin"
)

// published is what is built from the modules beside the console's own tests.
const published = "1.16.3"

// management may do everything, on a server that only this test reaches.
const management = "5b7f0e1c-2d3a-4b8e-9f60-7a1c2d3e4f50"

// place is a store, and the token that may use the keys below `quorate/dragonboat/`.
type place struct {
	address, token string
	put            func(key, value string)
	lose           func()
}

// places are what every test of the registry runs against: the stand-in, and in the slow rounds the real Consul.
func places(t *testing.T) map[string]place {
	t.Helper()
	store := &standin.Store{Token: "t"}
	all := map[string]place{"the stand-in": {
		address: serve(t, store),
		token:   "t",
		put:     func(key, value string) { store.Put(key, []byte(value)) },
		lose:    store.Clear,
	}}
	if os.Getenv("QUORATE_TEST_SLOW") == "1" {
		all["Consul "+published] = start(t)
	}
	return all
}

// start runs one server of the real Consul with its access rules on, as long as the test lasts.
func start(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	ports := free(t, 3)
	configuration := fmt.Sprintf(`{"server": true, "bootstrap_expect": 1, "node_name": "consul-1",
		"data_dir": %q, "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "disable_update_check": true,
		"performance": {"raft_multiplier": 1},
		"ports": {"http": %d, "server": %d, "serf_lan": %d, "https": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1},
		"acl": {"enabled": true, "default_policy": "deny", "tokens": {"initial_management": %q, "agent": %q}}}`,
		filepath.Join(dir, "data"), ports[0], ports[1], ports[2], management, management)
	file := filepath.Join(dir, "consul.json")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	agent := exec.Command(program(t), "agent", "-config-file="+file)
	agent.Stdout, agent.Stderr = &log, &log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	address := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	call := func(method, path, body string) (int, string) {
		request, err := http.NewRequest(method, address+"/v1/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Consul-Token", management)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, strings.TrimSpace(string(text))
	}
	must := func(method, path, body string) string {
		status, text := call(method, path, body)
		if status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		return text
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if status, text := call(http.MethodPut, "kv/started", "yes"); status == http.StatusOK && text == "true" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("Consul does not lead: %d %s", status, text)
		}
	}
	must(http.MethodPut, "acl/policy", `{"Name": "registry", "Rules": "key_prefix \"quorate/dragonboat/\" { policy = \"write\" }"}`)
	var made struct{ SecretID string }
	if err := json.Unmarshal([]byte(must(http.MethodPut, "acl/token", `{"Policies": [{"Name": "registry"}]}`)), &made); err != nil {
		t.Fatal(err)
	}
	return place{
		address: address,
		token:   made.SecretID,
		put:     func(key, value string) { must(http.MethodPut, "kv/"+key, value) },
		lose:    func() { must(http.MethodDelete, "kv/quorate/dragonboat/?recurse=true", "") },
	}
}

// program is where the tests of the console keep it too; built on first use.
func program(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = filepath.Join(root, "target")
	}
	home := filepath.Join(target, "tools", "consul-"+published)
	path := filepath.Join(home, "consul")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	made := filepath.Join(t.TempDir(), "consul")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", made, ".")
	build.Dir = filepath.Join(root, "server/drivers/tests/consul_agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Consul: %v\n%s", err, text)
	}
	return made
}

// free are ports nobody listens on now.
func free(t *testing.T, count int) []int {
	t.Helper()
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
