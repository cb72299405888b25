package ucl

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A sample has options of many kinds.
type sample struct {
	MaxSize  Size
	Strict   Flag
	Networks Networks
	Password Secret
	Timeout  Duration
	Grey     Flag
	Message  String
	Workers  map[string]*sampleWorker
	Settings map[string]*Float
}

type sampleWorker struct {
	Sockets Sockets
	Count   Int
}

func (c *sample) section() *Section {
	workers := map[string]*Section{}
	settings := map[string]*Section{}
	c.Workers, c.Settings = map[string]*sampleWorker{}, map[string]*Float{}
	return &Section{
		Options: []Option{
			{Name: "max_size", Value: &c.MaxSize},
			{Name: "strict_auth", Aliases: []string{"check_auth"}, Value: &c.Strict},
			{Name: "our_networks", Value: &c.Networks},
			{Name: "password", Value: &c.Password},
		},
		Ignored: []Ignored{{Name: "spf_domains", Note: "SPF is built in"}, {Name: "clamav"}, {Name: "use_dcc"}},
		Sections: []*Section{
			{
				Name: "greylisting",
				Options: []Option{
					{Name: "timeout", Value: &c.Timeout},
					{Name: "enable", Value: &c.Grey},
					{Name: "greylisted_message", Value: &c.Message},
				},
				Ignored: []Ignored{{Name: "awl_enable", Note: "removed"}, {Name: "servers"}, {Name: "prefix"}},
			},
			{
				Name: "worker", Key: "TYPE", Keys: []string{"controller", "normal"},
				Repeat: func(key string) *Section {
					if key != "controller" && key != "normal" {
						return nil
					}
					if workers[key] == nil {
						w := &sampleWorker{}
						c.Workers[key] = w
						workers[key] = &Section{Name: "worker", Options: []Option{{Name: "bind_socket", Value: &w.Sockets, Gather: true}, {Name: "count", Value: &w.Count}}}
					}
					return workers[key]
				},
			},
			{
				Name: "settings", Key: "NAME",
				Repeat: func(key string) *Section {
					if key == "" || key == "refused" {
						return nil
					}
					if settings[key] == nil {
						f := new(Float)
						c.Settings[key] = f
						settings[key] = &Section{Name: "settings", Options: []Option{{Name: "reject", Value: f}}}
					}
					return settings[key]
				},
			},
		},
	}
}

// decode reads texts, each as a file, into a fresh sample.
func decode(texts ...string) (*sample, *Section, *Diagnostics) {
	c := &sample{MaxSize: 10 << 20, Networks: MustNetworks("127.0.0.0/8")}
	s := c.section()
	l := &Loader{}
	for i, text := range texts {
		Decode(l.ReadText(fmt.Sprintf("%c.conf", 'a'+i), text), s, &l.Diagnostics)
	}
	Finish(s)
	return c, s, &l.Diagnostics
}

func TestDecode(t *testing.T) {
	c, s, ds := decode("max_size = 2M; check_auth = yes\nour_networks += 192.0.2.0/24;\ngreylisting { timeout = 5m }\ngreylisting { enable = yes }\n" +
		"worker controller { bind_socket = \"*:1\"; bind_socket = \"*:2\"; count = 2 }\nsettings vip { reject = 20 }\nsettings { a { reject = 1 } b { reject = 2 } }")
	if got := remarks(ds); got != "" {
		t.Errorf("got remarks:\n%s", got)
	}
	got := fmt.Sprint(c.MaxSize, c.Strict, c.Networks, c.Timeout, c.Grey, c.Workers["controller"].Sockets, c.Workers["controller"].Count, *c.Settings["vip"], *c.Settings["a"], *c.Settings["b"])
	if want := `2M yes 127.0.0.0/8, 192.0.2.0/24 5m yes "*:1", "*:2" 2 20 1 2`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var origins []string
	s.walk(func(o *Option) { origins = append(origins, fmt.Sprint(o.Name, o.Origin())) })
	want := []string{
		"max_size[a.conf:1:1]", "strict_auth[a.conf:1:16]", "our_networks[a.conf:2:1]", "password[]",
		"timeout[a.conf:3:15]", "enable[a.conf:4:15]", "greylisted_message[]",
		"bind_socket[a.conf:5:21 a.conf:5:42]", "count[a.conf:5:63]",
		"reject[a.conf:6:16]", "reject[a.conf:7:16]", "reject[a.conf:7:33]",
	}
	if diff := cmp.Diff(want, origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	var keys []string
	for _, b := range s.Sections[2].Blocks() {
		keys = append(keys, b.BlockKey())
	}
	if got, want := strings.Join(keys, " "), "vip a b"; got != want {
		t.Errorf("blocks: got %s, want %s", got, want)
	}
}

func TestDecodeLaterFiles(t *testing.T) {
	c, s, ds := decode("max_size = 1M\nour_networks = 192.0.2.1\nworker normal { bind_socket = \"*:1\" }\nworker normal { bind_socket = \"*:2\" }",
		"max_size = 2M\nour_networks += 192.0.2.2\nworker normal { bind_socket = \"*:3\"; count = 1 }")
	if got := remarks(ds); got != "" {
		t.Errorf("got remarks:\n%s", got)
	}
	got := fmt.Sprint(c.MaxSize, c.Networks, c.Workers["normal"].Sockets)
	if want := `2M 192.0.2.1, 192.0.2.2 "*:3"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(s.Options[2].Origin()), "[a.conf:2:1 b.conf:2:1]"; got != want {
		t.Errorf("origin: got %s, want %s", got, want)
	}
}

func TestDecodePriority(t *testing.T) {
	c := &sample{}
	s := c.section()
	l := &Loader{FS: files("etc/high", "max_size = 3M; our_networks = 192.0.2.3", "etc/low", "strict_auth = no")}
	Decode(l.ReadText("/etc/a", "strict_auth = yes\n.include(priority=1) high\nmax_size = 2M\nour_networks += 192.0.2.4\n.include(priority=0) low"), s, &l.Diagnostics)
	if got, want := fmt.Sprint(c.MaxSize, c.Networks, c.Strict, remarks(&l.Diagnostics)), "3M 192.0.2.3, 192.0.2.4 no"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDecodeRemarks(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown directive", "max_siez = 1", "a.conf:1:1: unknown directive \"max_siez\"; did you mean max_size?\n    max_siez = 1"},
		{"hyphen", "max-size = 1", "a.conf:1:1: unknown directive \"max-size\"; did you mean max_size?\n    max-size = 1"},
		{"capitals", "Max_Size = 1", "a.conf:1:1: unknown directive \"Max_Size\"; did you mean max_size?\n    Max_Size = 1"},
		{"blank in the name", "our networks = 1", "a.conf:1:1: unknown directive \"our networks\"; did you mean our_networks?\n    our networks = 1"},
		{"nothing near", "colour = red", "a.conf:1:1: unknown directive \"colour\"\n    colour = red"},
		{"unknown in a section", "greylisting { timeot = 5m }", "a.conf:1:15: unknown directive \"timeot\" in section greylisting; did you mean timeout?\n    greylisting { timeot = 5m }"},
		{"unknown section", "greylist { }", "a.conf:1:1: unknown section \"greylist\"\n    greylist { }"},
		{"unknown section, near", "graylisting { }", "a.conf:1:1: unknown section \"graylisting\"; did you mean greylisting?\n    graylisting { }"},
		{"belongs elsewhere", "timeout = 5m", "a.conf:1:1: unknown directive \"timeout\"; it belongs in section greylisting\n    timeout = 5m"},
		{"a section of that name belongs nowhere", "timeout { }", "a.conf:1:1: unknown section \"timeout\"\n    timeout { }"},
		{"nothing for one value, a section", "max_size = ;\ngreylisting = ;\nour_networks = ;", "a.conf:1:1: \"max_size\" has no value; expected one after it\n    max_size = ;\n" +
			"a.conf:2:15: greylisting is a section; expected greylisting { }\n    greylisting = ;"},
		{"belongs to the top", "greylisting { max_size = 1 }", "a.conf:1:15: unknown directive \"max_size\" in section greylisting; it belongs at the top level, outside of any section\n    greylisting { max_size = 1 }"},
		{"no semicolon before it", "greylisting { greylisted_message = Try later mode = 5 }", "a.conf:1:46: unknown directive \"mode\" in section greylisting; expected \";\" before it, or quotes around the value of greylisted_message\n    greylisting { greylisted_message = Try later mode = 5 }"},
		{"value at fault", "max_size = 10X", "a.conf:1:12: max_size: \"10X\" is not a size; expected a number of bytes, or one with k, m or g as in 10M\n    max_size = 10X"},
		{"item at fault", "our_networks = 192.0.2.1,\n  1.2.3, 192.0.2.0/40", "a.conf:2:3: our_networks: \"1.2.3\" is not a network; expected an address such as 192.0.2.0/24 or [2001:db8::]/32, or a host name\n    1.2.3, 192.0.2.0/40\n" +
			"a.conf:2:10: our_networks: the mask of \"192.0.2.0/40\" is too long; expected at most /32\n    1.2.3, 192.0.2.0/40"},
		{"append to one value", "max_size += 1", "a.conf:1:1: max_size takes one value; expected = instead of +=\n    max_size += 1"},
		{"section for a directive", "max_size { }", "a.conf:1:1: max_size is a directive; expected max_size = VALUE instead of a section\n    max_size { }"},
		{"directive for a section", "greylisting = yes", "a.conf:1:15: greylisting is a section; expected greylisting { }\n    greylisting = yes"},
		{"directive for a keyed section", "worker = 5", "a.conf:1:10: worker is a section; expected worker \"controller\" { }\n    worker = 5"},
		{"key for a section without", `greylisting "x" { }`, "a.conf:1:1: section greylisting takes no name; expected greylisting { }\n    greylisting \"x\" { }"},
		{"no key", "worker { count = 1 }", "a.conf:1:1: section worker has no name; expected worker \"controller\" { }\n    worker { count = 1 }"},
		{"unknown key", `worker "contoller" { }`, "a.conf:1:1: unknown worker \"contoller\"; did you mean controller?\n    worker \"contoller\" { }"},
		{"unknown key, nothing near", `worker "fuzzy" { }`, "a.conf:1:1: unknown worker \"fuzzy\"; expected controller or normal\n    worker \"fuzzy\" { }"},
		{"unknown key within", `worker { fuzzy { } }`, "a.conf:1:10: unknown worker \"fuzzy\"; expected controller or normal\n    worker { fuzzy { } }"},
		{"refused key within, any other is known", `settings { a { } refused { } }`, "a.conf:1:18: section settings cannot be named \"refused\"; expected another name\n    settings { a { } refused { } }"},
		{"no keys within", `settings { reject = 1 }`, "a.conf:1:1: section settings has no name; expected settings \"NAME\" { }\n    settings { reject = 1 }"},
		{"list of sections", "greylisting = [{ timeout = 1s }, { timeot = 2s }, x]", "a.conf:1:36: unknown directive \"timeot\" in section greylisting; did you mean timeout?\n    greylisting = [{ timeout = 1s }, { timeot = 2s }, x]\n" +
			"a.conf:1:51: greylisting is a section; expected greylisting { }\n    greylisting = [{ timeout = 1s }, { timeot = 2s }, x]"},
		{"several keys", `worker "a" "b" { }`, "a.conf:1:1: section worker has several names; expected worker \"controller\" { }\n    worker \"a\" \"b\" { }"},
		{"unknown in a keyed section", `worker normal { cuont = 1 }`, "a.conf:1:17: unknown directive \"cuont\" in section worker \"normal\"; did you mean count?\n    worker normal { cuont = 1 }"},
		{"obsolete", "spf_domains = a, b\ngreylisting { awl_enable = yes }", "a.conf:1:1: warning: spf_domains has no effect: SPF is built in\n    spf_domains = a, b\n" +
			"a.conf:2:15: warning: awl_enable has no effect: removed\n    greylisting { awl_enable = yes }"},
		{"not served", "use_dcc = yes\nclamav { servers = a; whatever { x = 1 } }\nclamav { }\ngreylisting { servers = a; timeout = 1s; prefix = b; servers = c }",
			"a.conf:1:1: notice: use_dcc: not served by this version\n    use_dcc = yes\n" +
				"a.conf:2:1: notice: section clamav: not served by this version\n    clamav { servers = a; whatever { x = 1 } }\n" +
				"a.conf:4:15: notice: servers, prefix in section greylisting: not served by this version\n    greylisting { servers = a; timeout = 1s; prefix = b; servers = c }"},
		{"set twice", "max_size = 1\nmax_size = 2", "a.conf:2:1: warning: max_size was set before in line 1; this line replaces that one\n    max_size = 2"},
		{"several faults in order", "b = 1\nmax_size = x\na = ]", "a.conf:1:1: unknown directive \"b\"\n    b = 1\n" +
			"a.conf:2:12: max_size: \"x\" is not a size; expected a number of bytes, or one with k, m or g as in 10M\n    max_size = x\n" +
			"a.conf:3:5: unexpected \"]\"; expected a value\n    a = ]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, ds := decode(c.in)
			if diff := cmp.Diff(c.want, remarks(ds)); diff != "" {
				t.Errorf("remarks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePasswordFile(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0o644: "/etc/r.conf:1:1: warning: password stands in a file that everybody can read (mode 0644); expected 0640 or stricter\n    password ********",
		0o640: "",
	} {
		m := files("etc/r.conf", `password = "hunter2"; max_size = 1`)
		m["etc/r.conf"].Mode = mode
		c := &sample{}
		l := &Loader{FS: m}
		Decode(l.Read("/etc/r.conf"), c.section(), &l.Diagnostics)
		if got := remarks(&l.Diagnostics); got != want {
			t.Errorf("mode %o:\n got %s\nwant %s", mode, got, want)
		}
		if c.Password.Reveal() != "hunter2" {
			t.Errorf("got password %q, want hunter2", c.Password.Reveal())
		}
	}
}

func TestDiagnosticsAreBounded(t *testing.T) {
	_, _, ds := decode(strings.Repeat("max_siez = 1\n", 5000))
	err := ds.Err()
	if got := len(ds.All()); got != maxDiagnostics {
		t.Errorf("got %d remarks, want %d", got, maxDiagnostics)
	}
	if got, want := err.Error()[strings.LastIndexByte(err.Error(), '\n')+1:], "and 4000 further faults"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestFaultsOfError takes errors apart: the faults, and what tells of the rest.
func TestFaultsOfError(t *testing.T) {
	two := []Diagnostic{{Text: "a"}, {Text: "b"}}
	for _, c := range []struct {
		err  error
		want []string
	}{
		{nil, []string{}},
		{fs.ErrPermission, []string{"permission denied"}},
		{&Error{Faults: two}, []string{"a", "b"}},
		{fmt.Errorf("x: %w", &Error{Faults: two[:1], More: 7}), []string{"a", "and 7 further faults"}},
	} {
		if diff := cmp.Diff(c.want, Texts(Faults(c.err), Fault)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.err, diff)
		}
	}
	if two[1].Text != "b" {
		t.Errorf("the faults were overwritten: %v", two)
	}
}

// TestTexts has remarks of all severities.
func TestTexts(t *testing.T) {
	var ds Diagnostics
	for s, text := range []string{"a", "b", "c"} {
		ds.Add(Severity(s), Pos{}, "%s", text)
	}
	for s, want := range []string{"[a]", "[warning: b]", "[notice: c]"} {
		if got := fmt.Sprint(Texts(ds.All(), Severity(s))); got != want {
			t.Errorf("%v: got %s, want %s", Severity(s), got, want)
		}
	}
}

func TestLinesAreShownWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		`password = "hunter2" x`:                                "password ********",
		`s { a = 1; enable_password = hunter2 = 1 }`:            "s { a = 1; enable_password ********",
		`PASSWORD: hunter2 "x`:                                  "PASSWORD ********",
		`pasword = hunter2 "x`:                                  "pasword ********",
		`password = "` + strings.Repeat("hunter2", 100) + `" x`: "…",
	} {
		l := &Loader{}
		Decode(l.ReadText("t", in), (&sample{}).section(), &l.Diagnostics)
		err := l.Diagnostics.Err()
		if err == nil {
			t.Errorf("%s: no fault", in)
			continue
		}
		if got := err.Error(); strings.Contains(got, "hunter2") || !strings.Contains(got, "\n    "+want) {
			t.Errorf("%s: got %s, want the line as %s", in, got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"max_size", "max_connections", "our_networks", "log"}
	for word, want := range map[string]string{
		"max_siez": "max_size", "maxsize": "max_size", "MAX-SIZE": "max_size", "max_conections": "max_connections",
		"networks": "", "lgo": "log", "x": "", "": "", "our_network": "our_networks", strings.Repeat("max_size", 1000): "",
	} {
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if got := suggest(word, known); got != want {
			t.Errorf("suggest(%.20q): got %q, want %q", word, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check(&Section{Options: []Option{{Name: "a", Aliases: []string{"A b"}, Value: new(Strings), Doc: "It is."}}}); err != nil {
		t.Errorf("a good declaration: %v", err)
	}
	bad := &Section{
		Options: []Option{
			{Name: "a", Value: new(Flag), Doc: "It is."},
			{Name: "a", Value: new(Flag), Doc: "no sentence"},
			{Name: "B", Value: new(Flag), Doc: "It is.", Example: "perhaps"},
			{Name: "c", Value: Within(new(Int), 1, 2), Doc: "It is.", Default: "in words"},
			{Name: "d", Value: new(Flag), Doc: "It is.", Example: "{"},
		},
		Sections: []*Section{
			{Name: "s"},
			{Name: "w", Key: "K", Doc: "It is.", Repeat: func(string) *Section { return nil }},
			{Name: "v", Repeat: func(string) *Section { return &Section{} }},
		},
		Ignored: []Ignored{{Name: "s"}},
	}
	want := []string{
		"top level: a is declared twice", "top level: s is declared twice", `top level: "B" is not lower-case letters, digits and underscores`,
		`top level, a: the documentation is no sentence: "no sentence"`,
		`top level, B: the example perhaps is refused: "perhaps" is not a flag; expected yes or no`,
		"top level, c: a default in words needs an example", "top level, c: the default 0 is refused: 0 is out of range; expected 1 to 2",
		"top level, d: the example { is no value: default:1:5: the section \"x\" is not closed; expected } at its end\n    x = {;",
		`section s: the documentation is no sentence: ""`,
		`section w: refuses its own key "K"`,
		`section v: the documentation is no sentence: ""`, "section v: a section with Repeat needs Doc and Key",
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), fmt.Sprint(Check(bad))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoaderSum(t *testing.T) {
	sum := func(texts ...string) string {
		l := &Loader{}
		for _, text := range texts {
			l.ReadText("t", text)
		}
		return l.Sum()
	}
	if a, b := sum("x", "y"), sum("x", "y"); a != b || len(a) != 64 {
		t.Errorf("got %s and %s, want the same 64 digits", a, b)
	}
	if sum("x", "y") == sum("y", "x") || sum("xy") == sum("x", "y") || sum() == sum("") {
		t.Error("different texts have the same sum")
	}
}

func TestAppend(t *testing.T) {
	var (
		ss Strings
		so Sockets
		rc = MustRecipients("a")
		ns = MustNetworks("192.0.2.1")
	)
	s := &Section{Options: []Option{{Name: "ss", Value: &ss}, {Name: "so", Value: &so}, {Name: "rc", Value: &rc}, {Name: "ns", Value: &ns}}}
	var ds Diagnostics
	Decode(read(t, "ss = a; ss += b, c; so += fd:3; so += fd:4; rc += b; rc += @c.example; ns += 192.0.2.2"), s, &ds)
	Finish(s)
	if got, want := fmt.Sprint(ss, " ", so, " ", rc, " ", ns, " ", remarks(&ds)), "a, b, c fd:3, fd:4 a, b, @c.example 192.0.2.1, 192.0.2.2 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !rc.Match("b", "x.example") || !rc.Equal(MustRecipients("a", "b", "@c.example")) || rc.Len() != 3 {
		t.Errorf("got %v", rc)
	}
	if !ns.Equal(MustNetworks("192.0.2.1", "192.0.2.2")) || ns.Equal(MustNetworks("192.0.2.1")) || ns.Len() != 2 {
		t.Errorf("got %v", ns)
	}
}
