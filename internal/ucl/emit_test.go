package ucl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree returns all of a tree but positions.
func tree(b *Block) string {
	var w strings.Builder
	writeTree(&w, b)
	return w.String()
}

func writeTree(w *strings.Builder, b *Block) {
	for _, d := range b.Directives {
		fmt.Fprintf(w, "%q%q add=%v priority=%d ", d.Name, d.Keys, d.Add, d.Priority)
		writeNode(w, d.Value)
		w.WriteByte('\n')
	}
}

func writeNode(w *strings.Builder, n *Node) {
	fmt.Fprintf(w, "%s %q mirrored=%v nothing=%v (", n.Kind, n.Text, n.Mirrored, n.nothing)
	for _, item := range n.Items {
		writeNode(w, item)
	}
	if n.Block != nil {
		writeTree(w, n.Block)
	}
	w.WriteByte(')')
}

func TestFormat(t *testing.T) {
	l := &Loader{FS: files("etc/x", "n = 3; t {\n m = [4]; }\n", "etc/y", ".priority 3\nk = 1\n")}
	b := l.ReadText("/etc/r", `a = 1; "b c" = -2.5; C-d: x@y/z; e = two words; "-f" = "-"; g = "";
h = "one line \"\\\t"; i = "two\nlines\n"; j = "two\r\nlines"; k = 'a\nb'; l = "EOD\n"
m = [1, "a b", [c, "d\ne"], { n = 1; }]; o += p, q; r += { s = 1 }
t "u" v { w { } x = []; y = ; }
z = {a, "b c"}, d; aa = {e:1,f:2}; bb = [::1]; cc = "$CONFDIR"; dd = "$5\n$A"; ee = /*x*/ a/*b
.include(priority=2) x
.include y
.priority "7"
ff = yes; .priority 0;
gg = no`)
	if err := l.Diagnostics.Err(); err != nil {
		t.Fatal(err)
	}
	want := `a = 1;
"b c" = -2.5;
C-d = x@y/z;
e = "two words";
"-f" = "-";
g = "";
h = "one line \"\\\t";
i = <<EOD
two
lines

EOD
j = "two\r\nlines";
k = "a\\nb";
l = <<EODX
EOD

EODX
m = [1, "a b", [c, "d\ne"], {
    n = 1;
}];
o += [p, q];
r += {
    s = 1;
};
t "u" "v" {
    w {
    }
    x = [];
    y = ;
}
z = [{"a", "b c"}, d];
aa = {"e:1", "f:2"};
bb = "[::1]";
cc = "\u0024CONFDIR";
dd = "$5\n\u0024A";
ee = "a/*b";
.priority 2
n = 3;
t {
    m = [4];
}
.priority 3
k = 1;
.priority 7
ff = yes;
.priority 0
gg = no;
`
	got := Format(b)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tree(b), tree(read(t, got))); diff != "" {
		t.Errorf("the tree that was written and the one that is read again (-want +got):\n%s", diff)
	}
}

func TestPriorityFaults(t *testing.T) {
	for in, want := range map[string]string{
		".priority 16\na = 1":   "\"16\" is no priority; expected .priority with 0 to 15\n    .priority 16",
		".priority\na = 1":      "\"\" is no priority; expected .priority with 0 to 15\n    .priority",
		".priority x; a = 1":    "\"x\" is no priority; expected .priority with 0 to 15\n    .priority x; a = 1",
		".priority \"-1\"\na=1": "'\"-1\"' is no priority; expected .priority with 0 to 15\n    .priority \"-1\"",
	} {
		l := &Loader{}
		b := l.ReadText("f", in)
		if got := remarks(&l.Diagnostics); got != "f:1:1: "+want {
			t.Errorf("%q: got %s, want f:1:1: %s", in, got, want)
		}
		if len(b.Directives) != 1 {
			t.Errorf("%q: got %d directives, want 1", in, len(b.Directives))
		}
	}
}
