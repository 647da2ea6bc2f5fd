package pgtest

// Where the server's programs are.

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// folders are where packages of PostgreSQL put the programs; * is the version.
var folders = []string{
	"/usr/lib/postgresql/*/bin",       // Debian
	"/usr/pgsql-*/bin",                // Red Hat
	"/usr/libexec/postgresql*",        // Alpine
	"/usr/local/opt/postgresql@*/bin", // Homebrew
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/pgsql/bin", // from source
}

var errNoPrograms = errors.New("the programs initdb and postgres are neither in the PATH " +
	"nor in a folder such as /usr/lib/postgresql/15/bin; Debian's package is called postgresql")

// findPrograms returns the folder of the server's programs.
func findPrograms(path string, patterns []string) (string, error) {
	for _, folder := range slices.Concat(filepath.SplitList(path), newestFirst(patterns)) {
		if executable(filepath.Join(folder, "initdb")) && executable(filepath.Join(folder, "postgres")) {
			return filepath.Abs(folder)
		}
	}
	return "", errNoPrograms
}

// newestFirst lists the folders that match, those with the greatest version first.
func newestFirst(patterns []string) []string {
	var found []string
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern) // the patterns are well-formed
		found = append(found, matches...)
	}
	slices.SortStableFunc(found, func(a, b string) int { return versionIn(b) - versionIn(a) })
	return found
}

// versionIn returns the last number in a path, 0 without one.
func versionIn(path string) (version int) {
	digit := func(c byte) bool { return '0' <= c && c <= '9' }
	end := len(path)
	for end > 0 && !digit(path[end-1]) {
		end--
	}
	begin := end
	for begin > 0 && digit(path[begin-1]) {
		begin--
	}
	version, _ = strconv.Atoi(path[begin:end])
	return version
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && !info.IsDir() && info.Mode()&0o111 != 0
}
