package main

// First step: find the statements that can go, and make the source without one of them.

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant is one source file with one statement disabled.
type mutant struct {
	file  string // absolute path of the file
	line  int    // where the statement begins
	fn    string // the enclosing top-level function, as in Batcher.Add
	text  string // the statement on one line, the bodies of blocks left out
	key   string // names the mutant in an allow-list; says nothing about lines
	src   []byte // the file as it is; shared by all mutants of the file
	edits []edit // what disables the statement, in ascending order

	switchable bool // it may be compiled in, and switched off at run time
	number     int  // in the switched build, from 1 on; 0 if it is built by itself
}

// An edit replaces src[pos:end] by text.
type edit struct {
	pos, end int
	text     string
}

// mutated returns the source with the statement disabled. No line changes its number, so that what
// a test prints about the mutant holds for the real file.
func (m *mutant) mutated() []byte {
	var out []byte
	pos := 0
	for _, e := range m.edits {
		out = append(out, m.src[pos:e.pos]...)
		out = append(out, e.text...)
		pos = e.end
	}
	return append(out, m.src[pos:]...)
}

// A finder collects the mutants of one file.
type finder struct {
	file     string
	src      []byte
	tok      *token.File
	fn       string            // the top-level function being walked
	skip     map[ast.Stmt]bool // statements whose deletion would tell nothing new
	terminal map[ast.Stmt]bool // statements without which a return would be missing
	out      []*mutant
}

// findMutants returns the mutants of one file in the order of the source. A generated file has
// none.
func findMutants(path string, src []byte) ([]*mutant, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	f := &finder{
		file:     path,
		src:      src,
		tok:      fset.File(file.Pos()),
		skip:     map[ast.Stmt]bool{},
		terminal: map[ast.Stmt]bool{},
	}
	for _, decl := range file.Decls {
		f.fn = declName(decl)
		ast.Inspect(decl, f.visit)
	}
	slices.SortStableFunc(f.out, func(a, b *mutant) int {
		return cmp.Compare(a.edits[0].pos, b.edits[0].pos)
	})
	number(f.out)
	return f.out, nil
}

// number tells the mutants apart that have the same key.
func number(mutants []*mutant) {
	seen := map[string]int{}
	for _, m := range mutants {
		seen[m.key]++
		if n := seen[m.key]; n > 1 {
			m.key = fmt.Sprintf("%s (%d)", m.key, n)
		}
	}
}

// visit collects the statements of one block. A parent is visited before its children, so it can
// mark those that are to be skipped.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		f.skipTail(n.Body)
		f.markTerminal(n.Type, n.Body)
	case *ast.FuncLit:
		f.skipTail(n.Body)
		f.markTerminal(n.Type, n.Body)
	case *ast.BlockStmt:
		f.list(n.List)
	case *ast.CaseClause:
		f.list(n.Body)
	case *ast.CommClause:
		f.list(n.Body)
	case *ast.IfStmt:
		if rung, ok := n.Else.(*ast.IfStmt); ok {
			f.never(rung)
		}
		if n.Init == nil && n.Else == nil && len(n.Body.List) == 1 && isPure(n.Cond) {
			f.skip[n.Body.List[0]] = true // the same as to delete the whole if
		}
	}
	return true
}

// skipTail spares the return at the end of a function: without a value it does nothing, and with
// one the function does not compile without it.
func (f *finder) skipTail(body *ast.BlockStmt) {
	if body == nil || len(body.List) == 0 {
		return
	}
	if tail, ok := body.List[len(body.List)-1].(*ast.ReturnStmt); ok {
		f.skip[tail] = true
	}
}

func (f *finder) list(stmts []ast.Stmt) {
	for _, s := range stmts {
		if _, empty := s.(*ast.EmptyStmt); empty || f.skip[s] {
			continue
		}
		pos, end := f.tok.Offset(s.Pos()), f.tok.Offset(s.End())
		if mustCut(s) {
			lines := bytes.Count(f.src[pos:end], []byte("\n"))
			f.add(s, edit{pos, end, strings.Repeat("\n", lines)})
			continue
		}
		f.add(s, edit{pos, pos, "if false { "}, edit{end, end, " }"})
	}
}

// mustCut reports whether s has to be cut out of the text. The others are put into "if false",
// which leaves the variables, imports and labels that only they use in use: a plain cut of
// "defer cancel()", say, would not compile, and nobody would know whether it is tested.
func mustCut(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.DeclStmt, *ast.CaseClause, *ast.CommClause:
		return true
	case *ast.AssignStmt:
		return s.Tok == token.DEFINE
	case *ast.BranchStmt:
		return s.Tok == token.FALLTHROUGH
	}
	return false
}

// never makes an "else if" one that is never taken. What follows it in the chain stays.
func (f *finder) never(rung *ast.IfStmt) {
	pos, end := f.tok.Offset(rung.Cond.Pos()), f.tok.Offset(rung.Cond.End())
	f.add(rung, edit{pos, pos, "false && ("}, edit{end, end, ")"})
}

func (f *finder) add(s ast.Stmt, edits ...edit) {
	m := &mutant{
		file:       f.file,
		line:       f.tok.Line(s.Pos()),
		fn:         f.fn,
		text:       f.summary(s),
		src:        f.src,
		edits:      edits,
		switchable: len(edits) == 2 && !f.terminal[s],
	}
	m.key = fmt.Sprintf("%s: %s: %s", filepath.Base(m.file), m.fn, m.text)
	f.out = append(f.out, m)
}

// summary writes a statement on one line: a block as its head, anything else as it is, but not
// without end.
func (f *finder) summary(s ast.Stmt) string {
	const limit = 90
	from, to, tail := s.Pos(), s.End(), ""
	if labeled, ok := s.(*ast.LabeledStmt); ok {
		s = labeled.Stmt
	}
	switch s := s.(type) {
	case *ast.IfStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.ForStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.RangeStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.SwitchStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.TypeSwitchStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.SelectStmt:
		to, tail = s.Body.Lbrace, "{...}"
	case *ast.CaseClause:
		to, tail = s.Colon+1, "..."
	case *ast.CommClause:
		to, tail = s.Colon+1, "..."
	}
	text := string(f.src[f.tok.Offset(from):f.tok.Offset(to)])
	words := []rune(strings.Join(append(strings.Fields(text), strings.Fields(tail)...), " "))
	if len(words) > limit {
		return string(words[:limit-3]) + "..."
	}
	return string(words)
}

// isPure reports whether an expression only looks: it calls nothing and receives nothing.
func isPure(e ast.Expr) bool {
	pure := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			pure = false
		case *ast.UnaryExpr:
			pure = pure && n.Op != token.ARROW
		}
		return pure
	})
	return pure
}

// declName names a top-level declaration: Func, Type.Method, or the first variable of a var block.
func declName(decl ast.Decl) string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || len(d.Recv.List) == 0 {
			return d.Name.Name
		}
		return typeName(d.Recv.List[0].Type) + "." + d.Name.Name
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if v, ok := spec.(*ast.ValueSpec); ok {
				return v.Names[0].Name
			}
		}
	}
	return "-"
}

// typeName strips the pointer and the type parameters from a receiver's type.
func typeName(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.ParenExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.IndexListExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name
	}
	return "?"
}
