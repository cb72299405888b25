package config

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/ucl"
	"rmilter/scan"
	"rmilter/scan/checks"
)

var update = flag.Bool("update", false, "write the generated files")

// TestGenerated fails when the generated files are not what the declarations say.
func TestGenerated(t *testing.T) {
	for name, want := range map[string]string{
		"../../rmilter.conf.example":  Example(),
		"../../docs/configuration.md": Reference(),
		"../../docs/symbols.md":       Symbols(),
		"../../docs/dnslists.md":      DNSLists(),
	} {
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is stale, run go test ./internal/config -update (-want +got):\n%s", name, diff)
		}
	}
}

// TestGeneratedIsOfNoMachine fails when the generated files tell of the machine where
// they were made.
func TestGeneratedIsOfNoMachine(t *testing.T) {
	t.Setenv("TMPDIR", "/elsewhere/tmp")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{Example(), Reference()} {
		if strings.Contains(text, "/elsewhere") || len(host) > 8 && strings.Contains(text, host) {
			t.Error("a generated file has the machine's TMPDIR or host name")
		}
	}
}

// TestSymbolsAreAll wants every symbol of every check in docs/symbols.md, once.
func TestSymbolsAreAll(t *testing.T) {
	text, seen := Symbols(), 0
	for _, c := range checks.All() {
		d := scan.Describe(c)
		if !strings.Contains(text, "\n| `"+d.Name+"` | "+cell(d.Doc)+" |\n") {
			t.Errorf("check %s is missing", d.Name)
		}
		for _, s := range d.Symbols {
			seen++
			if n := strings.Count(text, "\n| `"+s.Name+"` | "); n != 1 {
				t.Errorf("symbol %s is there %d times, want once", s.Name, n)
			}
		}
	}
	if seen == 0 {
		t.Error("no symbols")
	}
}

func TestDeclarations(t *testing.T) {
	if err := ucl.Check(Default().top); err != nil {
		t.Error(err)
	}
}

// TestExample shows that the example is in force as the defaults but for what it advises,
// both as it is and with every default in it uncommented.
func TestExample(t *testing.T) {
	const advice = `user = "200 / 1h";`
	want := strings.Replace(dump(t, Default(), ""), "user = 0:0;", advice, 1)
	c := mustLoad(t, Example())
	if diff := cmp.Diff(want, dump(t, c, "")); diff != "" {
		t.Errorf("the example is not the default (-want +got):\n%s", diff)
	}
	set := 0
	for _, e := range flatten(c.top) {
		if len(e.option.Origin()) > 0 {
			set++
		}
	}
	if set != 14 {
		t.Errorf("the example sets %d options, want the 14 of its first screen", set)
	}

	skip := regexp.MustCompile(`(?ms)^#(settings|symbol|group|composite|regexp) "NAME".*?^#}\n`) // a block that would be there
	text := skip.ReplaceAllString(Example(), "")
	text = regexp.MustCompile(`(?ms)^#    (zone "DOMAIN"|list "NAME").*?^#    }\n`).ReplaceAllString(text, "")
	for _, e := range flatten(Default().top) {
		if e.option.Example != "" && e.path != "limits user" { // not the default
			name := e.path[strings.LastIndexByte(e.path, ' ')+1:]
			text = strings.ReplaceAll(text, name+" = "+e.option.Example+";", "")
		}
	}
	// A section dkim without a domain would be told of.
	const canon, domain = "    body_canon = relaxed;\n", "    domain \"DOMAIN\" {\n        key = \"/etc/dkim\";\n        domain = \"example.com\";\n        selector = \"dkim\";\n    }\n"
	want = strings.Replace(want, canon, canon+domain, 1)
	c = mustLoad(t, uncomment(text))
	if diff := cmp.Diff(want, dump(t, c, "")); diff != "" {
		t.Errorf("the example without its comment signs is not the default (-want +got):\n%s", diff)
	}
	for _, e := range flatten(c.top) {
		want := 1
		if e.unserved {
			want = 0
		}
		if got := len(e.option.Origin()); got != want && (e.unserved || e.option.Example == "") {
			t.Errorf("%s is in the example %d times, want %d", e.path, got, want)
		}
	}
}

// TestExampleScreen takes the comment signs off the lines of the first screen: each is
// valid, and the one for DKIM is what docs/signing.md tells to write.
func TestExampleScreen(t *testing.T) {
	_, screen, _ := strings.Cut(Example(), "ORIGINATING\n")
	screen, _, _ = strings.Cut(screen, "\n\n")
	if n := strings.Count(screen, "\n# "); n != 5 {
		t.Errorf("%d lines are commented out, want 5:\n%s", n, screen)
	}
	c := mustLoad(t, regexp.MustCompile(`(?m)^# `).ReplaceAllString(screen, "")+"\n")
	if d := c.DKIM.Domains; len(d) != 1 || d[0].Domain != "*" || d[0].Selector != "dkim" || d[0].Key != "/etc/dkim" {
		t.Errorf("got the domains %+v, want *, dkim, /etc/dkim", d)
	}
	if len(c.DNS.Nameservers) == 0 || !c.Redis.KeepsState() || !bool(c.Filter.DryRun) {
		t.Errorf("got %v, %v and %v, want servers, servers and a dry run", c.DNS.Nameservers, c.Redis.Servers, c.Filter.DryRun)
	}
	guide, err := os.ReadFile("../../docs/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(screen, "\n") {
		if line, ok := strings.CutPrefix(line, "# dkim"); ok && !strings.Contains(string(guide), "\ndkim"+line[:strings.Index(line, " #")]+"\n") {
			t.Errorf("docs/signing.md lacks dkim%s", line)
		}
	}
}

// uncomment takes the comment signs off the options of an example, but not off the
// sentences.
func uncomment(example string) string {
	_, options, _ := strings.Cut(example, "ORIGINATING\n") // the first lines are for Postfix
	return regexp.MustCompile(`(?m)^#([^ ]|    )`).ReplaceAllString(options, "$1")
}

// TestExampleExamples shows that the values which are not defaults are valid, too.
func TestExampleExamples(t *testing.T) {
	c := mustLoad(t, strings.ReplaceAll(uncomment(Example()), "/var/tmp", "/tmp"))
	if n := len(c.Policy.Blocks); n != 1 {
		t.Errorf("got %d settings blocks, want 1", n)
	}
	if got := c.Server.Controller.EnablePassword.Reveal(); got != "change me, too" {
		t.Errorf("got enable_password %q, want that of the example", got)
	}
}

// TestReferenceExample loads the sample of the language in the documentation.
func TestReferenceExample(t *testing.T) {
	_, text, _ := strings.Cut(Reference(), "```\n")
	text, _, _ = strings.Cut(text, "```")
	m := files("/etc/rmilter.conf", text, "/etc/more.conf", "")
	m["tmp/x"] = &fstest.MapFile{}
	c, remarks, err := load(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(remarks) != 0 {
		t.Errorf("got remarks %v", remarks)
	}
	if got, want := string(c.Policy.RejectMessage), `a text as it stands: "; # { }"`; got != want {
		t.Errorf("got reject_message %q, want %q", got, want)
	}
}
