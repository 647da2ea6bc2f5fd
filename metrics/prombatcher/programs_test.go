package prombatcher_test

// Prometheus' own programs: promtool for the rules, a server that scrapes.

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program returns the path of a program of Debian's package prometheus. Without it, the test is
// skipped; under CI=true it fails.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, which CI=true does not excuse; Debian's package is called prometheus", name)
	}
	t.Skipf("%s is not installed; Debian's package is called prometheus", name)
	return ""
}

// promtool runs it, and returns what it prints.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program(t, "promtool"), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// server is a Prometheus that scrapes one target.
type server struct {
	t    *testing.T
	base string
}

// startPrometheus starts a server in a folder of its own, which ends with the test.
func startPrometheus(t *testing.T, target string, flags ...string) *server {
	t.Helper()
	path := program(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	config := fmt.Sprintf("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"+
		"rule_files: [%q]\nscrape_configs: [{job_name: test, static_configs: [{targets: [%q]}]}]\n", rules, target)
	file := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	addr := freeAddress(t)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command(path, append(flags, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=warn")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	require.NoError(t, cmd.Start())
	s := &server{t, "http://" + addr}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("Prometheus said:\n%s", text)
		}
	})
	s.eventually("the server is ready", func() bool {
		response, err := http.Get(s.base + "/-/ready")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return s
}

// freeAddress returns one that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (s *server) eventually(what string, ok func() bool) {
	s.t.Helper()
	require.Eventually(s.t, ok, time.Minute, 50*time.Millisecond, what)
}

// answer is what the server's API says.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
}

func (s *server) ask(path string, query url.Values) (a answer) {
	s.t.Helper()
	response, err := http.Get(s.base + path + "?" + query.Encode())
	require.NoError(s.t, err)
	defer response.Body.Close()
	require.NoError(s.t, json.NewDecoder(response.Body).Decode(&a))
	return a
}

// query asks for an expression; a fault in it fails the test.
func (s *server) query(expr string) answer {
	s.t.Helper()
	a := s.ask("/api/v1/query", url.Values{"query": {expr}})
	require.Equal(s.t, "success", a.Status, "%s: %s", expr, a.Error)
	return a
}
