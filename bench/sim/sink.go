package main

// The second step: how long the sink takes.

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// latency is how long the sink takes for a batch: fixed + perItem x size on average.
type latency struct {
	fixed, perItem time.Duration
}

// of returns the mean time for a batch of n items.
func (l latency) of(n int) time.Duration { return l.fixed + time.Duration(n)*l.perItem }

// The longest times that are taken, so that no sum passes the range of a Duration.
const (
	maxFixed   = time.Hour
	maxPerItem = time.Second
	maxWrite   = 1000 * time.Hour // of one batch, the spread included
)

// parseLatency reads "20ms", "10us" per item being "0s+10us", or "20ms+10us".
func parseLatency(text string) (l latency, err error) {
	fixed, perItem, both := strings.Cut(text, "+")
	if l.fixed, err = time.ParseDuration(fixed); err != nil {
		return l, errors.New("must be a time such as 20ms, or with one per item, 20ms+10us")
	}
	if both {
		if l.perItem, err = time.ParseDuration(perItem); err != nil {
			return l, errors.New("behind the + must be a time per item such as 10us")
		}
	}
	switch {
	case l.fixed < 0 || l.fixed > maxFixed:
		return l, fmt.Errorf("the fixed part must be from 0s to %v", maxFixed)
	case l.perItem < 0 || l.perItem > maxPerItem:
		return l, fmt.Errorf("the time per item must be from 0s to %v", maxPerItem)
	}
	return l, nil
}

// String returns the latency as parseLatency reads it.
func (l latency) String() string {
	if l.perItem == 0 {
		return pretty(l.fixed)
	}
	return pretty(l.fixed) + "+" + pretty(l.perItem)
}

// spread is how the times of single batches vary. Each is the mean times a factor, whose own mean
// is 1.
type spread struct {
	kind  spreadKind
	sigma float64 // of lognormal: 0.5 is a p99 of 2.8 times the mean, 1 one of 6.2 times
}

type spreadKind int

const (
	constant spreadKind = iota
	exponential
	lognormal
)

// maxSigma is far beyond what sinks do.
const maxSigma = 3

// parseSpread reads "none", "exp" or "lognormal:0.5".
func parseSpread(text string) (spread, error) {
	name, sigma, given := strings.Cut(text, ":")
	switch {
	case text == "none":
		return spread{}, nil
	case text == "exp":
		return spread{kind: exponential}, nil
	case name == "lognormal" && given:
		v, err := strconv.ParseFloat(sigma, 64)
		if err != nil || !(v > 0 && v <= maxSigma) {
			return spread{}, fmt.Errorf("sigma must be a number above 0, at most %d", maxSigma)
		}
		return spread{lognormal, v}, nil
	}
	return spread{}, errors.New("must be none, exp, or lognormal:SIGMA such as lognormal:0.5")
}

// String returns the spread for people.
func (s spread) String() string {
	switch s.kind {
	case exponential:
		return "exponential"
	case lognormal:
		return fmt.Sprintf("lognormal, sigma %g", s.sigma)
	}
	return "none"
}

// factor draws one.
func (s spread) factor(rng *rand.Rand) float64 {
	switch s.kind {
	case exponential:
		return rng.ExpFloat64()
	case lognormal:
		return math.Exp(s.sigma*rng.NormFloat64() - s.sigma*s.sigma/2)
	}
	return 1
}

// stall is a time in which the sink does not answer: no flush ends in it, and what was under way goes
// on after it.
type stall struct {
	at, length time.Duration
}

// parseStall reads "10s/2s": after ten seconds, for two.
func parseStall(text string) (s stall, err error) {
	if text == "" {
		return s, nil
	}
	at, length, _ := strings.Cut(text, "/")
	s.at, err = time.ParseDuration(at)
	if err == nil {
		s.length, err = time.ParseDuration(length)
	}
	if err != nil || s.at < 0 || s.at > maxFor || s.length <= 0 || s.length > maxFor {
		return s, fmt.Errorf("must be a start and a length such as 10s/2s, both up to %v", maxFor)
	}
	return s, nil
}

// delays returns by how much the stall delays what runs from begin to end.
func (s stall) delays(begin, end time.Duration) time.Duration {
	if begin >= s.at+s.length || end <= s.at {
		return 0
	}
	return s.at + s.length - max(begin, s.at)
}

// sink takes batches, one after the other by the beginning of their flushes.
type sink struct {
	latency
	spread
	stall
	rng *rand.Rand
}

// newSink returns a sink that takes the same times for the same seed.
func newSink(l latency, sp spread, st stall, seed uint64) *sink {
	return &sink{l, sp, st, rand.New(rand.NewPCG(seed, 2))}
}

// time draws how long a batch takes that begins now.
func (s *sink) time(now time.Duration, size int) time.Duration {
	d := s.of(size)
	if s.kind != constant {
		d = time.Duration(min(float64(d)*s.factor(s.rng), float64(maxWrite)))
	}
	return d + s.delays(now, now+d)
}
