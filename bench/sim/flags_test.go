package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBadInputIsNamedWithItsFlagItsValueAndItsBound(t *testing.T) {
	for args, want := range map[string]string{
		"-rate 0":                       "-rate 0: must be above 0, at most 10000000",
		"-rate -3":                      "-rate -3: must be above 0",
		"-rate NaN":                     "-rate NaN: must be above 0",
		"-rate 1e8":                     "-rate 1e+08: must be above 0, at most 10000000",
		"-rate many":                    `invalid value "many" for flag -rate`,
		"-for 0s":                       "-for 0s: must be above 0s, at most 1000h0m0s",
		"-for 1001h":                    "-for 1001h0m0s: must be above 0s, at most 1000h0m0s",
		"-rate 1e6 -for 1m":             "-rate 1e+06 -for 1m0s: these are 60000000 items, at most 5000000 can be simulated",
		"-rate 0.001 -for 1ms":          "-rate 0.001 -for 1ms: no item comes in that time",
		"-size 0":                       "-size 0: must be from 1 to 10000000",
		"-size 10000001":                "-size 10000001: must be from 1 to 10000000",
		"-delay 0s":                     "-delay 0s: must be above 0s, at most 1000h0m0s",
		"-workers 0":                    "-workers 0: must be from 1 to 65536",
		"-workers 65537":                "-workers 65537: must be from 1 to 65536",
		"-queue 0":                      "-queue 0: must be from 1 to 16777216",
		"-queue -1":                     "-queue -1: must be from 1 to 16777216",
		"-patience -1s":                 "-patience -1s: must be from 0s to 1000h0m0s",
		"-overflow reject -patience 1s": "-patience 1s: with -overflow Reject nobody waits",
		"-overflow Wait":                `-overflow "Wait": must be Block, Reject, DropNewest or DropOldest`,
		"-sink fast":                    `-sink "fast": must be a time such as 20ms, or with one per item, 20ms+10us`,
		"-sink 1ms+x":                   `-sink "1ms+x": behind the + must be a time per item such as 10us`,
		"-sink 2h":                      `-sink "2h": the fixed part must be from 0s to 1h0m0s`,
		"-sink -1ms":                    `-sink "-1ms": the fixed part must be from 0s to 1h0m0s`,
		"-sink 1ms+2s":                  `-sink "1ms+2s": the time per item must be from 0s to 1s`,
		"-spread wide":                  `-spread "wide": must be none, exp, or lognormal:SIGMA`,
		"-spread lognormal:0":           `-spread "lognormal:0": sigma must be a number above 0, at most 3`,
		"-spread lognormal:NaN":         `-spread "lognormal:NaN": sigma must be a number above 0, at most 3`,
		"-stall 1s":                     `-stall "1s": must be a start and a length such as 10s/2s`,
		"-stall 1s/0s":                  `-stall "1s/0s": must be a start and a length`,
		"-pattern random":               `-pattern "random": must be poisson, steady, or burst:ON/OFF`,
		"-pattern burst:0s/1s":          `-pattern "burst:0s/1s": must be two times`,
		"-pattern burst:1s":             `-pattern "burst:1s": must be two times`,
		"-sweep rates=1,2":              `-sweep "rates=1,2": must be one of rate, size, delay, workers, queue with its values`,
		"-sweep delay":                  `-sweep "delay": must be one of rate, size, delay, workers, queue with its values`,
		"-sweep delay=1ms":              `-sweep "delay=1ms": has 1 values, must have from 2 to 50`,
		"-sweep delay=1ms,2":            `-sweep "delay=1ms,2": "2": no time such as 10ms`,
		"-sweep size=1,x":               `-sweep "size=1,x": "x": no whole number`,
		"-sweep rate=1,x":               `-sweep "rate=1,x": "x": no number`,
		"-sweep size=2,1":               `-sweep "size=2,1": "1": the values must ascend`,
		"-sweep size=0,1":               "-sweep size=0: -size 0: must be from 1 to 10000000",
		"-sweep size=1,2 -size 3":       "-sweep size=... and -size: only one of them can say it",
		"-sweep size=1,2 -delay 0s":     "-sweep size=2: -delay 0s: must be above 0s",
		"-plot x":                       "-plot x: there is a picture of a -sweep only",
		"-sweep size=1,2 -plot=":        "-plot: the name is empty",
		"-arrivals none -rate 3":        "-arrivals none: it says when items come, so -rate has no meaning",
		"-arrivals none":                "-arrivals: open none:",
		"5000":                          `arguments without a flag: ["5000"]`,
		"-nonsense":                     "flag provided but not defined: -nonsense",
	} {
		var out strings.Builder
		err := run(strings.Fields(args), &out, io.Discard)
		assert.ErrorContains(t, err, want, args)
		assert.Empty(t, out.String(), "%s: nothing is printed that could be taken for a result", args)
	}
}

func TestEverythingWrongIsNamedAtOnce(t *testing.T) {
	err := run(strings.Fields("-rate 0 -size 0 -sink x"), io.Discard, io.Discard)
	for _, want := range []string{"-rate 0", "-size 0", `-sink "x"`} {
		assert.ErrorContains(t, err, want)
	}
}

func TestAFileOfArrivalsIsCheckedLineByLine(t *testing.T) {
	for text, want := range map[string]string{
		"":              "there are no arrivals in it",
		"# nothing\n":   "there are no arrivals in it",
		"1s\nsoon\n":    `line 2: "soon" is no time such as 1.5s`,
		"-1s\n":         "line 1: -1s must be from 0s to 1000h0m0s",
		"1s\n\n500ms\n": "line 3: 500ms comes before the 1s above it",
		"1.5\n":         `line 1: "1.5" is no time such as 1.5s`,
	} {
		name := filepath.Join(t.TempDir(), "arrivals")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		err := run([]string{"-arrivals", name}, io.Discard, io.Discard)
		assert.ErrorContains(t, err, "-arrivals "+name+": "+want)
	}
}

func TestAPictureThatCannotBeWrittenIsAnError(t *testing.T) {
	err := run([]string{"-rate", "100", "-for", "1s", "-sweep", "size=1,2", "-plot", filepath.Join(t.TempDir(), "no", "x")}, io.Discard, io.Discard)
	assert.ErrorContains(t, err, "-plot: ")
}

func TestHelpIsNoError(t *testing.T) {
	var help strings.Builder
	require.NoError(t, run([]string{"-h"}, io.Discard, &help))
	for _, flag := range []string{"-rate", "-sink", "-sweep", "QueueDepth (default twice the workers)"} {
		assert.Contains(t, help.String(), flag)
	}
}
