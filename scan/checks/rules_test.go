package checks

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rmilter/internal/mail"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// ruleMessage has something at each place that rules look at.
const ruleMessage = `From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>
Subject: =?utf-8?b?Q2hlYXA=?= meds =?utf-8?q?=E2=82=AC?=
To: alice@example.org
X-Many: one two
X-Many: two three
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

preamble words
--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
X-Part: first

Visible pl=61in text with =D0=92=D0=B8=D0=B0=D0=B3=D1=80=D0=B0 and http://plain.example/path?id=3D1
--b
Content-Type: text/html

<html><body><b class="secret">Visi</b>ble markup <a href="http://link.example/x">click</a></body></html>
--b
Content-Type: application/octet-stream; name="Invoice 7.EXE"
Content-Disposition: attachment; filename="Invoice 7.EXE"

visible binary
--b
Content-Type: text/plain
Content-Disposition: attachment; filename="notes.txt"

visible notes
--b--
`

func ruled(t testing.TB, conf string) string {
	t.Helper()
	return findings(scanWith(t, conf, &mail.Envelope{}, mail.Parse([]byte(ruleMessage), mail.DefaultLimits), Rules))
}

func TestRulePlaces(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{`re = '/cheap\s+meds/i'; where = subject`, "R{Cheap meds}"},
		{`re = 'cheap\s+meds'; where = subject`, ""},
		{`re = 'Cheap\s+meds €$'; where = subject`, "R{Cheap meds €}"},
		{`re = 'Subject=/cheap/i'`, "R{Cheap}"},
		{`re = 'SUBJECT=/cheap/i{header}'`, "R{Cheap}"},
		{`re = 'Subject=/cheap/iH'`, "R{Cheap}"},
		{`re = 'Subject=/cheap/i{raw_header}'`, ""},
		{`re = 'Subject=/^=\?utf-8\?b/iX'`, "R{=?utf-8?b}"},
		{`re = '/jörg/i'; where = header; header = From`, "R{Jörg}"},
		{`re = '/J=C3=B6rg/'; where = raw_header; header = from`, "R{J=C3=B6rg}"},
		{`re = 'X-Part=/first/{mime_header}'`, "R{first}"},
		{`re = 'X-Part=/first/'`, ""},
		{`re = 'Content-Type=/octet/B'`, "R{octet}"},
		{`re = '/^To: .*org$/m{all_header}'`, "R{To: alice@example.org}"},
		{`re = '/two/'; where = header; header = X-Many`, "R{two}"},
		{`re = 'X-Many=/two/'; one_shot = no`, "R{two} R{two}"},
		{`re = 'X-Many=/two/A'`, "R{two} R{two}"},
		{`re = 'X-Many=/^$/'`, ""},
		{`re = 'X-Many=/x*/'`, "R"},
		{`re = '/visible plain text/i'; where = text`, "R{Visible plain text}"},
		{`re = '/виагра/iu{mime}'`, "R{Виагра}"},
		{`re = '/Visible markup/P'`, "R{Visible markup}"},
		{`re = '/visible/i'; where = text; one_shot = no`, "R{Visible} R{Visible}"},
		{`re = '/visible (binary|notes)/i{mime}'`, ""},
		{`re = '/class="secret"/{mime}'`, ""},
		{`re = '/class="secret"/{raw_mime}'`, `R{class="secret"}`},
		{`re = '/pl=61in/'; where = raw`, "R{pl=61in}"},
		{`re = '/visible binary/M'`, "R{visible binary}"},
		{`re = '/preamble/{body}'`, "R{preamble}"},
		{`re = '/pl=61in/'; where = source`, ""},
		{`re = '/link\.example\/x$/U'`, "R{link.example/x}"},
		{`re = '/^http:\/\/plain.example/{url}'`, "R{http://plain.example}"},
		{`re = '/^https?://[^/]+/path/'; where = url`, "R{http://plain.example/path}"},
		{`re = '/\.(exe|scr)$/i'; where = attachment`, "R{.EXE}"},
		{`re = '/^notes/'; where = attachment`, "R{notes}"},
		{`re = '/nothing/'; where = text`, ""},
	} {
		if got := ruled(t, "regexp \"R\" { "+c.rule+" }"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.rule, got, c.want)
		}
	}
}

// TestRuleOneShot wants what is said of a rule's symbol to come before what the rule says.
func TestRuleOneShot(t *testing.T) {
	for _, c := range []struct{ conf, want string }{
		{`regexp "R" { re = 'X-Many=/two/'; }`, "R{two}"},
		{`regexp "R" { re = 'X-Many=/two/'; } symbol "R" { one_shot = no; }`, "R{two} R{two}"},
		{`regexp "R" { re = 'X-Many=/two/A'; } symbol "R" { one_shot = yes; }`, "R{two}"},
		{`regexp "R" { re = 'X-Many=/two/A'; } symbol "R" { one_shot = default; }`, "R{two} R{two}"},
		{`regexp "R" { re = 'X-Many=/two/'; } symbol "OTHER" { one_shot = no; }`, "R{two}"},
	} {
		if got := ruled(t, c.conf); got != c.want {
			t.Errorf("%s: got %s, want %s", c.conf, got, c.want)
		}
	}
}

// TestRuleForms are the ways to write rules.
func TestRuleForms(t *testing.T) {
	for _, conf := range []string{
		`regexp "A" { re = '/cheap/i'; where = subject; } regexp "B" { re = 'To=/alice/'; }`,
		`regexp { A { re = '/cheap/i'; where = subject; } "B" { re = 'To=/alice/'; } }`,
		`regexp { "A" = { re = "/cheap/i"; where = subject; } B { re = "To=/alice/" } }`,
		"regexp \"A\" { where = subject; re = <<EOD\n/cheap/i\nEOD\n}\nregexp B { re = '/alice/'\nwhere = header\nheader = To }",
	} {
		if got, want := ruled(t, conf), "A{Cheap} B{alice}"; got != want {
			t.Errorf("%s: got %s, want %s", conf, got, want)
		}
	}
}

func TestRuleSymbol(t *testing.T) {
	e := newEngine(t, `regexp "MY_rule1" { re = 'Subject=/cheap/i'; score = 2.5; group = mine; description = "Cheap things"; } regexp "MORE" { re = 'X-Many=/two/A' weight = 1 } composite "BOTH" { expression = "MY_rule1 & MORE"; score = 4 }`, Rules)
	r := e.Scan(t.Context(), &mail.Envelope{}, mail.Parse([]byte(ruleMessage), mail.DefaultLimits), scan.Aids{})
	want := scan.Symbol{Name: "MY_rule1", Score: 2.5, Group: "mine", OneShot: true, Doc: "Cheap things."}
	if got := *r.Findings[0].Symbol; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := *r.Findings[1].Symbol, (scan.Symbol{Name: "MORE", Score: 1, Group: "rules", Doc: "A rule of this site: X-Many=/two/A."}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := e.Weights().Score(r.Findings).Total; got != 4 {
		t.Errorf("got a score of %v, want 4: the composite instead of both", got)
	}
}

// build returns an engine of checks with a configuration and an environment. An error
// is about either.
func build(conf string, env scan.Env, list ...scan.Check) (*scan.Engine, error) {
	c, remarks := configure(conf, list...)
	if err := remarks.Err(); err != nil {
		return nil, err
	}
	env.Log = slog.New(slog.DiscardHandler)
	if env.Now == nil {
		env.Now = time.Now
	}
	return scan.NewEngine(c, env)
}

// ruleFaults returns what is wrong with a configuration of Rules.
func ruleFaults(conf string, list ...scan.Check) string {
	if _, err := build(conf, scan.Env{}, append([]scan.Check{Rules}, list...)...); err != nil {
		return err.Error()
	}
	return ""
}

func TestRuleFaults(t *testing.T) {
	for _, c := range []struct{ rule, want string }{
		{`re = '/x/'`, `test.conf:1:19: regexp "R": what is to be looked at?`},
		{`where = text`, `regexp "R": there is no re`},
		{`re = '/x/i'; where = body`, `"body" can be two things`},
		{`re = '/x/i'; where = mime`, `rspamd's word; expected text`},
		{`re = '/x/i'; where = nowhere`, `expected subject, header, raw_header`},
		{`re = '/x/i'; where = header`, `which header field?`},
		{`re = '/x/iH'`, `which header field?`},
		{`re = '/x/i{mime}'; where = raw`, `where = raw and the type of the regular expression differ`},
		{`re = 'To=/x/i'; header = From`, `header = From and the field before the regular expression differ`},
		{`re = 'To=/x/i{mime}'`, `where = text has no header field`},
		{`re = '/x/i{mime}'; header = "A B"`, `"A B" is no name of a header field`},
		{`re = '/x/i{words}'`, `{words}: expected {mime} with \b at both ends`},
		{`re = '/x/i{stem_words}'`, `{stem_words}: expected {mime}`},
		{`re = '/x/C'`, `flag C: expected {mime} for what a reader sees`},
		{`re = '/x/i{selector}'`, `{selector}: there are no selectors`},
		{`re = '/x/i{nonsense}'`, `unknown type {nonsense}`},
		{`re = '/x/HU'`, `two types; expected one`},
		{`re = '/x/i{mime'`, `a brace that is not closed`},
		{`re = '/x/q'`, `unknown flag "q"`},
		{`re = '/x y/x{mime}'`, `flag x (blanks and comments`},
		{`re = '/\xff/r{mime}'`, `flag r with bytes that are no ASCII`},
		{`re = '/x'; where = text`, `has no slash at its end`},
		{`re = '//'; where = text`, `empty regular expression`},
		{`re = '/a(/'; where = text`, `missing closing ) in "a("`},
		{`re = '/a(?!b)/'; where = text`, `there is no looking ahead or behind`},
		{`re = '/(?<=a)b/'; where = text`, `there is no looking ahead or behind`},
		{`re = '/(a)\1/'; where = text`, `there are no references to groups`},
		{`re = '/a++/'; where = text`, `possessive repeats aren't needed`},
		{`re = '/(?>a)/'; where = text`, `atomic groups`},
		{`re = '/a{2000}/'; where = text`, `expected at most 1000`},
		{`re = '/(?:a?){900}/'; where = text`, `steps for each character; expected at most`},
		{`re = "/\bx/"; where = text`, `\b in double quotes is a backspace`},
		{`re = '/a/i & Subject=/b/'; where = text`, `several regular expressions in one rule`},
		{`re = 'Subject=/a/iH | /b/{mime}'`, `several regular expressions in one rule`},
		{`re = '!Subject=/a/'`, `what is to be looked at?`},
		{`re = '/x/'; where = text; score = 1001`, `out of range`},
		{`re = '/x/'; where = text; colour = red`, `unknown directive "colour"`},
	} {
		got := ruleFaults(`regexp "R" { ` + c.rule + ` }`)
		if !strings.Contains(got, c.want) || !strings.Contains(got, "test.conf:1:") && !strings.Contains(c.want, "there is no re") {
			t.Errorf("%s: got %s, want test.conf:1: …%s", c.rule, got, c.want)
		}
	}
	for _, c := range []struct{ conf, want string }{
		{`regexp "no name" { re = 'To=/x/' }`, `the name is not letters, digits and underscores`},
		{`regexp "GTUBE" { re = 'To=/x/' }`, `test.conf:1:23: regexp "GTUBE": check gtube has a symbol of that name`},
		{`gtube { enabled = no } regexp "GTUBE" { re = 'To=/x/' }`, `check gtube has a symbol of that name`},
		{`regexp "C" { re = 'To=/x/' } composite "C" { expression = "GTUBE" }`, `a composite has a symbol of that name`},
		{`regexp "GROUP_CAP" { re = 'To=/x/' }`, `the caps of groups has a symbol of that name`},
		{`regexp { re = 'To=/x/' }`, `section regexp has no name`},
		{`rule_files = rules.conf`, `"rules.conf" is not a path`},
		{`rule_files = "/nowhere/rules.conf"`, `rule_files: stat /nowhere/rules.conf: no such file or directory`},
	} {
		if got := ruleFaults(c.conf, GTUBE); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want …%s", c.conf, got, c.want)
		}
	}
}

func TestRulesDisabled(t *testing.T) {
	if got := ruled(t, `rules { enabled = no } regexp "R" { re = 'To=/x|a/' }`); got != "" {
		t.Errorf("got %s, want nothing", got)
	}
	if got := ruled(t, ``); got != "" {
		t.Errorf("without rules: got %s, want nothing", got)
	}
}

// TestRuleLimit sees that a rule looks at the beginning of a long text alone.
func TestRuleLimit(t *testing.T) {
	near := "Subject: x\n\n" + strings.Repeat("x", 900) + "here" + strings.Repeat("y", 200) + "there"
	for conf, want := range map[string]string{
		`rules { limit = 1k }`: "NEAR{here}", `rules { limit = 2k }`: "NEAR{here} FAR{there}", ``: "NEAR{here} FAR{there}",
	} {
		conf += ` regexp "NEAR" { re = '/here/'; where = raw } regexp "FAR" { re = '/there/'; where = raw }`
		got := findings(scanWith(t, conf, &mail.Envelope{}, mail.Parse([]byte(near), mail.DefaultLimits), Rules))
		if got != want {
			t.Errorf("%s: got %s, want %s", conf, got, want)
		}
	}
}

// rulesOf is an engine with rules whose clock the test turns.
func rulesOf(conf string, clock func() time.Time) (*scan.Engine, error) {
	return build(conf, scan.Env{Now: clock}, GTUBE, Rules)
}

func TestRuleFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	clock := func() time.Time { return now }
	conf := fmt.Sprintf(`regexp "OWN" { re = 'To=/alice/' } rule_files = "%s/*.conf"`, dir)
	if _, err := rulesOf(conf+fmt.Sprintf(`, "%s/none.conf"`, dir), clock); err == nil {
		t.Error("a file that isn't there: no error")
	}
	e, err := rulesOf(conf, clock)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct {
		do          func()
		want, fault string
	}{
		{func() {}, "OWN", ""},
		{func() { write("a.conf", `regexp "A" { re = 'Subject=/cheap/i' }`) }, "A OWN", ""},
		{func() { write("b.conf", "regexp \"B\" {\n re = 'Subject=/(/'\n}") }, "A OWN", dir + "/b.conf:2:7: re: missing closing )"},
		{func() {}, "A OWN", dir + "/b.conf:2:7: re: missing closing )"},
		{func() { write("b.conf", `regexp { B { re = 'Subject=/meds/i' } }`) }, "A B OWN", ""},
		{func() { write("c.conf", `regexp "GTUBE" { re = 'Subject=/meds/i' }`) }, "A B OWN", dir + `/c.conf:1:23: regexp "GTUBE": check gtube has a symbol of that name`},
		{func() { write("c.conf", `regexp "OWN" { re = 'Subject=/meds/i' }`) }, "A B OWN", `/c.conf:1:21: regexp "OWN" is in the configuration, too`},
		{func() { write("c.conf", "max_size = 5") }, "A B OWN", `unknown directive "max_size"`},
		{func() {
			write("c.conf", ".include \""+dir+"/d.inc\"")
			write("d.inc", `regexp "D" { re = 'To=/alice/' }`)
		}, "A B D OWN", ""},
		{func() { write("d.inc", `regexp "D2" { re = 'To=/alice/' }`) }, "A B D2 OWN", ""},
		{func() { os.Remove(filepath.Join(dir, "d.inc")) }, "A B D2 OWN", "d.inc"},
		{func() { os.Remove(filepath.Join(dir, "c.conf")); os.Remove(filepath.Join(dir, "b.conf")) }, "A OWN", ""},
	} {
		s.do()
		now = now.Add(time.Minute)
		err := e.Refresh()
		if s.fault == "" && err != nil || s.fault != "" && (err == nil || !strings.Contains(err.Error(), s.fault)) {
			t.Errorf("step %d: got %v, want %s", i, err, s.fault)
		}
		r := e.Scan(t.Context(), &mail.Envelope{}, mail.Parse([]byte(ruleMessage), mail.DefaultLimits), scan.Aids{})
		var got []string
		for _, f := range r.Findings {
			got = append(got, f.Symbol.Name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != s.want || r.Failed != nil {
			t.Errorf("step %d: got %v and %v, want %s", i, got, r.Failed, s.want)
		}
	}
	write("a.conf", "regexp {")
	if _, err := rulesOf(conf, clock); err == nil || !strings.Contains(err.Error(), "a.conf:1:") {
		t.Errorf("at start: got %v, want the fault", err)
	}
}

// TestRulesWhileScanning reloads rules while messages are scanned.
func TestRulesWhileScanning(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.conf")
	var minutes atomic.Int64
	start := time.Now()
	e, err := rulesOf(fmt.Sprintf(`rule_files = "%s/*.conf"`, dir), func() time.Time { return start.Add(time.Duration(minutes.Load()) * time.Minute) })
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 4)
	m := mail.Parse([]byte(ruleMessage), mail.DefaultLimits)
	for range cap(done) {
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if r := e.Scan(t.Context(), &mail.Envelope{}, m, scan.Aids{}); r.Failed != nil {
					done <- r.Failed["rules"]
					return
				}
			}
		}()
	}
	for i := range 30 {
		minutes.Add(1)
		if err := os.WriteFile(path, fmt.Appendf(nil, `regexp "A%d" { re = 'Subject=/cheap/i' } regexp "B" { re = 'To=/alice/' }`, i), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := e.Refresh(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// FuzzRules compares what rules find with what their expressions find by themselves.
func FuzzRules(f *testing.F) {
	f.Add(ruleMessage, "(?i)cheap\nvisible.*text\n\\.exe$\n[a-z]+@")
	f.Add("Subject: a\n\nb", "a|b\n^$\nx*")
	f.Fuzz(func(t *testing.T, raw, exprs string) {
		if len(raw) > 20_000 || len(exprs) > 500 {
			return
		}
		var rules []rule
		var std []*regexp.Regexp
		for i, text := range strings.Split(exprs, "\n") {
			e, err := parseExpr("/" + text + "/")
			if err != nil || i >= 8 {
				continue
			}
			for _, where := range places {
				name := fmt.Sprintf("%s%d", where, i)
				field := ""
				if where.needsField() {
					field = "subject"
				}
				rules = append(rules, rule{&scan.Symbol{Name: name, OneShot: i%2 != 0}, e.re, where, field})
				std = append(std, regexp.MustCompile(e.re.String()))
			}
		}
		set, err := newRuleset(rules)
		if err != nil {
			t.Fatal(err)
		}
		m := mail.Parse([]byte(raw), mail.DefaultLimits)
		r := &rulesRunner{conf: RulesConfig{limit: 1 << 20}}
		r.set.Store(set)
		got := findings(runRules(t, r, m))
		var want []string
		for _, where := range places {
			found := make([]int, len(rules))
			eachText(m, where, map[string]bool{"subject": true}, 1<<20, func(field, text string) {
				for i, x := range rules {
					loc := std[i].FindStringIndex(text)
					if x.place != where || x.field != field || loc == nil || found[i] > 0 && (x.symbol.OneShot || found[i] == maxFindings) {
						continue
					}
					found[i]++
					if want = append(want, x.symbol.Name); loc[0] < loc[1] {
						want[len(want)-1] += "{" + shown(text[loc[0]:loc[1]]) + "}"
					}
				}
			})
		}
		if want := strings.Join(want, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// FuzzExpr reads anything as the option re. What is read comes out as it went in.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{`/x/i`, `Subject=/a\/b/i{mime}`, `/a/ & /b/`, `plain`, `/https?://x/`, `/(?=a)/x{words}`, "/'\n/A", `m{x}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var e, again expr
		if e.Set(&ucl.Node{Text: text}, false) != nil || text == "" {
			return
		}
		var l ucl.Loader
		b := l.ReadText("test.conf", "re = "+e.String()+";")
		if err := l.Diagnostics.Err(); err != nil || len(b.Directives) != 1 {
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd || r == 0xfeff }) {
				return // no text of a file
			}
			t.Fatalf("%q as %s: %v", text, e.String(), err)
		}
		if err := again.Set(b.Directives[0].Value, false); err != nil || again.text != e.text || again.re.String() != e.re.String() {
			t.Errorf("%q as %s: got %q, %v", text, e.String(), again.text, err)
		}
	})
}

// runRules runs rules over a message.
func runRules(t testing.TB, r *rulesRunner, m *mail.Message) *scan.Report {
	t.Helper()
	spec := *Rules
	spec.New = func(RulesConfig, scan.Env) (scan.Runner[struct{}], error) {
		return struct {
			scan.Runner[struct{}]
			symbolic
		}{r, r}, nil
	}
	e, err := scan.NewEngine(scan.NewConfig([]scan.Check{&spec}), scan.Env{Now: frozen, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	report := e.Scan(t.Context(), &mail.Envelope{}, m, scan.Aids{})
	if report.Failed != nil {
		t.Fatal(report.Failed)
	}
	return report
}

// symbolic is what has symbols of the configuration.
type symbolic interface{ Symbols() []*scan.Symbol }

// manyRules writes n rules of the kinds that administrators write.
func manyRules(n int) string {
	r := rand.New(rand.NewPCG(13, 14))
	word := func() string {
		w := make([]byte, 5+r.IntN(8))
		for i := range w {
			w[i] = "etaoinshrdlucmfwypvbgk"[r.IntN(22)]
		}
		return string(w)
	}
	forms := []string{
		`re = '/\b%s\b/i'; where = text`, `re = 'Subject=/%s\s+%s/i'`, `re = '/\b(?:%s|%s|%s)\b/i{mime}'`, `re = '/%s.{0,20}%s/i{mime}'`,
		`re = '/^https?:\/\/[^\/]*%s\./i{url}'`, `re = 'From=/@%s\.example/i'`, `re = '/%s-[0-9]+/'; where = raw`, `re = '/%s.*\.(?:exe|scr|zip)$/i'; where = attachment`,
	}
	var b strings.Builder
	for i := range n {
		form := forms[i%len(forms)]
		for strings.Contains(form, "%s") {
			form = strings.Replace(form, "%s", word(), 1)
		}
		fmt.Fprintf(&b, "regexp \"R%d\" { %s; score = 1 }\n", i, form)
	}
	return b.String()
}

// TestManyRules bounds what a very large set takes.
func TestManyRules(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	e := newEngine(t, manyRules(5000), Rules)
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := (after.HeapAlloc - before.HeapAlloc) >> 20
	t.Logf("5000 rules: %v, %d MB", took, size)
	if size > 64 {
		t.Errorf("got %d MB, want 64 at most", size)
	}
	if r := e.Scan(t.Context(), &mail.Envelope{}, mail.Parse([]byte(ruleMessage), mail.DefaultLimits), scan.Aids{}); r.Failed != nil {
		t.Error(r.Failed)
	}
}

func BenchmarkRules(b *testing.B) {
	long := strings.Replace(ruleMessage, "Visible pl", strings.Repeat("Some words of a usual letter, http://news.example/today and more of them.\n", 200)+"Visible pl", 1)
	for _, n := range []int{0, 50, 500, 5000} {
		e := newEngine(b, manyRules(n), Rules)
		for _, text := range []string{ruleMessage, long} {
			m := mail.Parse([]byte(text), mail.DefaultLimits)
			e.Scan(b.Context(), &mail.Envelope{}, m, scan.Aids{}) // the views of the message are made once
			b.Run(fmt.Sprintf("%d/%dk", n, len(text)>>10), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					e.Scan(b.Context(), &mail.Envelope{}, m, scan.Aids{})
				}
			})
		}
	}
}

func TestRulePlacesAreAll(t *testing.T) {
	seen := map[place]bool{inSubject: true}
	for _, p := range places {
		seen[p] = true
	}
	for name, p := range suffixes {
		if !slices.Contains(places, p) {
			t.Errorf("{%s} is for %s, where nothing is searched", name, p)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d places, want 10", len(seen))
	}
}
