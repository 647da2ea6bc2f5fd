package pgsink

// What an error means for another attempt.

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-4c1eaf8a/batcher"
)

const protocolViolation = "08P01"

// throttleWait is how long to wait at least for a server that is short of something: long enough
// for others to finish, short enough for one that is starting.
const throttleWait = time.Second

// Classify returns err with the mark that says whether another attempt is worth it, by the SQLSTATE
// of the server's error in it ([pgconn.PgError]):
//
//	permanent    22 data exception, 23 constraint violation, 42 syntax or access (a table, a
//	             column, a privilege is missing), 3F schema missing, 44 check of a view, 0A not
//	             supported, 21 cardinality, 27 and 09 triggered action, 54 a limit of the
//	             program (a row, or an index entry, is too big), P0 RAISE and other errors of
//	             PL/pgSQL, 20, 2F, 38, 39 functions, 40002
//	RetryAfter   53 resources (too many connections, disk full, out of memory) and 57P03 (the
//	             server is starting or stopping): after one second at least
//	transient    all others, without a mark. Among them: 08 connection, 25006 the server is
//	             read-only (after a failover), 28 authentication (credentials may be rotating),
//	             40001 and 40P01 serialization and deadlock, 55P03 lock timeout, 57 cancelled by
//	             a timeout or an administrator, 58 and XX errors of the system
//
// 08P01 (protocol violation) is permanent in a [*RowError], where it says that the bytes of a [Raw]
// column are not in the format of the type; elsewhere proxies use it for all kinds of trouble.
//
// An error in making a connection ([pgconn.ConnectError]) is never permanent: it is not about the
// items. Errors without a SQLSTATE are transient: the network, the end of a context, a pool that
// is closed. An error that has a mark or is a [*batcher.PartialError] comes back as it is.
// Classify(nil) is nil. Write has classified its errors; this is for programs that send statements
// of their own.
func Classify(err error) error {
	var partial *batcher.PartialError
	if err == nil || isMarked(err) || errors.As(err, &partial) {
		return err
	}
	code := codeOf(err)
	switch {
	case throttles(code):
		return batcher.RetryAfter(err, throttleWait)
	case isPermanent(code) && !connecting(err), code == protocolViolation && isRow(err):
		return batcher.Permanent(err)
	}
	return err
}

func isMarked(err error) bool {
	_, throttled := batcher.RetryDelay(err)
	return throttled || batcher.IsPermanent(err) || batcher.IsTooLarge(err)
}

func connecting(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

func isRow(err error) bool {
	var row *RowError
	return errors.As(err, &row)
}

func throttles(code string) bool {
	return len(code) == 5 && (code[:2] == "53" || code == "57P03")
}

func isPermanent(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "09", "0A", "20", "21", "22", "23", "27", "2F", "38", "39", "3F", "42", "44", "54", "P0":
		return true
	}
	return code == "40002"
}
