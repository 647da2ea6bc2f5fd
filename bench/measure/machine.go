package measure

// Where it was measured, and what else was running there.

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// unknown stands for what the system does not tell.
const unknown = "unknown"

// Machine describes the machine. What the system does not tell is "unknown".
func Machine() Header {
	return Header{
		{"go", runtime.Version()},
		{"goos", runtime.GOOS},
		{"goarch", runtime.GOARCH},
		{"cpu", field("/proc/cpuinfo", "model name")},
		{"cores", strconv.Itoa(runtime.NumCPU())},
		{"gomaxprocs", strconv.Itoa(runtime.GOMAXPROCS(0))},
		{"memory", memory()},
		{"kernel", firstLine("/proc/sys/kernel/osrelease")},
	}
}

// Origin describes what was measured: the time, the commit of the tree at root, whether anything in it
// was not committed, and the command.
func Origin(ctx context.Context, root, command string) Header {
	return Header{
		{"date", time.Now().UTC().Format("2006-01-02T15:04Z")},
		{"commit", commit(ctx, root)},
		{"command", command},
	}
}

// commit is the short hash of HEAD; "-dirty" follows if a file that git knows is not as committed, or
// a Go file is new. Documents do not count: the report itself is one.
func commit(ctx context.Context, root string) string {
	hash, err := git(ctx, root, "rev-parse", "--short=10", "HEAD")
	if err != nil {
		return unknown
	}
	changed, err := git(ctx, root, "status", "--porcelain", "--", "*.go", "*.mod", "*.sum")
	if err != nil || changed != "" {
		hash += "-dirty"
	}
	return hash
}

// git asks git. The clone may belong to another user, which it would refuse.
func git(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// field is the first value of key in a file of lines "key : value".
func field(path, key string) string {
	data, _ := os.ReadFile(path) // not there on other systems: unknown
	for line := range bytes.Lines(data) {
		name, value, ok := strings.Cut(string(line), ":")
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func firstLine(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return line
}

// memory is the size of the main memory, in GiB.
func memory() string {
	var kib float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kib); err != nil {
		return unknown
	}
	return fmt.Sprintf("%.1f GiB", kib/(1<<20))
}
