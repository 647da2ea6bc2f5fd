package main

// The first step: when the items come.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// pattern is how arrivals lie around their mean rate.
type pattern struct {
	kind    patternKind
	on, off time.Duration // of bursts
}

type patternKind int

const (
	poisson patternKind = iota
	steady
	bursts
)

// parsePattern reads "poisson", "steady" or "burst:100ms/900ms".
func parsePattern(text string) (p pattern, err error) {
	phases, isBurst := strings.CutPrefix(text, "burst:")
	switch {
	case text == "poisson":
		return p, nil
	case text == "steady":
		return pattern{kind: steady}, nil
	case !isBurst:
		return p, errors.New("must be poisson, steady, or burst:ON/OFF such as burst:100ms/900ms")
	}
	on, off, _ := strings.Cut(phases, "/")
	p.kind = bursts
	p.on, err = time.ParseDuration(on)
	if err == nil {
		p.off, err = time.ParseDuration(off)
	}
	if err != nil || p.on <= 0 || p.on > maxFor || p.off < 0 || p.off > maxFor {
		return p, fmt.Errorf("must be two times such as burst:100ms/900ms, up to %v, the first above 0s", maxFor)
	}
	return p, nil
}

// String returns the pattern for people.
func (p pattern) String() string {
	switch p.kind {
	case steady:
		return "steady"
	case bursts:
		return fmt.Sprintf("in bursts of %s, then nothing for %s", pretty(p.on), pretty(p.off))
	}
	return "Poisson"
}

// times returns the arrivals of rate items a second on average, from 0 until length.
func (p pattern) times(rate float64, length time.Duration, seed uint64) []time.Duration {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := make([]time.Duration, 0, int(1.01*rate*length.Seconds())+100)
	gap := 1 / rate // in bursts, of the time that is on
	if p.kind == bursts {
		gap *= float64(p.on) / float64(p.on+p.off)
	}
	for n, t := 0, 0.0; ; n++ {
		if p.kind == steady {
			t = float64(n) * gap
		} else {
			t += gap * rng.ExpFloat64()
		}
		at := p.place(time.Duration(t * float64(time.Second)))
		if at >= length {
			return all
		}
		all = append(all, at)
	}
}

// place turns time that is on into time.
func (p pattern) place(t time.Duration) time.Duration {
	if p.kind != bursts {
		return t
	}
	return t/p.on*(p.on+p.off) + t%p.on
}

// readArrivals reads one arrival per line, a time since the start such as 1.5s or 20ms, in ascending
// order. Empty lines and what follows a # are skipped.
func readArrivals(r io.Reader) ([]time.Duration, error) {
	var all []time.Duration
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		at, err := time.ParseDuration(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %q is no time such as 1.5s", n, text)
		case at < 0 || at > maxFor:
			return nil, fmt.Errorf("line %d: %v must be from 0s to %v", n, at, maxFor)
		case len(all) > 0 && at < all[len(all)-1]:
			return nil, fmt.Errorf("line %d: %v comes before the %v above it", n, at, all[len(all)-1])
		case len(all) == maxItems:
			return nil, fmt.Errorf("line %d: at most %d items can be simulated", n, maxItems)
		}
		all = append(all, at)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("there are no arrivals in it")
	}
	return all, nil
}

// perSecond formats a rate.
func perSecond(v float64) string { return count(v) + "/s" }

// count formats a number with three digits, or all of them before the point.
func count(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
