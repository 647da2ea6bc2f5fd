package end_to_end

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

// For benchmarks the server waits for the disk at each commit, as one in production does; tests do
// without.
func TestMain(m *testing.M) {
	flag.Parse()
	var opts []pgtest.Option
	if flag.Lookup("test.bench").Value.String() != "" {
		opts = append(opts, pgtest.WithFsync())
	}
	goleak.VerifyTestMain(building{pgtest.Main(m, opts...)})
}

// building removes what was built when the tests are over.
type building struct{ tests pgtest.TestRunner }

func (b building) Run() int {
	code := b.tests.Run()
	if program.dir != "" {
		_ = os.RemoveAll(program.dir)
	}
	return code
}

// program is the service, built by the first test that wants it.
var program struct {
	once sync.Once
	dir  string
	path Program
	err  error
}

// theService returns the program. Without a go command the test is skipped, and fails if CI=true.
func theService(t testing.TB) Program {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no go command to build the service with, which CI=true does not excuse: ", err)
		}
		t.Skip("no go command to build the service with: ", err)
	}
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "exercise20-"); program.err == nil {
			program.path, program.err = Build(context.Background(), program.dir)
		}
	})
	require.NoError(t, program.err)
	return program.path
}

var variants = []Variant{Slow, Plain, Fast, FastWait}

// soon bounds what should not take long, even on a slow machine.
const soon = 2 * time.Minute

// The program itself compares the database with what the clients were told; Load hands on its verdict.
func TestAllVariantsStoreEveryRequestOnce(t *testing.T) {
	server, service := pgtest.Shared(t), theService(t)
	const requests = 1000
	found := make(map[string]Figures)
	for _, v := range variants {
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		f, err := service.Load(ctx, v, server.NewDatabase(t), t.TempDir(), requests)
		require.NoError(t, err)
		assert.Positive(t, f.PerSecond)
		assert.Positive(t, f.P50)
		assert.LessOrEqual(t, f.P50, f.P99)
		assert.Positive(t, f.CPU)
		assert.Positive(t, f.Bytes)
		assert.Positive(t, f.Memory)
		found[v.Name] = f
	}
	assert.Less(t, found["fast"].Allocs, 0.7*found["plain"].Allocs)
	assert.Less(t, found["fast"].Allocs, 0.7*found["slow"].Allocs)
}

func TestWhatTheProgramSaysOfAFailureIsPassedOn(t *testing.T) {
	pgtest.Shared(t) // for the reasons for which the others are skipped
	_, err := theService(t).Load(t.Context(), Fast, "postgres://127.0.0.1:1/none?sslmode=disable", t.TempDir(), 10)
	require.ErrorContains(t, err, "the service, fast: exit status 1")
	assert.ErrorContains(t, err, "127.0.0.1:1")
	_, err = theService(t).Load(t.Context(), Slow, "postgres://127.0.0.1:1/none", t.TempDir(), 0)
	assert.ErrorContains(t, err, "-load 0: must be at least 1")
	_, err = Program("/nonexistent/ingest").Load(t.Context(), Fast, "", t.TempDir(), 10)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnInterruptEndsTheServiceToo(t *testing.T) {
	dsn := pgtest.Shared(t).NewDatabase(t)
	pool := pgtest.Pool(t, dsn)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	service := theService(t)
	go func() {
		_, err := service.Load(ctx, Fast, dsn, os.TempDir(), 10_000_000)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		var stored int
		err := pool.QueryRow(t.Context(), "SELECT count(*) FROM events").Scan(&stored)
		return err == nil && stored > 0 // the table is the service's
	}, soon, 10*time.Millisecond)
	cancel()
	err := <-ended
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "msg=stopped")
	assert.ErrorContains(t, err, "interrupted after")
	assert.ErrorContains(t, err, "accepted events are in the database exactly once")
}

const goodReport = `
requests                 900 answered 202, 0 answered 201, 90 times 503 and sent again
throughput               20491 req/s over 128 connections in 488ms
API latency, 202         p50 950µs, p99 17ms, max 22.1ms
flush                    p50 19.6ms, p99 1.5s, max 2.2s
batch size               mean 500, p50 500, max 500
CPU per request          27.6µs (of the service alone)
allocations per request  27, 3.4 KiB (of the service alone)
memory                   at most 23.6 MiB resident (of the service alone)
verified: all 900 accepted events are in the database exactly once; nothing else is there
`

func TestTheReportIsReadToTheLastDigit(t *testing.T) {
	got, err := parse(goodReport, 900)
	require.NoError(t, err)
	assert.Equal(t, Figures{
		PerSecond: 20491, P50: 950 * time.Microsecond, P99: 17 * time.Millisecond, FlushP99: 1500 * time.Millisecond,
		CPU: 27600 * time.Nanosecond, Allocs: 27, Bytes: 3.4 * 1024, Memory: 23.6 * (1 << 20), Refused: 0.1,
	}, got)
}

func TestAReportThatLacksSomethingIsRefused(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(goodReport), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "batch size") || strings.HasPrefix(line, "flush") {
			continue // slow has no batches, and a small load may end before the first write
		}
		rest := strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "\n")
		_, err := parse(rest, 900)
		name, _, _ := strings.Cut(line, " ")
		assert.ErrorContains(t, err, name, "without the line: %s", line)
	}
	_, err := parse(goodReport, 901)
	require.ErrorContains(t, err, "901 were sent")
	_, err = parse(strings.Replace(goodReport, "p99 17ms", "p99 soon", 1), 900)
	require.ErrorContains(t, err, `invalid duration "soon"`)
	_, err = parse(strings.Replace(goodReport, "p99 1.5s", "p99", 1), 900)
	require.ErrorContains(t, err, "flush")
}
