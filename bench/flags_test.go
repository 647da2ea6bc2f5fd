package main

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWithoutFlagsEverythingIsMeasuredInTenRounds(t *testing.T) {
	c, err := parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, sectionNames(), c.only)
	assert.Equal(t, 10, c.rounds)
	assert.Equal(t, "docs", c.out)
	assert.Equal(t, "go run ./bench", c.line)
	assert.NotZero(t, c.seed)
}

func TestSectionsAreTakenOnceAndInTheOrderOfTheReport(t *testing.T) {
	c, err := parse([]string{"-only", "delay,throughput,delay", "-seed", "7"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"throughput", "delay"}, c.only)
	assert.EqualValues(t, 7, c.seed)
	assert.Equal(t, "go run ./bench -only delay,throughput,delay -seed 7", c.line)
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for args, fault := range map[string]string{
		"-only speed":              `there is no section "speed"; there are throughput, slow`,
		"-only throughput,":        `there is no section ""`,
		"-rounds 9":                "-draft writes them all the same",
		"-rounds 0":                "has to be 1 or more",
		"-rounds -3 -draft":        "has to be 1 or more",
		"-rounds ten":              "invalid value",
		"-quick -draft":            "-draft has no meaning",
		"-quick -out elsewhere":    "-out has no meaning",
		"-render -only slow":       "-only has no meaning",
		"-render -rounds 20":       "-rounds has no meaning",
		"-render -quick":           "-quick has no meaning",
		"-render -draft -seed 1":   "-seed has no meaning",
		"throughput":               `arguments without a flag: ["throughput"]`,
		"-fast":                    "not defined",
		"-rounds 3 -only x -quick": "no section",
	} {
		t.Run(args, func(t *testing.T) {
			_, err := parse(strings.Fields(args), io.Discard)
			assert.ErrorContains(t, err, fault)
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	_, err := parse([]string{"-rounds", "3", "-only", "x", "y"}, io.Discard)
	for _, fault := range []string{"no section", "-rounds 3", "without a flag"} {
		assert.ErrorContains(t, err, fault)
	}
}

func TestALookHasThreeRoundsUnlessToldOtherwise(t *testing.T) {
	c, err := parse([]string{"-quick"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 3, c.rounds)
	c, err = parse([]string{"-quick", "-rounds", "5"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 5, c.rounds)
	c, err = parse([]string{"-draft", "-rounds", "1"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 1, c.rounds)
}

func TestHelpIsNoFault(t *testing.T) {
	var out strings.Builder
	assert.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &out))
	assert.Contains(t, out.String(), "-only sections")
}
