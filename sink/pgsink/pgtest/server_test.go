package pgtest_test

import (
	"bufio"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/sink/pgsink/pgtest"
)

func TestTheSharedServerGivesEachTestADatabaseOfItsOwn(t *testing.T) {
	server := pgtest.Shared(t)
	assert.Same(t, server, pgtest.Shared(t))
	one, two := server.NewDatabase(t), server.NewDatabase(t)
	assert.NotEqual(t, one, two)
	run(t, connect(t, one), "CREATE TABLE events ()")
	run(t, connect(t, two), "CREATE TABLE events ()")
}

func TestADatabaseIsDroppedWithItsTest(t *testing.T) {
	server := pgtest.Shared(t)
	var name string
	t.Run("a test that leaves a connection open", func(t *testing.T) {
		u, err := url.Parse(server.NewDatabase(t))
		require.NoError(t, err)
		name = strings.TrimPrefix(u.Path, "/")
		conn, err := pgx.Connect(t.Context(), u.String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.PgConn().Conn().Close() })
	})
	conn := connect(t, server.DSN())
	assert.Zero(t, number(t, conn, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"))
}

func TestThePoolObeysTheConnectionString(t *testing.T) {
	pool := pgtest.Pool(t, pgtest.Shared(t).NewDatabase(t)+"&pool_max_conns=3")
	require.NoError(t, pool.Ping(t.Context()))
	assert.EqualValues(t, 3, pool.Config().MaxConns)
}

func TestTheServerNeedsThePassword(t *testing.T) {
	u, err := url.Parse(pgtest.Shared(t).DSN())
	require.NoError(t, err)
	u.User = url.UserPassword(u.User.Username(), "wrong")
	_, err = pgx.Connect(within(t, soon), u.String())
	require.ErrorContains(t, err, "28P01")
}

func TestASettingThatTheServerRefusesIsTold(t *testing.T) {
	pgtest.Shared(t) // skips where there is none
	var failure string
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine
		defer close(done)
		pgtest.Start(&failing{TB: t, failure: &failure}, pgtest.WithSetting("work_mem", "plenty"))
	}()
	<-done
	require.Contains(t, failure, `invalid value for parameter "work_mem": "plenty"`)
}

func TestSettingsReachTheServer(t *testing.T) {
	server := pgtest.Start(t, pgtest.WithFsync(), pgtest.WithMaxConnections(7),
		pgtest.WithSetting("application_name", "it's me"))
	conn := connect(t, server.DSN())
	assert.Equal(t, "on", setting(t, conn, "fsync"))
	assert.Equal(t, "on", setting(t, conn, "full_page_writes"))
	assert.Equal(t, "7", setting(t, conn, "max_connections"))
	assert.Equal(t, "off", setting(t, connect(t, pgtest.Shared(t).DSN()), "fsync"))
}

func TestWhatWasCommittedSurvivesEveryWayToEndTheServer(t *testing.T) {
	server := pgtest.Start(t)
	dsn, addr := server.NewDatabase(t), server.Addr()
	run(t, connect(t, dsn), "CREATE TABLE events (n int)")
	for i, end := range []func(testing.TB){server.Kill, server.Stop, server.Restart} {
		conn := connect(t, dsn)
		run(t, conn, "INSERT INTO events VALUES (1)")
		end(t)
		_, err := conn.Exec(within(t, soon), "SELECT 1")
		require.Error(t, err, "the connection is gone")
		server.Restart(t)
		assert.Equal(t, addr, server.Addr())
		assert.Equal(t, i+1, number(t, connect(t, dsn), "SELECT count(*) FROM events"))
	}
}

func TestAServerThatIsDownRefusesConnections(t *testing.T) {
	server := pgtest.Start(t)
	for _, end := range []func(testing.TB){server.Kill, server.Stop} {
		end(t)
		end(t) // again: nothing to do
		_, err := net.Dial("tcp", server.Addr())
		require.ErrorContains(t, err, "refused")
		server.Restart(t)
	}
}

func TestAPausedServerGoesOnWhereItStopped(t *testing.T) {
	server := pgtest.Start(t)
	conn := connect(t, server.DSN())
	answered := make(chan error, 1)
	server.Pause(t)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT 1")
		answered <- err
	}()
	_, err := pgx.Connect(within(t, 200*time.Millisecond), server.DSN())
	require.Error(t, err, "nobody answers")
	select {
	case <-answered:
		t.Fatal("a paused server has answered")
	default:
	}
	server.Resume(t)
	require.NoError(t, <-answered)

	server.Pause(t)
	server.Stop(t) // wakes it for that
	server.Restart(t)
	server.Pause(t)
	server.Kill(t)
	server.Restart(t)
	run(t, connect(t, server.DSN()), "SELECT 1")
}

func TestNothingIsLeftOfAServer(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	t.Setenv("TMPDIR", dir)
	var addr string
	t.Run("a test", func(t *testing.T) { addr = pgtest.Start(t).Addr() })
	if addr == "" {
		t.Skip("no server")
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	_, err = net.Dial("tcp", addr)
	require.ErrorContains(t, err, "refused")
}

func TestTheServerEndsWithAKilledTestProcess(t *testing.T) {
	pgtest.Shared(t) // skips where there is none
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	victim := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
	victim.Env = append(os.Environ(), asVictim+"=1", "TMPDIR="+dir)
	stdout, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	addr := ""
	for lines := bufio.NewScanner(stdout); addr == "" && lines.Scan(); {
		_, addr, _ = strings.Cut(lines.Text(), "listening on ")
	}
	require.NotEmpty(t, addr)
	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait() // killed
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, soon, 10*time.Millisecond)
	require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, soon, 10*time.Millisecond)
}
