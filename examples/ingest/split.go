package main

// The service in a process of its own, for a load that must not share its costs.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// child is this program, running as a service in another process.
type child struct {
	cmd    *exec.Cmd
	url    string
	stderr sync.WaitGroup // the goroutine that passes on what it logs
}

// startChild starts the service and waits until it listens. What it prints and logs is passed on.
func startChild(cfg config, stdout, stderr io.Writer) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(program, cfg.serviceArgs()...)}
	c.cmd.Stdout = stdout
	logged, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	lines := bufio.NewReader(logged)
	url := regexp.MustCompile(`msg=listening url=(\S+)`)
	for c.url == "" {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(stderr, line)
		if err != nil {
			return nil, errors.Join(errors.New("the service has not started"), c.cmd.Wait())
		}
		if match := url.FindStringSubmatch(line); match != nil {
			c.url = match[1]
		}
	}
	c.stderr.Go(func() { _, _ = io.Copy(stderr, lines) })
	return c, nil
}

// serviceArgs returns the command line of the service alone.
func (c *config) serviceArgs() []string {
	args := []string{"-addr", "127.0.0.1:0", "-rescue", c.rescueFile}
	if c.postgres != "" {
		args = append(args, "-postgres", c.postgres)
	} else {
		args = append(args, "-db", c.db)
	}
	if c.mode != batched {
		args = append(args, "-"+string(c.mode))
	}
	if c.mode != naive {
		args = append(args, "-size", strconv.Itoa(c.size), "-delay", c.delay.String(),
			"-workers", strconv.Itoa(c.workers))
	}
	return args
}

// end ends the service the way an administrator does, and waits for it.
func (c *child) end() error {
	err := c.cmd.Process.Signal(os.Interrupt)
	c.stderr.Wait()
	if waited := c.cmd.Wait(); waited != nil {
		return fmt.Errorf("the service: %w", errors.Join(waited, err))
	}
	return nil
}

// samples are the values of /metrics by name and labels.
type samples map[string]float64

// read asks the service for its metrics.
func (c *child) read() (samples, error) {
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get(c.url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := make(samples)
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := strconv.ParseFloat(lines.Text()[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read the metrics: %w", err)
		}
		found[lines.Text()[:at]] = value
	}
	return found, lines.Err()
}

func (s samples) usage() usage {
	return usage{cpu: s[metricCPU], objects: s[metricObjects], bytes: s[metricBytes], memory: s[metricMemory]}
}

func (s samples) summary(metric string) summary {
	count := s[metric+"_count"]
	return summary{
		count: uint64(count), mean: s[metric+"_sum"] / max(count, 1),
		p50: s[metric+`{quantile="0.5"}`], p99: s[metric+`{quantile="0.99"}`], max: s[metric+`{quantile="1"}`],
	}
}

// driveChild is driveAndVerify with the service in a process of its own.
func (a *app) driveChild(ctx context.Context, src source) error {
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	before, err := tally(ctx, st)
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	c, err := startChild(a.cfg, a.stdout, a.stderr)
	if err != nil {
		return err
	}
	d := newDriver(c.url, a.cfg.conns, a.cfg.maxTries)
	shown := startProgress(a.stderr, a.terminal, src.total, d.done.Load)
	took, spent, ended := c.load(ctx, d, src)
	shown.stop()
	writeReport(a.stdout, d, took, spent)
	return a.conclude(ctx, d, src, before, ended)
}

// load sends the load and ends the service. The costs are those from the first request to the end
// of the process, so that the batches that are left over are in them.
func (c *child) load(ctx context.Context, d *driver, src source) (time.Duration, costs, error) {
	before, err := c.read()
	if err != nil {
		return 0, costs{}, errors.Join(err, c.end())
	}
	took := d.drive(ctx, src.requests)
	after, err := c.read()
	ended := c.end()
	switch {
	case err != nil && ctx.Err() != nil: // the same interrupt has ended the service
		return took, costs{}, ended
	case err != nil:
		return took, costs{}, errors.Join(err, ended)
	}
	used := after.usage().minus(before.usage())
	if total := c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime(); total > 0 {
		used.cpu = total.Seconds() - before.usage().cpu
	}
	return took, costs{
		used: used, whose: "(of the service alone)",
		flush: after.summary(metricFlushes), batch: after.summary(metricBatches),
	}, ended
}
