package main

// What the tests share, and the program as a whole.

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher/examples/internal/lockedbuf"
	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// asProgram makes the test binary behave as the program, for tests that need a
// process to kill.
const asProgram = "INGEST_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(pgtest.Main(m))
}

// memoryStore is a store that can be told to fail.
type memoryStore struct {
	before func(ctx context.Context, events []Event) error // may fail or hold a write; may be nil
	check  error

	mu     sync.Mutex
	events map[string][]Event // by ClientID
	ids    map[string]bool
	closed bool
	late   bool // a write came after Close
}

func (m *memoryStore) Write(ctx context.Context, events []Event) error {
	if m.before != nil {
		if err := m.before(ctx, events); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late = m.late || m.closed
	if m.events == nil {
		m.events, m.ids = make(map[string][]Event), make(map[string]bool)
	}
	for _, e := range events {
		if !m.ids[e.ID.String()] {
			m.ids[e.ID.String()] = true
			m.events[e.ClientID] = append(m.events[e.ClientID], e)
		}
	}
	return nil
}

func (m *memoryStore) Check(ctx context.Context) error {
	if m.check != nil {
		return m.check
	}
	return ctx.Err()
}

func (m *memoryStore) ClientIDs(_ context.Context, visit func(string)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, events := range m.events {
		for range events {
			visit(id)
		}
	}
	return nil
}

func (m *memoryStore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// gate holds writes until it is opened, or their context ends.
type gate struct {
	arrived chan struct{} // closed when the first write has come
	opened  chan struct{} // closed by open
	first   sync.Once
	once    sync.Once
}

func newGate() *gate { return &gate{arrived: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) hold(ctx context.Context, _ []Event) error {
	g.first.Do(func() { close(g.arrived) })
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// testConfig returns settings with which nothing takes long.
func testConfig(t *testing.T) config {
	cfg := defaults()
	cfg.addr = "127.0.0.1:0"
	cfg.db = filepath.Join(t.TempDir(), "events.db")
	cfg.rescueFile = cfg.db + ".rescued.ndjson"
	cfg.roomWait = time.Minute // so that a slow machine refuses nothing by itself
	cfg.size, cfg.delay, cfg.workers = 500, time.Millisecond, 1
	cfg.conns = 8
	return cfg
}

// log is a place for what the program logs.
type log struct{ lockedbuf.Buffer }

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// outcome is what a run of the program left.
type outcome struct {
	status         int
	stdout, stderr string
}

// runProgram runs the program in this process, and checks that no goroutine is left.
func runProgram(t *testing.T, ctx context.Context, cfg config, stdin string, args ...string) outcome {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var stdout, stderr log
	status := runWith(ctx, cfg, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

func TestMisuseIsRefusedWithOneMessage(t *testing.T) {
	for _, c := range []struct{ args, message string }{
		{"-nonsense", "flag provided but not defined: -nonsense"},
		{"-load many", `invalid value "many" for flag -load: parse error`},
		{"-load", "flag needs an argument: -load"},
		{"-load 0", "-load 0: must be at least 1"},
		{"-load -5", "-load -5: must be at least 1"},
		{"-load 5 -file x", "-load and -file exclude each other"},
		{"-file=", "-file: the name is empty"},
		{"-db=", "-db: the name is empty"},
		{"-db :memory:", "-db :memory: is gone when it is closed, before it can be verified; " +
			"leave out -db for a temporary file"},
		{"-conns 5", "-conns is for -load and -file"},
		{"-load 5 -conns 0", "-conns 0: must be from 1 to 10000"},
		{"-load 5 -conns 10001", "-conns 10001: must be from 1 to 10000"},
		{"-wait-share 0.5", "-wait-share is for -load"},
		{"-file x -wait-share 0.5", "-wait-share is for -load"},
		{"-load 5 -wait-share 1.5", "-wait-share 1.5: must be from 0 to 1"},
		{"-load 5 -wait-share NaN", "-wait-share NaN: must be from 0 to 1"},
		{"-size 0", "-size 0: must be from 1 to 100000"},
		{"-size 100001", "-size 100001: must be from 1 to 100000"},
		{"-delay 0", "-delay 0s: must be positive"},
		{"-delay 5", `invalid value "5" for flag -delay: parse error`},
		{"-workers 0", "-workers 0: must be from 1 to 1000"},
		{"-postgres=", "-postgres: the connection string is empty"},
		{"-postgres host=x -db y", "-db and -postgres exclude each other"},
		{"-rescue=", "-rescue: the name is empty"},
		{"-plain", "-plain is for -postgres"},
		{"-naive -plain", "-naive and -plain exclude each other"},
		{"-naive=maybe", `invalid boolean value "maybe" for -naive: parse error`},
		{"-naive -size 5", "-size, -delay and -workers are for batches, and -naive has none"},
		{"-split", "-split is for -load"},
		{"-split -file x", "-split is for -load"},
		{"-load 5 more words", `unexpected argument "more words"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			got := runProgram(t, t.Context(), defaults(), "", strings.Fields(c.args)...)
			assert.Equal(t, outcome{2, "", "ingest: " + c.message + " (-h for help)\n"}, got)
		})
	}
}

func TestHelpGoesToStdout(t *testing.T) {
	got := runProgram(t, t.Context(), defaults(), "", "-h")
	assert.Zero(t, got.status)
	assert.Empty(t, got.stderr)
	assert.Contains(t, got.stdout, "ingest -load N [-conns C] [-db FILE]")
	for _, name := range []string{"addr", "db", "load", "file", "conns", "wait-share", "size", "delay", "workers",
		"postgres", "rescue", "split", "naive", "plain"} {
		assert.Regexp(t, "(?m)^  -"+name+"( |$)", got.stdout)
	}
}

func TestWhatCannotBeOpenedEndsTheProgramWithOneMessage(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir) // where a temporary database would be
	noDatabase := filepath.Join(dir, "plain.txt")
	require.NoError(t, os.WriteFile(noDatabase, []byte("this is not a database, though a file"), 0o600))
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	missing := filepath.Join(dir, "missing", "file")

	for _, c := range []struct {
		name, message string
		args          []string
	}{
		{"database in no directory", "open the database " + missing + ": unable to open database file (14)",
			[]string{"-db", missing}},
		{"database is a directory", "open the database " + dir + ": unable to open database file (14)",
			[]string{"-db", dir, "-load", "5"}},
		{"database is another file", "open the database " + noDatabase + ": file is not a database (26)",
			[]string{"-db", noDatabase}},
		{"port in use", "listen tcp " + taken.Addr().String() + ": bind: address already in use",
			[]string{"-addr", taken.Addr().String()}},
		{"port in use by the load", "listen tcp " + taken.Addr().String() + ": bind: address already in use",
			[]string{"-addr", taken.Addr().String(), "-load", "5"}},
		{"no such file", "open " + missing + ": no such file or directory",
			[]string{"-file", missing}},
		{"file is a directory", "read " + dir + ": is a directory",
			[]string{"-file", dir}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runProgram(t, t.Context(), defaults(), "", c.args...)
			assert.Equal(t, outcome{1, "", "ingest: " + c.message + "\n"}, got)
			left, err := filepath.Glob(filepath.Join(dir, "ingest-*"))
			require.NoError(t, err)
			assert.Empty(t, left, "temporary directories")
		})
	}
}

func TestAForeignTableIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	st, err := openSQLite(t.Context(), path)
	require.NoError(t, err)
	db := st.(*sqliteStore).writer
	_, err = db.Exec("DROP TABLE events")
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE events (what TEXT)")
	require.NoError(t, err)
	require.NoError(t, st.Close())

	got := runProgram(t, t.Context(), defaults(), "", "-db", path, "-load", "5")
	assert.Equal(t, 1, got.status)
	assert.Contains(t, got.stderr, "table events has no column named id")
}

func TestTheServiceRunsUntilItIsTold(t *testing.T) {
	st := &memoryStore{}
	cfg := defaults()
	cfg.open = func(context.Context, string) (store, error) { return st, nil }
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr log
	status := make(chan int)
	go func() { status <- runWith(ctx, cfg, []string{"-addr", "127.0.0.1:0"}, nil, &stdout, &stderr) }()

	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "listening") },
		time.Minute, time.Millisecond)
	cancel()
	assert.Zero(t, <-status)
	assert.Contains(t, stderr.String(), "shutting down")
	assert.Contains(t, stdout.String(), "stats: added 0 = flushed 0 + failed 0 + dropped 0 + returned 0 + pending 0")
	assert.True(t, st.closed)
}
