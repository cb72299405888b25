package dnslist_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/dnslist"
	"rmilter/internal/ucl"
)

// load reads a text into the configuration of a section and returns what is told about it.
func load(c *dnslist.Config, text string) string {
	var l ucl.Loader
	top := &ucl.Section{Sections: c.Sections()}
	ucl.Decode(l.ReadText("x", text), top, &l.Diagnostics)
	ucl.Finish(top)
	ucl.Contradictions(top, &l.Diagnostics)
	var told []string
	for _, d := range l.Diagnostics.All() {
		told = append(told, d.String())
	}
	return strings.Join(told, "\n")
}

// configured returns the lists of a section of a text about which nothing is told.
func configured(t *testing.T, section, text string) map[string]*dnslist.List {
	t.Helper()
	c := dnslist.DefaultConfig(section)
	if told := load(&c, section+" { "+text+" }"); told != "" {
		t.Fatalf("%s: told %s", text, told)
	}
	lists := map[string]*dnslist.List{}
	for _, l := range c.Lists() {
		lists[l.Name] = l
	}
	return lists
}

func TestDeclaration(t *testing.T) {
	for _, section := range []string{dnslist.RBL, dnslist.SURBL} {
		c := dnslist.DefaultConfig(section)
		if err := ucl.Check(&ucl.Section{Sections: c.Sections()}); err != nil {
			t.Errorf("%s: %v", section, err)
		}
	}
}

func TestConfigTold(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`rbl { }`, ""},
		{`rbl { rbls { dnswl { enabled = false; } } }`, ""},
		{`rbl { rbls { example { symbol = "RBL_EXAMPLE"; rbl = "rbl.example.net"; ipv6 = true; } } }`, ""},
		{`rbl { list sorbs { enabled = yes; } }`, "sorbs closed in June 2024 and is never asked"},
		{`rbl { list own { symbol = OWN; } }`, "the list has no zone"},
		{`rbl { list own { rbl = "list.example.com"; from = no; } }`, "the list is asked nothing"},
		{`rbl { list own { rbl = "not a domain"; } }`, `"not a domain" is not a domain`},
		{`rbl { list own { rbl = "list.example.com"; checks = from, everything; } }`, `"everything" is not known here; expected from, received, helo`},
		{`rbl { list own { rbl = "list.example.com"; checks = selector, from; } }`, "there are no selectors"},
		{`rbl { list own { rbl = "list.example.com"; returncodes { A = 192.0.2.1; } } }`, "is not within 127.0.0.0/8"},
		{`rbl { list own { rbl = "list.example.com"; returncodes { A = nothing; } } }`, "is not an answer of a list"},
		{`rbl { list own { rbl = "list.example.com"; returncodes { "A B" = 127.0.0.2; } } }`, "a symbol has letters, digits and underscores"},
		{`rbl { list own { rbl = "list.example.com"; returnbits { A = 0; } } }`, "is not a number of bits"},
		{`rbl { list own { rbl = "list.example.com"; is_whitelist = yes; weight = 3; } }`, "a whitelist can only lower the score"},
		{`rbl { list own { rbl = "list.example.com"; exempt = "no such thing"; } }`, "is neither an address nor a network nor a domain"},
		{`rbl { list { enabled = yes; } }`, "section list has no name"},
		{`rbl { list own { rbl = "list.example.com"; unknown = true; } }`, "unknown has no effect"},
		{`rbl { list own { rbl = "list.example.com"; exclude_users = true; } }`, ""},
		{`rbl { max_names = 5000; }`, "5000 is out of range; expected 0 to 1000"},
		{`rbl { dqs_key = "with.a.dot"; }`, "this is no key; expected letters and digits"},
		{`rbl { dqs_key = abc; list spamhaus { enabled = no; } }`, "no list of Spamhaus is asked"},
		{`rbl { default_from = true; }`, "every list says itself what it is asked"},
	} {
		c := dnslist.DefaultConfig(dnslist.RBL)
		got := load(&c, test.text)
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s\n got %s\nwant %s", test.text, got, test.want)
		}
	}
}

// The key of the Data Query Service is shown in no diagnostic, and its lists are asked where
// it counts.
func TestDQSKey(t *testing.T) {
	const key = "abcdefghij0123456789klmnop"
	for _, text := range []string{
		`rbl { dqs_key = "` + key + `"; list spamhaus { enabled = no; } }`,
		`rbl { dqs_key = "` + key + `.x"; }`,
		`rbl { dqs_key = ` + key + ` enabled = maybe; }`,
		`rbl { dqs_keys = ` + key + `; }`,
	} {
		c := dnslist.DefaultConfig(dnslist.RBL)
		if got := load(&c, text); got == "" || strings.Contains(got, key) {
			t.Errorf("%s\n got %s", text, got)
		}
	}
	l := configured(t, dnslist.RBL, `dqs_key = "`+key+`";`)["spamhaus"]
	name, ok := l.Question(dnslist.Query{Ask: dnslist.Client, Addr: addr("203.0.113.7")})
	if want := "7.113.0.203.*.zen.dq.spamhaus.net"; name != want || !ok {
		t.Errorf("got %s, %v, want %s", name, ok, want)
	}
	if l.PublicRefused {
		t.Error("a list with a key is off with a public resolver")
	}
	if d := configured(t, dnslist.SURBL, `dqs_key = "`+key+`";`)["DBL"]; d.Zone != "dbl.dq.spamhaus.net" {
		t.Errorf("got zone %s", d.Zone)
	}
	if got, want := l.Mask("7.113.0.203."+key+".zen.dq.spamhaus.net"), "7.113.0.203.*.zen.dq.spamhaus.net"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestConfiguredLists(t *testing.T) {
	lists := configured(t, dnslist.RBL, `
		exempt = 192.0.2.0/24, "[2001:db8::]/32";
		rbls {
			SpamHaus { returncodes { RBL_SPAMHAUS_SBL = ["127.0.0.2", "127.0.0.3"]; RBL_MINE = "127.0.%d+.9"; RBL_SPAMHAUS_BLOCKED = "127.0.0.99"; } }
			dnswl { enabled = false; }
			own { symbol = "RBL_OWN"; rbl = "Own.Example.NET."; ipv6 = true; received = true; weight = 2.5; exempt = example.org; }
			good { rbl = "good.example.net"; is_whitelist = yes; }
			bits { rbl = "bits.example.net"; checks = helo, rdns; returnbits { B_TWO = 2; B_FOUR = 4; } returncodes = "B_ALL:127.0.1.1-9"; }
		}`)
	if l := lists["dnswl"]; l.Enabled || len(l.Codes) == 0 {
		t.Errorf("dnswl: got %+v", l)
	}
	spamhaus := lists["spamhaus"]
	var codes []string
	for _, c := range spamhaus.Codes {
		codes = append(codes, c.Symbol+" "+c.Answer.String())
		if c.Symbol == "RBL_SPAMHAUS_SBL" && (c.Weight != 4 || c.Asks != dnslist.Client) {
			t.Errorf("got %+v", c)
		}
	}
	if diff := cmp.Diff([]string{"RBL_SPAMHAUS_SBL 127.0.0.2", "RBL_SPAMHAUS_SBL 127.0.0.3"}, codes[:2]); diff != "" {
		t.Error(diff)
	}
	own := lists["own"]
	if own.Zone != "own.example.net" || own.Asks != dnslist.Client|dnslist.Received || !own.IPv6 || own.Names ||
		len(own.Codes) != 1 || own.Codes[0].Symbol != "RBL_OWN" || own.Codes[0].Weight != 2.5 {
		t.Errorf("own: got %+v", own)
	}
	if len(own.Exempt.Networks) != 2 || len(own.Exempt.Domains) != 1 {
		t.Errorf("own: got %+v", own.Exempt)
	}
	if c := lists["good"].Codes[0]; c.Weight != -0.1 || c.Symbol != "GOOD" {
		t.Errorf("good: got %+v", c)
	}
	bits := lists["bits"]
	if len(bits.Codes) != 3 || !bits.Names || bits.Asks != dnslist.Helo|dnslist.RDNS {
		t.Errorf("bits: got %+v", bits)
	}
	for _, l := range configured(t, dnslist.RBL, "enabled = no;") {
		if l.Enabled {
			t.Errorf("%s is enabled", l.Name)
		}
	}
	s := configured(t, dnslist.SURBL, `rules { "EXAMPLE_SURBL" { suffix = "surbl.example.net"; } }`)["EXAMPLE_SURBL"]
	if s == nil || s.Zone != "surbl.example.net" || s.Asks != dnslist.URLs || !s.Names || !s.Registered || s.Codes[0].Symbol != "EXAMPLE_SURBL" || s.Group != "surbl" {
		t.Errorf("got %+v", s)
	}
}

// The oldest files of rspamd have lists without a name, and lists that are known under
// another one.
func TestRules(t *testing.T) {
	lists := configured(t, dnslist.SURBL, `
		rule { suffix = "multi.surbl.org"; symbol = "SURBL_MULTI_OLD"; bits { JP_SURBL_MULTI = 64; PH_SURBL_MULTI = 8; } }
		rule { suffix = "surbl.example.net"; }
		rule "third" { suffix = "third.example.net"; }
		list "urls" { rbl = "dbl.spamhaus.org"; }`)
	old := lists["SURBL_MULTI_OLD"]
	if old == nil || len(old.Codes) != 2 || !old.Enabled || lists["SURBL_MULTI"].Enabled || lists["DBL"].Enabled || !lists["URIBL_MULTI"].Enabled {
		t.Errorf("got %+v", lists)
	}
	if l := lists["surbl.example.net"]; l == nil || l.Codes[0].Symbol != "SURBL_EXAMPLE_NET" || lists["third"] == nil {
		t.Errorf("got %+v", lists)
	}
}
