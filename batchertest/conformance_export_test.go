package batchertest

import "testing"

// SinkChecks returns the checks that TestSink would run, by name.
func SinkChecks[T any](sink SinkTest[T]) map[string]func(testing.TB) {
	all := make(map[string]func(testing.TB))
	for _, c := range sink.checks() {
		all[c.name] = c.run
	}
	return all
}

var VerdictOf = verdictOf

func MustBeComplete[T any](t testing.TB, sink SinkTest[T]) { sink.mustBeComplete(t) }
