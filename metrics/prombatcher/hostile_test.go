package prombatcher_test

import (
	"os"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// hostile is an error whose methods panic when they are looked at.
type hostile struct{}

func (hostile) Error() string { return "hostile" }
func (hostile) Is(error) bool { panic("Is") }
func (hostile) Unwrap() error { panic("Unwrap") }
func (hostile) Timeout() bool { panic("Timeout") }
func (hostile) As(any) bool   { panic("As") }

func goexit() error {
	runtime.Goexit()
	return nil
}

// metricsInDoc are the names that the package documentation explains.
func metricsInDoc(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for _, match := range regexp.MustCompile(`(?m)^//\t(batcher_\w+) `).FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	return names
}
