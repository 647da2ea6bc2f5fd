package pgtest

// What can be set before a server is started.

import (
	"fmt"
	"strings"
)

// Option changes how a server is started.
type Option func(*config)

type config struct {
	settings map[string]string // of postgresql.conf
}

// newConfig has the settings of a server that forgets everything when the machine fails, though
// nothing when only its processes are killed: synchronous_commit stays on, since what a commit has
// left in the server's memory would be lost with it.
func newConfig(opts []Option) config {
	c := config{settings: map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"fsync":                   "off",
		"full_page_writes":        "off",
		"log_min_messages":        "warning",
		"log_min_error_statement": "panic", // statements may be megabytes long
	}}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithFsync makes the server wait for the disk at each commit, as one in production does. For
// benchmarks: without it, commits are much too cheap. Default off.
func WithFsync() Option {
	return func(c *config) {
		c.settings["fsync"] = "on"
		c.settings["full_page_writes"] = "on"
	}
}

// WithMaxConnections bounds the connections that the server takes, three of which are
// reserved for superusers, and everybody here is one unless the test makes other users. Default:
// the server's own, 100.
func WithMaxConnections(n int) Option { return WithSetting("max_connections", fmt.Sprint(n)) }

// WithSetting sets a parameter of postgresql.conf. If the server refuses it, Start fails the test
// and shows the server's log. The port cannot be set.
func WithSetting(name, value string) Option {
	return func(c *config) { c.settings[name] = value }
}

// file returns the settings as lines of postgresql.conf.
func (c config) file() string {
	var lines strings.Builder
	for name, value := range c.settings {
		fmt.Fprintf(&lines, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	return lines.String()
}
