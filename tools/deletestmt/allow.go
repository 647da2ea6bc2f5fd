package main

// Last step: which survivors are excused, and which excuses are stale.

import (
	"fmt"
	"os"
	"strings"
)

// An allowance excuses one survivor.
type allowance struct {
	line int    // in the allow-list
	key  string // of the mutant
	why  string // set by judge: why it is stale
}

// readAllowed reads an allow-list: "key # reason" to a line; empty lines and lines that begin with
// # are comments. Without a path there are no allowances.
func readAllowed(path string) ([]*allowance, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*allowance
	seen := map[string]bool{}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		cut := strings.LastIndex(text, " # ")
		if cut < 0 {
			return nil, fmt.Errorf("%s:%d: no reason given, want \"statement # reason\"", path, line)
		}
		key := strings.TrimSpace(text[:cut])
		if seen[key] {
			return nil, fmt.Errorf("%s:%d: excused twice: %s", path, line, key)
		}
		seen[key] = true
		out = append(out, &allowance{line: line, key: key})
	}
	return out, nil
}

// judge returns the survivors that no allowance excuses, and the allowances that excuse nothing.
// One whose mutant was not tried this time is left in peace; one whose statement is gone is not.
func judge(
	results []result, allowed []*allowance, all []*mutant,
) (unexcused []result, stale []*allowance) {
	exists := map[string]bool{}
	for _, m := range all {
		exists[m.key] = true
	}
	verdicts := map[string]verdict{}
	for _, res := range results {
		verdicts[res.key] = res.verdict
	}
	excused := map[string]bool{}
	for _, a := range allowed {
		excused[a.key] = true
		v := verdicts[a.key]
		switch {
		case !exists[a.key]:
			a.why = "no such statement"
		case v != survived && v != notRun:
			a.why = v.String()
		default:
			continue
		}
		stale = append(stale, a)
	}
	for _, res := range results {
		if res.verdict == survived && !excused[res.key] {
			unexcused = append(unexcused, res)
		}
	}
	return unexcused, stale
}
