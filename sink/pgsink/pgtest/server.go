package pgtest

// The server: how it is made, started and taken away.

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server. Its methods are for one goroutine at a time, that of the test,
// since they fail the test that is passed to them; DSN, Addr and Log may be called by any.
type Server struct {
	programs string // the folder of initdb and postgres
	folder   string // holds the data, the log and nothing else
	port     int
	password string
	user     *credential // nil: the one who runs the test

	process *process // nil if the server does not run
}

// The bounds on what is waited for: generous, since machines may be slow.
const (
	startLimit = 2 * time.Minute
	stopLimit  = time.Minute
)

// Start starts a server that is stopped and removed at the end of the test. It returns when the
// server takes connections, usually after two seconds. Where there are no programs to start it
// skips the test, see the package documentation; other faults fail it and show the server's log.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	programs, err := available()
	if err != nil {
		unavailable(t, err.Error())
	}
	s, err := create(programs, newConfig(opts))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of PostgreSQL on %s:\n%s", s.Addr(), tail(s.Log()))
		}
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// available returns the folder of the server's programs, or why there can be no server.
func available() (string, error) {
	if !supported {
		return "", errors.New("this system is not a Unix")
	}
	return findPrograms(os.Getenv("PATH"), folders)
}

// create makes a server and starts it. If it fails, nothing is left.
func create(programs string, c config) (s *Server, err error) {
	s = &Server{programs: programs, password: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove())
		}
	}()
	if s.user, err = unprivileged(); err != nil {
		return s, fmt.Errorf("pgtest: %w", err)
	}
	if s.folder, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return s, fmt.Errorf("pgtest: %w", err)
	}
	if err = s.initialise(c); err != nil {
		return s, err
	}
	return s, s.start(true)
}

// initialise makes the files of the server.
func (s *Server) initialise(c config) error {
	passwordFile := filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(s.password), 0o600); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	if err := s.user.own(s.folder, passwordFile); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	initdb := exec.Command(filepath.Join(s.programs, "initdb"), "--pgdata="+s.data(),
		"--username="+superuser, "--pwfile="+passwordFile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	initdb.Dir = s.folder // which the server's user may enter, unlike perhaps the current one
	s.user.run(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb as %s: %w\n%s", s.user, err, out)
	}
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	_, err = file.WriteString("\n" + c.file())
	return errors.Join(err, file.Close())
}

// start starts the server, on a new port if it may choose one, and waits until it takes
// connections. A server that finds something in use is started again for a while: its port may have
// been taken by somebody else in the meantime, or what its predecessor has left may take a moment
// to go.
func (s *Server) start(choosePort bool) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for attempt := 1; attempt <= 20; attempt++ {
		if choosePort {
			s.port = freePort()
		}
		old := len(s.Log())
		err = s.startOnce(ctx)
		if err == nil || !errors.Is(err, errEnded) || !strings.Contains(s.Log()[old:], "in use") {
			return err
		}
		wait(ctx, 50*time.Millisecond)
	}
	return err
}

// errEnded says that the server ended while it was waited for.
var errEnded = errors.New("the server ended")

// startOnce starts the server once.
func (s *Server) startOnce(ctx context.Context) error {
	logFile, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer logFile.Close() // the server has it by then
	cmd := exec.Command(filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", strconv.Itoa(s.port))
	cmd.Dir = s.folder
	cmd.Stdout, cmd.Stderr = logFile, logFile
	s.user.run(cmd)
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	if err := s.ready(ctx, p); err != nil {
		p.kill()
		return fmt.Errorf("pgtest: start the server on %s: %w\n%s", s.Addr(), err, tail(s.Log()))
	}
	s.process = p
	return nil
}

// ready waits until the server takes connections.
func (s *Server) ready(ctx context.Context, p *process) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		conn, err := pgx.Connect(attempt, s.DSN())
		if err == nil {
			err = conn.Close(attempt)
			cancel()
			return err
		}
		cancel()
		select {
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", startLimit, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// remove ends the server and removes its files.
func (s *Server) remove() error {
	if s.process != nil {
		s.process.kill() // nobody needs what it has in memory
		s.process = nil
	}
	if s.folder == "" {
		return nil
	}
	return os.RemoveAll(s.folder)
}

const superuser = "postgres"

// DSN returns the connection string of the server's own database, postgres, as a URL. Tests should
// rather use one from [Server.NewDatabase].
func (s *Server) DSN() string { return s.dsn("postgres") }

func (s *Server) dsn(database string) string {
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     s.Addr(),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return dsn.String()
}

// Addr returns the address that the server listens on, such as 127.0.0.1:21345. It stays the same
// when the server is started again.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Log returns what the server has logged so far, at level warning and above.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile()) // none if it was never started
	return string(text)
}

func (s *Server) data() string    { return filepath.Join(s.folder, "data") }
func (s *Server) logFile() string { return filepath.Join(s.folder, "log") }

// tail returns the last lines of a log.
func tail(log string) string {
	const most = 4 << 10
	if len(log) <= most {
		return log
	}
	_, rest, _ := bytes.Cut([]byte(log[len(log)-most:]), []byte("\n"))
	return "...\n" + string(rest)
}

// freePort returns a port that nobody listens on at the moment. It is one below those that systems
// give to outgoing connections: another one could be taken by any client while the server is
// down, even by one that tries to reach it.
func freePort() int {
	const lowest, highest = 10_000, 30_000
	for {
		var b [2]byte
		_, _ = rand.Read(b[:]) // does not fail
		port := lowest + (int(b[0])<<8|int(b[1]))%(highest-lowest)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			return port
		}
	}
}

// wait waits for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
