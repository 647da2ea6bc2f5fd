package pgtest

// Taking the server away, and giving it back.

import (
	"context"
	"testing"
)

// Kill ends all processes of the server at once with SIGKILL, as a lack of memory does. What was
// committed is there after the next [Server.Restart]. A server that does not run is left alone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	s.process.kill()
	s.process = nil
}

// Stop shuts the server down in the mode that PostgreSQL calls fast, as an administrator does:
// sessions are ended with an error (57P01), what was committed is kept. It waits for the end. A
// server that does not run is left alone; one that is paused is resumed for it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	s.process.resume()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if !s.process.interrupt(ctx) {
		t.Fatalf("pgtest: the server has not stopped within %v; its log:\n%s", stopLimit, tail(s.Log()))
	}
	s.process = nil
}

// Restart stops the server if it runs, starts it with the same port, settings and data, and waits
// until it takes connections.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.start(false); err != nil {
		t.Fatal(err)
	}
}

// Pause stops all processes of the server in mid-step with SIGSTOP: connections stay open, the
// system still takes some new ones in its name, and nobody answers. See [Server.Resume]. A test
// process that is killed meanwhile leaves a paused server behind.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	if s.process == nil {
		t.Fatal("pgtest: Pause: the server does not run")
	}
	s.process.pause()
}

// Resume lets a paused server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if s.process == nil {
		t.Fatal("pgtest: Resume: the server does not run")
	}
	s.process.resume()
}
