package main

// The quick way: one build that holds many mutants, and an environment variable that chooses one.

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// switchVar is the environment variable that tells a test binary which statement to leave out, and
// the name of the variable in the package under test that holds it.
const switchVar = "deletestmtOff"

// switchFile is added to the package under test.
const switchFile = `package %s

import (
	"os"
	"strconv"
)

var ` + switchVar + `, _ = strconv.Atoi(os.Getenv("` + switchVar + `"))
`

// markTerminal notes the statements that the compiler needs at the end of a function with results:
// without one of them, the rest has a missing return.
func (f *finder) markTerminal(fn *ast.FuncType, body *ast.BlockStmt) {
	if fn.Results != nil && body != nil {
		f.terminalList(body.List)
	}
}

func (f *finder) terminalList(list []ast.Stmt) {
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1]
	f.terminal[last] = true
	switch s := last.(type) {
	case *ast.BlockStmt:
		f.terminalList(s.List)
	case *ast.IfStmt:
		f.terminalIf(s)
	case *ast.SwitchStmt:
		f.terminalClauses(s.Body)
	case *ast.TypeSwitchStmt:
		f.terminalClauses(s.Body)
	case *ast.SelectStmt:
		f.terminalClauses(s.Body)
	}
}

func (f *finder) terminalIf(s *ast.IfStmt) {
	f.terminalList(s.Body.List)
	switch e := s.Else.(type) {
	case *ast.BlockStmt:
		f.terminalList(e.List)
	case *ast.IfStmt:
		f.terminal[e] = true
		f.terminalIf(e)
	}
}

func (f *finder) terminalClauses(body *ast.BlockStmt) {
	for _, clause := range body.List {
		switch c := clause.(type) {
		case *ast.CaseClause:
			f.terminalList(c.Body)
		case *ast.CommClause:
			f.terminalList(c.Body)
		}
	}
}

// buildSwitched builds the tests of all packages once, over all mutants that can be switched. They
// are numbered, from 1 on. If the build or its tests fail, no mutant has a number, and each is
// built by itself.
func (r *runner) buildSwitched(ctx context.Context, name string, mutants []*mutant) error {
	n := 0
	for _, m := range mutants {
		if m.switchable {
			n++
			m.number = n
		}
	}
	overlay, err := r.writeSwitched(name, mutants)
	if err != nil {
		return err
	}
	r.switched = map[string]string{}
	for i, pkg := range r.pkgs {
		binary := filepath.Join(r.tmp, fmt.Sprintf("switched%d.test", i))
		if output, err := r.build(ctx, binary, pkg, []string{"-overlay", overlay}); err != nil {
			r.unnumber(mutants)
			fmt.Fprintf(os.Stderr, "each statement is built by itself, since together: %v\n%s\n", err, output)
			return ctx.Err()
		}
		r.switched[pkg.ImportPath] = binary
	}
	return nil
}

// unnumber gives up the switched build.
func (r *runner) unnumber(mutants []*mutant) {
	r.switched = nil
	for _, m := range mutants {
		m.number = 0
	}
}

// writeSwitched writes the files with all numbered mutants in them, and returns the overlay's path.
func (r *runner) writeSwitched(name string, mutants []*mutant) (string, error) {
	replace := map[string]string{}
	edits := map[string][]edit{}
	sources := map[string][]byte{}
	for _, m := range mutants {
		if m.number > 0 {
			sources[m.file] = m.src
			for _, e := range m.edits {
				e.text = strings.Replace(e.text, "false", switchVar+" != "+strconv.Itoa(m.number), 1)
				edits[m.file] = append(edits[m.file], e)
			}
		}
	}
	for file, list := range edits {
		slices.SortStableFunc(list, func(a, b edit) int { return cmp.Compare(a.pos, b.pos) })
		copied := filepath.Join(r.tmp, "switched_"+filepath.Base(file))
		whole := &mutant{src: sources[file], edits: list}
		if err := os.WriteFile(copied, whole.mutated(), 0o600); err != nil {
			return "", err
		}
		replace[file] = copied
	}
	added := filepath.Join(r.tmp, "switch.go")
	if err := os.WriteFile(added, fmt.Appendf(nil, switchFile, name), 0o600); err != nil {
		return "", err
	}
	replace[filepath.Join(r.dir, "zz_deletestmt_switch.go")] = added
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(r.tmp, "switched.json")
	return path, os.WriteFile(path, data, 0o600)
}
