package child_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-4c1eaf8a/batcher/bench/child"
)

func TestMain(m *testing.M) {
	child.Jobs{
		"join":  func(args []string) (string, error) { return strings.Join(args, "+"), nil },
		"panic": func([]string) (string, error) { panic("ouch") },
		"fail":  func([]string) (string, error) { return "", errors.New("no way") },
		"hang":  func([]string) (string, error) { select {} },
	}.Main()
	os.Exit(m.Run())
}

const plenty = time.Minute

func TestTheResultOfAJobComesBack(t *testing.T) {
	got, err := child.Run(t.Context(), plenty, "join", "a b", "", "c\n")
	require.NoError(t, err)
	assert.Equal(t, "a b++c\n", got)
}

func TestAProcessThatDiesIsACrash(t *testing.T) {
	for job, first := range map[string]string{"panic": "panic: ouch", "fail": "no way", "none": "is not a job"} {
		_, err := child.Run(t.Context(), plenty, job)
		var crash *child.Crash
		require.ErrorAs(t, err, &crash, job)
		assert.Contains(t, crash.First, first)
		assert.Contains(t, crash.Error(), first)
	}
}

func TestAJobThatHangsIsEnded(t *testing.T) {
	_, err := child.Run(t.Context(), time.Millisecond, "hang")
	assert.ErrorIs(t, err, child.ErrHung)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = child.Run(ctx, plenty, "hang")
	assert.ErrorIs(t, err, why)
}
