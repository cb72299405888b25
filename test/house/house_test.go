// Package house holds the rules of the house as tests: which way imports point, what
// has to be documented, how long things may get.
package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// A source is one Go file of the project.
type source struct {
	path string // from the root
	pkg  string // folder from the root
	test bool
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "run") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		all = append(all, source{rel, filepath.Dir(rel), strings.HasSuffix(name, "_test.go"), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d files found below %s", len(all), root)
	}
	return all
}

// layers are the packages from the top down. A package may import those below it and
// none beside or above it, but for what beside says.
var layers = [][]string{
	{"cmd/rmilter", "cmd/rmilterctl", "internal/config/gen"},
	{"internal/server", "internal/postconf"},
	{"internal/config", "internal/controller", "internal/web"},
	{"internal/filter"},
	{"scan/checks", "internal/policy"},
	{"scan", "greylist", "ratelimit", "internal/signing", "internal/replies", "internal/history", "internal/reputation", "internal/learn", "internal/fuzzy"},
	{"dkim", "internal/dnslist", "internal/spf", "internal/dmarc", "internal/authres", "internal/maps"},
	{"internal/store/redis", "internal/store/embedded"},
	{"internal/store/storetest"},
	{"internal/store", "internal/dns"},
	{"internal/mail", "internal/ucl", "internal/metrics", "internal/spool", "internal/logs", "internal/password"},
	{"internal/htmltext", "internal/mime", "internal/match"},
}

// only are the packages that stand aside: who may import them.
var only = map[string][]string{
	"milter": {"internal/filter", "internal/server"},
}

func TestImports(t *testing.T) {
	rank := map[string]int{}
	for i, l := range layers {
		for _, p := range l {
			rank[p] = i
		}
	}
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.pkg, "test/") || s.pkg == "test" || s.pkg == "milter/miltertest" || s.pkg == "internal/dns/dnstest" {
			continue
		}
		mine, known := rank[s.pkg]
		if _, aside := only[s.pkg]; !known && !aside {
			t.Errorf("%s: package %s has no place in the layers of this test", s.path, s.pkg)
			continue
		}
		for _, imp := range s.file.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			p, ours := strings.CutPrefix(p, "rmilter/")
			if !ours {
				continue
			}
			if allowed, aside := only[p]; aside {
				if !slices.Contains(allowed, s.pkg) {
					t.Errorf("%s imports %s, which only %v may", s.path, p, allowed)
				}
				continue
			}
			if !known {
				t.Errorf("%s: package %s imports nothing of ours, but it imports %s", s.path, s.pkg, p)
			} else if theirs, ok := rank[p]; !ok || theirs <= mine {
				t.Errorf("%s: %s imports %s, which doesn't lie below it", s.path, s.pkg, p)
			}
		}
	}
}

// TestNoHiddenState finds init functions and variables of packages that somebody may
// write to. What a package variable may be: an error, a symbol, a table that only this
// file's initialisation writes.
func TestNoHiddenState(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: func init", s.fset.Position(f.Pos()))
			}
		}
		names := map[string]bool{}
		for _, d := range s.file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				embedded := g.Doc != nil && strings.HasPrefix(g.Doc.List[0].Text, "//go:embed ")
				for _, n := range v.Names {
					if len(v.Values) == 0 && !embedded {
						t.Errorf("%s: package variable %s has no value of its own", s.fset.Position(n.Pos()), n.Name)
					}
					names[n.Name] = n.Name != "_"
				}
			}
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			local := locals(f)
			ast.Inspect(f.Body, func(n ast.Node) bool {
				a, ok := n.(*ast.AssignStmt)
				if !ok || a.Tok == token.DEFINE {
					return true
				}
				for _, l := range a.Lhs {
					if id, ok := l.(*ast.Ident); ok && names[id.Name] && !local[id.Name] {
						t.Errorf("%s: package variable %s is written to", s.fset.Position(id.Pos()), id.Name)
					}
				}
				return true
			})
		}
	}
}

// locals are the names that a function declares anywhere within it.
func locals(f *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if id, ok := l.(*ast.Ident); ok && n.Tok == token.DEFINE {
					names[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		case *ast.Field:
			for _, id := range n.Names {
				names[id.Name] = true
			}
		}
		return true
	})
	return names
}

// TestDocumented wants a sentence for each package and each exported name.
func TestDocumented(t *testing.T) {
	packages := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		packages[s.pkg] = packages[s.pkg] || s.file.Doc != nil
		if s.file.Name.Name == "main" {
			continue
		}
		missing := func(n ast.Node, name string) {
			t.Errorf("%s: %s has no comment that begins with its name", s.fset.Position(n.Pos()), name)
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && !describes(d.Doc, d.Name.Name) {
					missing(d, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if spec.Name.IsExported() && !describes(spec.Doc, spec.Name.Name) && !describes(d.Doc, spec.Name.Name) {
							missing(spec, spec.Name.Name)
						}
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							if n.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
								missing(n, n.Name)
							}
						}
					}
				}
			}
		}
	}
	for p, ok := range packages {
		if !ok {
			t.Errorf("package %s has no doc comment", p)
		}
	}
}

// describes tells whether a comment speaks of a name in its first words.
func describes(c *ast.CommentGroup, name string) bool {
	if c == nil {
		return false
	}
	words := strings.Fields(c.Text())
	return slices.Contains(words[:min(3, len(words))], name)
}

// exportedReceiver tells whether a method belongs to an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// Lengths that code rarely exceeds. The exceptions may only shrink.
const (
	maxFunc = 60
	maxFile = 500
)

// long are the functions and files that are longer, and how much.
var long = map[string]int{}

func TestLengths(t *testing.T) {
	seen := map[string]bool{}
	check := func(name string, lines, limit int) {
		if lines <= limit {
			return
		}
		seen[name] = true
		if lines > long[name] {
			t.Errorf("%s has %d lines, more than %d", name, lines, max(limit, long[name]))
		}
	}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		check(s.path, s.fset.Position(s.file.FileEnd).Line, maxFile)
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				check(s.path+" "+f.Name.Name, s.fset.Position(f.End()).Line-s.fset.Position(f.Pos()).Line+1, maxFunc)
			}
		}
	}
	for name := range long {
		if !seen[name] {
			t.Errorf("%s is short now: take it out of the exceptions", name)
		}
	}
}

// TestDependencies wants a reason for each direct dependency, and not too many.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs/dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) < 2 || !strings.Contains(f[0], ".") || !strings.HasPrefix(f[1], "v") || strings.Contains(line, "// indirect") {
			continue
		}
		n++
		if !strings.Contains(string(doc), "`"+f[0]+"`") {
			t.Errorf("docs/dependencies.md gives no reason for %s", f[0])
		}
	}
	if n == 0 || n > 30 {
		t.Errorf("%d direct dependencies, want 1 to 30", n)
	}
}

// TestReadme sees that every make target that the README names exists.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, word := range strings.FieldsFunc(string(readme), func(r rune) bool { return r == '`' || r == '\n' }) {
		target, ok := strings.CutPrefix(strings.TrimSpace(word), "make ")
		if !ok {
			continue
		}
		target, _, _ = strings.Cut(target, " ")
		found++
		if !strings.Contains(string(makefile), fmt.Sprintf("\n%s:", target)) {
			t.Errorf("README names make %s, which the Makefile doesn't have", target)
		}
	}
	if found < 2 {
		t.Errorf("README names %d make targets, want its two commands at least", found)
	}
}

// TestPostfixLines wants make run to print the lines of the README.
func TestPostfixLines(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := os.ReadFile(filepath.Join(root, "test/run.sh"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(readme)) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok || !strings.Contains(name, "milter") {
			continue
		}
		n++
		if line = strings.ReplaceAll(strings.TrimSpace(line), "$", `\$`); !strings.Contains(string(run), line) {
			t.Errorf("test/run.sh doesn't print %q", line)
		}
	}
	if n < 5 {
		t.Errorf("README has %d lines for main.cf, want 5 at least", n)
	}
}
