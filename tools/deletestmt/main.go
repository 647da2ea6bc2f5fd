// Command deletestmt tells which statements of a package its tests would not miss.
//
// It disables one statement at a time, runs the tests over the result through an overlay, and lists
// the statements that nobody missed. The files of the package are not touched. Line coverage says
// that a statement was run; this says that something depends on it. Leaks, retention and wake-ups
// are what coverage does not see.
//
//	go run ./tools/deletestmt [flags] [package dir] [file.go ...]
//
// What is tried: each statement of a block, each case of a switch or select, each "else if". What
// does not compile without its statement, most of the ":=", is counted apart. An "if" that only
// looks and has a single statement in it is deleted as a whole and not a second time inside.
//
// A survivor is a missing test, or a statement without an effect, or it only costs time. The last
// two may be excused in the file of -allow, one to a line, with a reason:
//
//	list.go: List.Remove: e.next = nil # only helps the garbage collector
//
// The lines to copy are printed at the end of a run. They carry no line numbers, so they hold until
// the statement changes; an excuse that no longer applies is an error.
//
// The exit status is 0 if every survivor is excused, 1 if not, 2 if there is no result, and 130
// after an interrupt.
//
// Most statements are compiled in together and switched off one at a time at run time. Those that
// must be cut out of the text (declarations, cases) are built one by one; they leave their compiled
// packages in the build cache, which the go command trims by age. For a long run set GOCACHE to a
// folder that can be thrown away.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// options is the command line.
type options struct {
	dir               string
	files             []string // base names; none means all
	also              []string
	buildFlags, args  []string
	timeout           time.Duration
	workers, memory   int
	allow             string
	fileMatch, fnName *regexp.Regexp
	limit             int
	quick             bool
	shard, shards     int
}

// parseOptions reads the command line. Faults have been printed when it returns an error.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{shard: 1, shards: 1}
	fs := flag.NewFlagSet("deletestmt", flag.ContinueOnError)
	fs.SetOutput(stderr)
	words := func(list *[]string) func(string) error {
		return func(s string) error { *list = append(*list, strings.Fields(s)...); return nil }
	}
	pattern := func(re **regexp.Regexp) func(string) error {
		return func(s string) (err error) { *re, err = regexp.Compile(s); return err }
	}
	fs.Func("also", "further `packages` whose tests are run, separated by spaces", words(&o.also))
	fs.Func("build", "`flags` for go test -c, such as \"-race -tags=x\"", words(&o.buildFlags))
	fs.Func("args", "`flags` for the test binary, such as \"-test.short\"", words(&o.args))
	fs.DurationVar(&o.timeout, "timeout", 0,
		"how long the tests of a package may take before they count as hung\n"+
			"(default ten times what they take undisturbed, at least 10s)")
	fs.IntVar(&o.workers, "p", 2, "mutants tried at the same time")
	fs.IntVar(&o.memory, "memory", 2048, "`MiB` of data that a test process may have; 0 for no bound")
	fs.StringVar(&o.allow, "allow", "", "`file` of excused survivors")
	fs.Func("run-file", "only files whose base name matches the `regexp`", pattern(&o.fileMatch))
	fs.Func("func", "only functions, as in Batcher.Add, that match the `regexp`", pattern(&o.fnName))
	fs.IntVar(&o.limit, "n", 0, "try at most so many mutants, spread evenly; 0 for all")
	fs.BoolVar(&o.quick, "quick", false, "leave out the statements that must be built one by one")
	fs.Func("shard", "only the `i/n`-th part of the mutants", func(s string) error {
		if _, err := fmt.Sscanf(s, "%d/%d", &o.shard, &o.shards); err != nil {
			return err
		}
		if o.shard < 1 || o.shard > o.shards {
			return errors.New("want i/n with 1 <= i <= n")
		}
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if o.workers < 1 {
		err := fmt.Errorf("-p %d: want at least 1", o.workers)
		fmt.Fprintln(stderr, "deletestmt:", err)
		return nil, err
	}
	return o, o.operands(fs.Args())
}

// operands sets the folder and the files. A path that begins with a dot is relative to where the
// command was started, as ever; the go command is going to run elsewhere.
func (o *options) operands(args []string) (err error) {
	dir := "."
	if len(args) > 0 && !strings.HasSuffix(args[0], ".go") {
		dir, args = args[0], args[1:]
	}
	for _, file := range args {
		o.files = append(o.files, filepath.Base(file))
	}
	for i, pattern := range o.also {
		if strings.HasPrefix(pattern, ".") {
			if o.also[i], err = filepath.Abs(pattern); err != nil {
				return err
			}
		}
	}
	o.dir, err = filepath.Abs(dir)
	return err
}

// run is the command without the process around it. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	status, err := o.execute(ctx, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "deletestmt: interrupted")
		return 130
	case err != nil:
		fmt.Fprintln(stderr, "deletestmt:", err)
		return 2
	}
	return status
}

// execute goes through the steps: list, find, baseline, try, report.
func (o *options) execute(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	allowed, err := readAllowed(o.allow)
	if err != nil {
		return 0, err
	}
	tmp, err := os.MkdirTemp("", "deletestmt")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	r := &runner{
		dir: o.dir, tmp: tmp,
		buildFlags: o.buildFlags, testArgs: o.args,
		timeout: o.timeout, memory: o.memory,
	}
	all, err := o.prepare(ctx, r)
	if err != nil {
		return 0, err
	}
	chosen := o.choose(all)
	if err := r.buildSwitched(ctx, r.name, chosen); err != nil {
		return 0, err
	}
	if err := r.baseline(ctx); err != nil {
		return 0, err
	}
	fmt.Fprintf(stderr, "%d of %d statements, tests pass, timeout %v\n",
		len(chosen), len(all), r.timeout)
	done := 0
	results, err := r.runAll(ctx, o.workers, chosen, func(res result) {
		done++
		fmt.Fprintf(stderr, "[%*d/%d] %-14s %s\n",
			len(fmt.Sprint(len(chosen))), done, len(chosen), res.verdict, res.key)
	})
	if err != nil {
		return 0, err
	}
	return printReport(stdout, results, allowed, all), nil
}

// prepare finds the packages whose tests are run, and all mutants.
func (o *options) prepare(ctx context.Context, r *runner) ([]*mutant, error) {
	pkgs, err := r.list(ctx, ".")
	if err != nil {
		return nil, err
	}
	target := pkgs[0]
	r.name = target.Name
	if len(o.also) > 0 {
		also, err := r.list(ctx, o.also...)
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, also...)
	}
	for _, pkg := range pkgs {
		if len(pkg.TestGoFiles)+len(pkg.XTestGoFiles) > 0 {
			r.pkgs = append(r.pkgs, pkg)
		}
	}
	if len(r.pkgs) == 0 {
		return nil, fmt.Errorf("no tests in %s", target.ImportPath)
	}
	var all []*mutant
	for _, name := range slices.Concat(target.GoFiles, target.CgoFiles) {
		path := filepath.Join(target.Dir, name)
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		found, err := findMutants(path, src)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// choose applies the filters, then the shard, then the limit.
func (o *options) choose(all []*mutant) []*mutant {
	var chosen []*mutant
	for _, m := range all {
		base := filepath.Base(m.file)
		if (len(o.files) == 0 || slices.Contains(o.files, base)) &&
			(o.fileMatch == nil || o.fileMatch.MatchString(base)) &&
			(o.fnName == nil || o.fnName.MatchString(m.fn)) &&
			(!o.quick || m.switchable) {
			chosen = append(chosen, m)
		}
	}
	chosen = everyNth(chosen, o.shard-1, o.shards)
	if o.limit <= 0 || len(chosen) <= o.limit {
		return chosen
	}
	spread := make([]*mutant, o.limit)
	for i := range spread {
		spread[i] = chosen[i*len(chosen)/o.limit]
	}
	return spread
}

// everyNth returns the mutants at first, first+n, first+2n and so on.
func everyNth(mutants []*mutant, first, n int) []*mutant {
	var out []*mutant
	for i := first; i < len(mutants); i += n {
		out = append(out, mutants[i])
	}
	return out
}

// printReport prints the table, the totals and what is wrong. It returns the exit status.
func printReport(w io.Writer, results []result, allowed []*allowance, all []*mutant) int {
	var counts [verdictCount]int
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, res := range results {
		counts[res.verdict]++
		what := res.verdict.String()
		if res.by != "" {
			what += " by " + res.by
		}
		place := fmt.Sprintf("%s:%d", filepath.Base(res.file), res.line)
		fmt.Fprintf(table, "%s\t%s\t%s\n", place, res.text, what)
	}
	table.Flush()
	fmt.Fprintf(w, "\n%d statements:", len(results))
	for v := noticed; v < verdictCount; v++ {
		fmt.Fprintf(w, " %d %s", counts[v], v)
	}
	fmt.Fprintln(w)
	unexcused, stale := judge(results, allowed, all)
	if len(unexcused) > 0 {
		fmt.Fprintf(w, "\nSurvivors without an excuse:\n")
		for _, res := range unexcused {
			fmt.Fprintln(w, res.key)
		}
	}
	for _, a := range stale {
		fmt.Fprintf(w, "stale excuse, line %d: %s: %s\n", a.line, a.why, a.key)
	}
	if len(unexcused)+len(stale) > 0 {
		return 1
	}
	return 0
}
