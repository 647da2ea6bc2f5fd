package batcher_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README's promises and docs/faults.md say that each line has a test that
// carries its number.
func TestEveryPromiseAndFaultInTheDocsHasATest(t *testing.T) {
	names := testNames(t)
	for file, pattern := range map[string]string{"README.md": `(?m)^\| (P\d+) \|`, "docs/faults.md": `(?m)^\| (F\d+) \|`} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		numbers := regexp.MustCompile(pattern).FindAllSubmatch(text, -1)
		assert.NotEmpty(t, numbers, file)
		for _, n := range numbers {
			assert.Regexp(t, `\bTest(\w*_)?`+string(n[1])+`_`, names, "%s: %s has no test", file, n[1])
		}
	}
}

// testNames returns the names of all tests of the repository.
func testNames(t *testing.T) string {
	t.Helper()
	var names strings.Builder
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range test.FindAllSubmatch(text, -1) {
			names.Write(append(name[1], '\n'))
		}
		return err
	}))
	return names.String()
}
