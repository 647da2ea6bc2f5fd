package batcher_test

import (
	"os"
	"path/filepath"
	"regexp"
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

// testNames returns the names of all tests of the core and its property tests.
func testNames(t *testing.T) (names string) {
	t.Helper()
	for _, dir := range []string{".", "internal/proptest"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, name := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				names += string(name[1]) + "\n"
			}
		}
	}
	return names
}
