package main

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAQueueOfNumbersIsFirstInFirstOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var q fifo
	in, out := 0, 0
	for range 100_000 {
		if rng.IntN(100) < 52 || q.len() == 0 {
			q.push(in)
			in++
			continue
		}
		require.Equal(t, out, q.front())
		require.Equal(t, out, q.pop())
		out++
		require.Equal(t, in-out, q.len())
	}
	assert.Less(t, len(q.all), 10_000, "what has gone is let go of")
}

func TestAFactorIsOneOnAverageAndAsFarSpreadAsItSays(t *testing.T) {
	for name, want := range map[string]float64{"none": 1, "exp": math.Log(100), "lognormal:0.5": 2.82, "lognormal:1": 6.21} {
		s, err := parseSpread(name)
		require.NoError(t, err)
		rng := rand.New(rand.NewPCG(7, 7))
		var factors []time.Duration
		for range 200_000 {
			factors = append(factors, time.Duration(s.factor(rng)*1e6))
		}
		d := distribution(factors)
		assert.InEpsilon(t, 1e6, d.mean, 0.01, name)
		assert.InEpsilon(t, want*1e6, float64(d.p99), 0.03, name)
	}
}

func TestAStallDelaysWhatRunsIntoIt(t *testing.T) {
	s := newSink(latency{10, 1}, spread{}, stall{100, 50}, 1)
	for _, c := range []struct{ now, want time.Duration }{
		{0, 15},    // over before it
		{85, 15},   // ends as it begins
		{90, 65},   // runs into it and goes on after it
		{100, 65},  // begins with it
		{130, 35},  // begins in it
		{149, 16},  // near its end
		{150, 15},  // after it
		{1000, 15}, // long after it
	} {
		assert.Equal(t, c.want, s.time(c.now, 5), "at %d", c.now)
	}
}

func TestAWriteHasALongestTime(t *testing.T) {
	s := newSink(latency{time.Hour, time.Second}, spread{lognormal, maxSigma}, stall{}, 1)
	for range 10_000 {
		d := s.time(0, maxSize)
		assert.True(t, d >= 0 && d <= maxWrite, d)
	}
}

func TestArrivalsHaveTheRateThatWasAskedFor(t *testing.T) {
	for _, name := range []string{"poisson", "steady", "burst:100ms/900ms", "burst:1s/0s"} {
		p, err := parsePattern(name)
		require.NoError(t, err)
		all := p.times(2000, 100*time.Second, 5)
		assert.InEpsilon(t, 200_000, len(all), 0.01, name)
		for i, at := range all {
			if i > 0 && at < all[i-1] {
				t.Fatalf("%s: %v after %v", name, at, all[i-1])
			}
			if p.kind == bursts && at%(p.on+p.off) >= p.on {
				t.Fatalf("%s: %v is between bursts", name, at)
			}
		}
		assert.Equal(t, all, p.times(2000, 100*time.Second, 5), "the same seed, the same arrivals")
	}
}

func TestPoissonArrivalsVaryAsTheyShould(t *testing.T) {
	counts := make([]float64, 1000) // per 0.1 s; their variance is their mean
	for _, at := range (pattern{}).times(500, 100*time.Second, 9) {
		counts[at/(100*time.Millisecond)]++
	}
	var variance float64
	for _, n := range counts {
		variance += (n - 50) * (n - 50) / float64(len(counts))
	}
	assert.InEpsilon(t, 50, variance, 0.15)
}

func TestSteadyArrivalsAreEvenlySpaced(t *testing.T) {
	ms := time.Millisecond
	assert.Equal(t, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms}, pattern{kind: steady}.times(4, time.Second, 1))
}

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	var hundred []int
	for i := range 100 {
		hundred = append(hundred, 100-i)
	}
	assert.Equal(t, spans[int]{50.5, 50, 99, 100}, distribution(hundred))
	assert.Equal(t, spans[int]{7, 7, 7, 7}, distribution([]int{7}))
	assert.Equal(t, spans[int]{1.5, 1, 2, 2}, distribution([]int{2, 1}))
	assert.Equal(t, spans[int]{}, distribution[int](nil))
}

func TestAFileOfArrivalsIsRead(t *testing.T) {
	all, err := readArrivals(strings.NewReader("# two items\n1ms\n\n  1.5s # the second\n1.5s\n"))
	require.NoError(t, err)
	assert.Equal(t, []time.Duration{time.Millisecond, 1500 * time.Millisecond, 1500 * time.Millisecond}, all)
}

func TestFiguresArePrintedWithThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1: "1ns", 1234: "1.23µs", 50 * time.Millisecond: "50ms", 48_349 * time.Microsecond: "48.3ms",
		999_999_999: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", time.Hour: "1h", 61 * time.Minute: "1h1m",
	} {
		assert.Equal(t, want, pretty(d))
	}
	for v, want := range map[float64]string{0: "0 %", 0.00001: "< 0.01 %", 0.001: "0.10 %", 0.0123: "1.2 %", 0.5: "50 %",
		0.99999: "> 99.9 %", 1: "100 %"} {
		assert.Equal(t, want, percent(v))
	}
	for v, want := range map[float64]string{0: "0", 0.0123: "0.0123", 9.876: "9.88", 99.96: "100", 12345.6: "12346"} {
		assert.Equal(t, want, count(v))
	}
}
