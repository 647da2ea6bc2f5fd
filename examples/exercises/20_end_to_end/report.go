package end_to_end

// The report that the service prints, as figures.

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Figures are those of one load. What is per request is of the service alone: the clients and the
// database are other processes.
type Figures struct {
	PerSecond float64       // requests answered with 202 or 201
	P50, P99  time.Duration // until the answer
	FlushP99  time.Duration // of one write, of a batch or of an event; 0: none had ended by the last answer
	CPU       time.Duration // per request, user and system
	Allocs    float64       // per request
	Bytes     float64       // per request, allocated
	Memory    float64       // bytes, the most that was resident
	Refused   float64       // 503s per request; they were sent again
}

// The lines of the report. Each has three digits of what it says.
var (
	refusedLine    = regexp.MustCompile(`(?m)^requests .*, (\d+) times 503`)
	throughputLine = regexp.MustCompile(`(?m)^throughput +(\d+) req/s`)
	latencyLine    = regexp.MustCompile(`(?m)^API latency, 20[12] +p50 (\S+), p99 (\S+),`)
	flushLine      = regexp.MustCompile(`(?m)^flush +p50 \S+, p99 (\S+),`)
	cpuLine        = regexp.MustCompile(`(?m)^CPU per request +(\S+) \(of the service alone\)`)
	allocsLine     = regexp.MustCompile(`(?m)^allocations per request +(\d+), ([\d.]+) KiB \(of the service alone\)`)
	memoryLine     = regexp.MustCompile(`(?m)^memory +at most ([\d.]+) MiB resident \(of the service alone\)`)
	verifiedLine   = regexp.MustCompile(`(?m)^verified: all (\d+) accepted events are in the database exactly once`)
)

// parse reads the report of a load of so many requests. It wants all of it: a line that is not there,
// or not as expected, is an error that names it, and so is a number of stored events other than
// requests. Only the line of the flushes may be missing, after a load that is so small that the last
// request was answered before the first batch was stored.
func parse(report string, requests int) (f Figures, err error) {
	r := reader{report: report}
	r.want(verifiedLine, r.equal(requests))
	var refused float64
	r.want(refusedLine, r.number(&refused, 1))
	f.Refused = refused / float64(requests)
	r.want(throughputLine, r.number(&f.PerSecond, 1))
	r.want(latencyLine, r.duration(&f.P50), r.duration(&f.P99))
	if strings.Contains(report, "\nflush ") {
		r.want(flushLine, r.duration(&f.FlushP99))
	}
	r.want(cpuLine, r.duration(&f.CPU))
	r.want(allocsLine, r.number(&f.Allocs, 1), r.number(&f.Bytes, 1<<10))
	r.want(memoryLine, r.number(&f.Memory, 1<<20))
	return f, errors.Join(r.faults...)
}

// reader looks for lines in a report.
type reader struct {
	report string
	faults []error
}

// want finds a line and hands each part of it to a function.
func (r *reader) want(line *regexp.Regexp, parts ...func(text string) error) {
	found := line.FindStringSubmatch(r.report)
	if found == nil {
		r.faults = append(r.faults, fmt.Errorf("the report has no line like %s", line))
		return
	}
	for i, part := range parts {
		if err := part(found[i+1]); err != nil {
			r.faults = append(r.faults, fmt.Errorf("%q: %w", found[0], err))
		}
	}
}

func (r *reader) number(to *float64, unit float64) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseFloat(text, 64)
		*to = n * unit
		return err
	}
}

func (r *reader) duration(to *time.Duration) func(string) error {
	return func(text string) (err error) {
		*to, err = time.ParseDuration(text)
		return err
	}
}

func (r *reader) equal(want int) func(string) error {
	return func(text string) error {
		if text != strconv.Itoa(want) {
			return fmt.Errorf("%d were sent", want)
		}
		return nil
	}
}
