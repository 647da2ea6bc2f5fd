//go:build unix

package pgtest

// The processes of a server, as Unix has them.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const supported = true

// credential is a user that the server runs as.
type credential struct {
	name     string
	uid, gid uint32
}

// unprivileged returns who the server shall run as if that is somebody else: PostgreSQL refuses
// to be root.
func unprivileged() (*credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, err
		}
		return &credential{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to be root, and there is no user postgres or nobody")
}

// String names the user.
func (c *credential) String() string {
	if c == nil {
		return "the current user"
	}
	return "the user " + c.name
}

// own gives the files to the user.
func (c *credential) own(files ...string) error {
	if c == nil {
		return nil
	}
	for _, file := range files {
		if err := os.Chown(file, int(c.uid), int(c.gid)); err != nil {
			return err
		}
	}
	return nil
}

// run makes the command run as the user.
func (c *credential) run(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the tests alone
	if c != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: c.uid, Gid: c.gid}
	}
}

// process is the first process of a server, which PostgreSQL calls the postmaster. All others
// are its children.
type process struct {
	pid   int
	ended chan struct{} // closed when it has ended
}

// startProcess starts the command. On Linux it is killed when the thread that started it
// ends, so that thread is held until then.
func startProcess(cmd *exec.Cmd) (*process, error) {
	endWithParent(cmd.SysProcAttr)
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
			close(p.ended)
		}
	}()
	return p, <-started
}

// pause stops the postmaster first, so that no child is added while the others are stopped.
func (p *process) pause() {
	signal(syscall.SIGSTOP, p.pid)
	deadline := time.Now().Add(time.Second)
	for running(p.pid) && time.Now().Before(deadline) { // it may be starting a child just now
		wait(context.Background(), time.Millisecond)
	}
	signal(syscall.SIGSTOP, children(p.pid)...)
}

// resume lets all go on.
func (p *process) resume() {
	signal(syscall.SIGCONT, children(p.pid)...)
	signal(syscall.SIGCONT, p.pid)
}

// kill ends all processes, and waits until they are gone.
func (p *process) kill() {
	select {
	case <-p.ended: // its number may be somebody else's by now
		return
	default:
	}
	p.pause()
	family := children(p.pid)
	signal(syscall.SIGKILL, append(family, p.pid)...)
	<-p.ended
	deadline := time.Now().Add(10 * time.Second)
	for slices.ContainsFunc(family, alive) && time.Now().Before(deadline) {
		wait(context.Background(), time.Millisecond)
	}
}

// signal sends a signal. A process that has ended in the meantime is not missed.
func signal(s syscall.Signal, pids ...int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, s)
	}
}

// interrupt asks for a fast shutdown and reports whether it came to its end before ctx did.
func (p *process) interrupt(ctx context.Context) bool {
	signal(syscall.SIGINT, p.pid)
	select {
	case <-p.ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// children returns the processes whose parent is pid.
func children(pid int) (found []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	if stats == nil {
		return childrenByPs(pid)
	}
	for _, file := range stats {
		if child, parent, _ := readStat(file); parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// readStat reads /proc/PID/stat: the number, the name in parentheses, which may contain any, the
// state and the parent. Of a process that is gone it returns zeroes.
func readStat(file string) (pid, parent int, state string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(rest) < 2 {
		return 0, 0, ""
	}
	pid, _ = strconv.Atoi(first)
	parent, _ = strconv.Atoi(rest[1])
	return pid, parent, rest[0]
}

// childrenByPs is for systems without /proc.
func childrenByPs(pid int) (found []int) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil // the children follow the postmaster by themselves, though not at once
	}
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// alive reports whether a process runs or is stopped. One that has ended and only waits for its
// parent to take notice does not.
func alive(pid int) bool {
	switch state(pid) {
	case "Z", "X":
		return false
	case "":
		return noProc() && syscall.Kill(pid, 0) == nil
	}
	return true
}

// running reports whether a process is known not to be stopped.
func running(pid int) bool {
	now := state(pid)
	return now != "" && now != "T" && now != "t"
}

// state returns the letter that /proc has for the process, nothing if there is no such process, or
// no /proc.
func state(pid int) string {
	_, _, letter := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return letter
}

func noProc() bool {
	_, err := os.Stat("/proc/self/stat")
	return err != nil
}
