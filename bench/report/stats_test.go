package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
)

func TestComparisonsOfKnownSamples(t *testing.T) {
	low := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	high := []float64{11, 12, 13, 14, 15, 16, 17, 18, 19, 20}
	mixed := []float64{1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5}
	for name, c := range map[string]struct {
		base, other []float64
		unit        string
		verdict     Verdict
		text        string
	}{
		// Two samples of ten that do not overlap: 2 of the C(20,10) = 184756 orders are as extreme.
		"all higher, of a cost":  {low, high, "sec/op", Worse, "2.8 x, p=0.000"},
		"all lower, of a cost":   {high, low, "sec/op", Better, "0.35 x, p=0.000"},
		"all higher, of a rate":  {low, high, "items/s", Better, "2.8 x, p=0.000"},
		"all higher, of a share": {low, high, shareUnit, Better, "2.8 x, p=0.000"},
		"interleaved":            {low, mixed, "sec/op", Tie, "no difference, p=0.739"},
		"the same, not constant": {low, low, "sec/op", Tie, "no difference, p=1.000"},
		"the same, constant":     {[]float64{0, 0, 0}, []float64{0, 0, 0}, "allocs/op", Equal, "equal"},
		"constant, another":      {[]float64{1, 1, 1, 1, 1}, []float64{2, 2, 2, 2, 2}, "allocs/op", Worse, "2.0 x, p=0.008"},
		"from nothing":           {[]float64{0, 0, 0, 0, 0}, []float64{2, 2, 2, 2, 2}, "allocs/op", Worse, "p=0.008"},
		"to nothing":             {[]float64{2, 2, 2, 2, 2}, []float64{0, 0, 0, 0, 0}, "allocs/op", Better, "0 x, p=0.008"},
		"too few to tell":        {[]float64{1, 2, 3}, []float64{10, 20, 30}, "sec/op", Tie, "no difference, p=0.100"},
		"one each, the same":     {[]float64{5}, []float64{5}, "allocs/op", Equal, "equal"},
		"one each, not the same": {[]float64{5}, []float64{50}, "allocs/op", Tie, "no difference, p=1.000"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Compare(sample(c.base), sample(c.other), c.unit)
			assert.Equal(t, c.verdict, got.Verdict)
			assert.Equal(t, c.text, got.String())
		})
	}
}

func TestTheIntervalIsThatOfTheMedian(t *testing.T) {
	// Of ten values, the 2nd and the 9th hold the median with 97.9 %.
	ten := sample([]float64{96, 97, 98, 99, 100, 102, 103, 104, 106, 120})
	assert.Equal(t, 101.0, median(ten))
	assert.Equal(t, "± 5 %", spread(ten))
	assert.Equal(t, "± ∞", spread(sample([]float64{1, 2, 3})), "three are too few")
	assert.Empty(t, spread(sample([]float64{7, 7, 7, 7, 7, 7})))
}

func TestFiguresHaveThreeDigitsAndTheirUnit(t *testing.T) {
	for _, c := range []struct {
		value      float64
		unit, want string
	}{
		{33.64e-9, "sec/item", "33.6 ns"}, {9.999e-9, "sec/op", "10.0 ns"}, {1.234e-6, "sec/op", "1.23 µs"},
		{0.0102, "p50-sec", "10.2 ms"}, {2, "sec/op", "2 s"}, {0, "sec/op", "0 s"}, {3e-10, "sec/op", "0.30 ns"},
		{0, "allocs/op", "0"}, {5, "allocs/op", "5"}, {1.25, "allocs/item", "1.25"}, {0.0003, "allocs/item", "< 0.01"},
		{1234567, "items/s", "1.23 M"}, {1500, "held-items", "1.50 k"}, {999, "held-items", "999"},
		{24, "B/op", "24 B"}, {1536, "B/op", "1.50 KiB"}, {0.00001, "B/item", "< 0.01 B"}, {2 << 20, "heap-B", "2 MiB"},
		{0.9731, shareUnit, "97.3 %"}, {2e-5, "cpu-sec/req", "20.0 µs"}, {0.5, "p99-share", "0.50"},
	} {
		assert.Equal(t, c.want, Figure(c.value, c.unit), "%v %s", c.value, c.unit)
	}
}

func TestUnitsAreNamedAsBenchmarksPrintThem(t *testing.T) {
	for tidy, want := range map[string]string{
		"sec/op": "ns/op", "p99-sec": "p99-ns", "cpu-sec/item": "cpu-ns/item", "B/op": "B/op", "items/s": "items/s", "heap-B": "heap-B",
	} {
		assert.Equal(t, want, untidy(tidy))
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	for name, want := range map[string]Key{
		"Throughput/payload=int64/producers=8/impl=go-zero": {Bench: "Throughput", Params: "payload=int64/producers=8", Impl: "go-zero"},
		"Add/goroutines=8/slow":                             {Bench: "Add", Params: "goroutines=8", Impl: "slow"},
		"Add/slow":                                          {Bench: "Add", Impl: "slow"},
		"Add":                                               {Bench: "Add"},
	} {
		assert.Equal(t, want, ParseKey(name))
	}
}

func TestNumbersSortByTheirValue(t *testing.T) {
	s := NewSet(&measure.Record{Outcome: measure.Outcome{Readings: []measure.Reading{
		{Name: "T/payload=b/producers=64/impl=x"}, {Name: "T/payload=b/producers=8/impl=x"}, {Name: "T/payload=a/producers=1000/impl=x"},
		{Name: "T/payload=a/producers=1/impl=x"}, {Name: "Other/payload=a/impl=x"},
	}}})
	assert.Equal(t, []string{"payload=a/producers=1", "payload=a/producers=1000", "payload=b/producers=8", "payload=b/producers=64"}, s.params("T"))
}

func TestPairsAreOfTheSameRound(t *testing.T) {
	got := paired([]float64{10, 20, 30, 40}, []float64{10, 10, 10}, quotient)
	assert.Equal(t, []float64{1, 2, 3}, got.Values)
	assert.Nil(t, paired(nil, []float64{1}, quotient))
}
