package uclpeer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trees are files with those that they include: pairs of names and texts, of which the
// first is read. HERE stands for their folder.
var trees = [][]string{
	{"m", "a = 1; .include \"HERE/x\"\nb = 2;", "x", "c = 3"},
	{"m", ".include HERE/x;\nb = 2;", "x", "c = 3"},
	{"m", "s {\n .include \"HERE/x\"\n b = 2\n}", "x", "c = 3; t { d = 4 }"},
	{"m", "s { .include \"HERE/x\"; }\nt { .include \"HERE/x\"; }", "x", "c = 3\n"},
	{"m", ".include \"HERE/x\"\n.include \"HERE/y\"", "x", "a = 1", "y", "b = [2]"},
	{"m", ".include \"HERE/x\"\nc = 3", "x", ".include \"HERE/y\"\na = 1", "y", "b = [2]"},
	{"m", ".include(try=true) \"HERE/none\"\na = 1"},
	{"m", ".include(try=true,priority=1) \"HERE/none\"\na = 1"},
	{"m", ".try_include \"HERE/x\"\na = 1", "x", "b = 2"},
	{"m", ".include(glob=true) \"HERE/*.conf\"\nz = 1", "b.conf", "b = 1", "a.conf", "a = 1", "c", "c = 1"},
	{"m", ".include(try=true,glob=true) \"HERE/*.none\"\nz = 1"},
	{"m", "n = 1\n.include(priority=1) \"HERE/x\"", "x", "n = 2"},
	{"m", ".include(priority=1) \"HERE/x\"\nn = 1", "x", "n = 2"},
	{"m", ".include(priority=1) \"HERE/x\"\n.include(priority=5) \"HERE/y\"\n.include(priority=2) \"HERE/z\"", "x", "n = 1", "y", "n = 2", "z", "n = 3"},
	{"m", ".include(priority=3) \"HERE/x\"\nn = 0", "x", ".include \"HERE/y\"\nn = 1", "y", "m = 2"},
	{"m", ".include(priority=3,duplicate=merge) \"HERE/x\"\nn = [0]", "x", "n = [1]"},
	{"m", "n = [0]\n.include(priority=1; try=true) \"HERE/x\"", "x", "n = [1, 2]"},
	{"m", "n = 1\n.include \"HERE/x\"", "x", "n = 2"},
	{"m", "s { n = 1; .include(priority=2) \"HERE/x\"\n m = 1 }", "x", "n = 2; m = 2"},
	{"m", "# none\n", "x", ""},
	{"m", ".include \"HERE/x\"\n", "x", ""},
	{"m", ".include \"HERE/x\"\na = 1", "x", "# none\n/* at all */"},
	{"m", ".include \"HERE/x\" # why\na = 1", "x", "b = 2"},
	{"m", "v = $CONFDIR\n.include \"HERE/x\"", "x", "w = ${CONFDIR}/x"},
}

func TestIncludes(t *testing.T) {
	var samples []sample
	for _, tree := range trees {
		dir := t.TempDir()
		for i := 0; i < len(tree); i += 2 {
			text := strings.ReplaceAll(tree[i+1], "HERE", dir)
			if err := os.WriteFile(filepath.Join(dir, tree[i]), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		samples = append(samples, sample{name: strings.Join(tree, "|"), file: filepath.Join(dir, tree[0])})
	}
	compare(t, samples)
}
