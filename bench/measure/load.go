package measure

// Other load on the machine: a table measured beside a compiler is worth less than one measured alone,
// and should say so.

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Load measures what the machine does apart from this program. Begin it with StartLoad.
type Load struct {
	average string // the system's load average at the start
	before  ticks
}

// ticks are times since the machine's start, in the kernel's unit, over all processors.
type ticks struct {
	total, busy, stolen int64
	own                 int64 // this process and its children that have ended
	known               bool
}

// StartLoad notes the state of the machine. Only Linux tells; elsewhere the facts are "unknown".
func StartLoad() Load {
	return Load{average: loadAverage(), before: readTicks()}
}

// Facts are the load before and during: the system's load average at the start (which a run just
// before this one raises), the share of all processors' time that other programs took since, and
// the share that the hypervisor gave to other machines.
func (l Load) Facts() Header {
	now := readTicks()
	h := Header{{"load-before", l.average}, {"load-during", unknown}}
	if total := float64(now.total - l.before.total); now.known && l.before.known && total > 0 {
		others := float64(now.busy-l.before.busy) - float64(now.own-l.before.own)
		stolen := float64(now.stolen - l.before.stolen)
		h[1].Value = fmt.Sprintf("others %.0f %%, stolen %.0f %%", max(0, others/total*100), stolen/total*100)
	}
	return h
}

// loadAverage is the system's over 1, 5 and 15 minutes.
func loadAverage() string {
	fields := strings.Fields(firstLine("/proc/loadavg"))
	if len(fields) < 3 {
		return unknown
	}
	return strings.Join(fields[:3], " ")
}

func readTicks() ticks {
	t, ok := machineTicks()
	own, ok2 := ownTicks()
	t.own, t.known = own, ok && ok2
	return t
}

// machineTicks reads the first line of /proc/stat: cpu, then user, nice, system, idle, iowait, irq,
// softirq, steal.
func machineTicks() (ticks, bool) {
	fields := strings.Fields(firstLine("/proc/stat"))
	if len(fields) < 9 {
		return ticks{}, false
	}
	var t ticks
	for i, f := range fields[1:9] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return ticks{}, false
		}
		t.total += n
		switch i {
		case 3, 4: // idle
		case 7:
			t.stolen = n
		default:
			t.busy += n
		}
	}
	return t, true
}

// ownTicks reads utime, stime, cutime and cstime of /proc/self/stat, which follow as 12th to 15th after
// the program's name in parentheses.
func ownTicks() (int64, bool) {
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 15 {
		return 0, false
	}
	var sum int64
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, false
		}
		sum += n
	}
	return sum, true
}
