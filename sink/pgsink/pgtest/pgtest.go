// Package pgtest gives tests a real PostgreSQL server of their own: started in a temporary folder
// on a free port of the loopback interface, and taken away when the test is over. The server can
// be killed, stopped, paused and started again under the program that is tested, and [Proxy] puts
// a faulty network in front of it.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }
//
//	func TestMyStore(t *testing.T) {
//		server := pgtest.Shared(t)                       // one for the package
//		pool := pgtest.Pool(t, server.NewDatabase(t))    // a database for this test
//		...
//	}
//
// A test that takes the server away makes one of its own with [Start], which takes about two
// seconds.
//
// # What it needs
//
// The programs initdb and postgres, of version 13 or later. They are looked for in the PATH and then
// where systems put them, such as /usr/lib/postgresql/15/bin, the newest first. Where there are
// none, the test is skipped; if the environment variable CI is "true", it fails. A test that is run
// by root runs the server as the user postgres, or nobody if there is none, since PostgreSQL refuses
// to be root. Systems that are not Unix have no servers here: their tests are skipped.
//
// # What is left behind
//
// Nothing, as a rule. If the test process is killed, Linux ends the server with it, but the
// temporary folder (pgtest-*, about 40 MB) remains.
package pgtest

import (
	"os"
	"testing"
)

// unavailable ends a test for which there is no server, and says why.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("pgtest: no PostgreSQL server, which CI=true does not excuse: %s", why)
	}
	t.Skipf("pgtest: no PostgreSQL server: %s", why)
}
