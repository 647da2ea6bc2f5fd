package pgtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// place puts empty programs into a folder.
func place(t *testing.T, folder string, mode os.FileMode, names ...string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, mode))
	}
	return folder
}

func TestTheNewestProgramsAreTakenUnlessThePathHasSome(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"9", "15", "17"} {
		place(t, filepath.Join(dir, "lib", version, "bin"), 0o755, "initdb", "postgres")
	}
	place(t, filepath.Join(dir, "lib", "18", "bin"), 0o755, "initdb")             // half of it
	place(t, filepath.Join(dir, "lib", "19", "bin"), 0o644, "initdb", "postgres") // no programs
	patterns := []string{filepath.Join(dir, "none*"), filepath.Join(dir, "lib", "*", "bin")}

	got, err := findPrograms("", patterns)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "lib", "17", "bin"), got)

	mine := place(t, filepath.Join(dir, "mine"), 0o755, "initdb", "postgres")
	path := strings.Join([]string{dir, mine}, string(filepath.ListSeparator))
	got, err = findPrograms(path, patterns)
	require.NoError(t, err)
	assert.Equal(t, mine, got)

	_, err = findPrograms(dir, nil)
	require.ErrorIs(t, err, errNoPrograms)
}

func TestSettingsAreQuoted(t *testing.T) {
	c := newConfig([]Option{WithSetting("a", "it's")})
	assert.Contains(t, c.file(), "a = 'it''s'\n")
}

// ending is a test whose end is looked at.
type ending struct {
	testing.TB
	skipped, failed string
}

func (e *ending) Helper()                           {}
func (e *ending) Skipf(format string, args ...any)  { e.skipped = format }
func (e *ending) Fatalf(format string, args ...any) { e.failed = format; panic(e) }

func TestWithoutAServerTestsAreSkippedButNotInCI(t *testing.T) {
	t.Setenv("CI", "")
	e := &ending{}
	unavailable(e, "why")
	assert.Contains(t, e.skipped, "no PostgreSQL server")
	t.Setenv("CI", "true")
	assert.Panics(t, func() { unavailable(e, "why") })
	assert.Contains(t, e.failed, "CI=true does not excuse")
}
