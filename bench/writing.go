package main

// The last step: the report, the charts and the READMEs, from what is stored.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-4c1eaf8a/batcher/bench/measure"
	"github.com/seed-4c1eaf8a/batcher/bench/report"
)

// write renders everything from the results that are there, and returns the report. A fault of one file does not
// keep the others from being written.
func (c *config) write(l lab) (string, error) {
	page := &report.Page{Subjects: l.subjects(), Sets: map[string]*report.Set{}, Charts: map[string]bool{}}
	for _, name := range sectionNames() {
		rec, err := measure.Read(c.results(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		page.Sets[name] = report.NewSet(rec)
	}
	errs := []error{c.drawCharts(page)}
	text := page.Markdown()
	errs = append(errs, measure.Replace(filepath.Join(c.docs(), "RESULTS.md"), []byte(text)))
	if exercises := page.Sets["exercises"]; exercises != nil && !c.quick {
		errs = append(errs, c.writeFigures(exercises))
	}
	return text, errors.Join(errs...)
}

// writeFigures puts its table into the README of each exercise.
func (c *config) writeFigures(s *report.Set) error {
	var errs []error
	for _, name := range s.Exercises() {
		path := filepath.Join(c.root, exercisesDir, name, "README.md")
		old, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		text, err := report.ReplaceFigures(string(old), s.Figures(name))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if text != string(old) {
			errs = append(errs, measure.Replace(path, []byte(text)))
		}
	}
	return errors.Join(errs...)
}
