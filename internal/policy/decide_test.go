package policy_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/scan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	allActions = []scan.Action{scan.NoAction, scan.Greylist, scan.AddHeader, scan.RewriteSubject, scan.Quarantine, scan.SoftReject, scan.Reject, scan.Discard}
	allTrusts  = []mail.Trust{mail.Stranger, mail.TrustedRelay, mail.OurNetwork, mail.OurDaemon, mail.Authenticated, mail.Local}
)

const id = "4f1a9c02de"

// golden compares got with a file in testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// demanded returns the facts of a message for which a check demands an action.
func demanded(a scan.Action, trust mail.Trust) *policy.Facts {
	return &policy.Facts{
		Envelope: &mail.Envelope{ID: id, Trust: trust},
		Header:   mail.Header{{Name: "Subject", Raw: " hello"}},
		Report:   &scan.Report{Passthrough: &scan.Passthrough{Action: a, Source: "test"}},
	}
}

// scored returns the facts of a message that reaches an action by its score.
func scored(a scan.Action, trust mail.Trust) *policy.Facts {
	f := demanded(a, trust)
	f.Report = &scan.Report{Findings: []scan.Finding{{Symbol: &scan.Symbol{Name: "TEST", Score: 5}, Strength: 1}}}
	f.Recipients = []policy.Settings{{Name: policy.DefaultSettings, Thresholds: scan.Thresholds{a: 5}}}
	return f
}

// effects says in short what a verdict does.
func effects(v policy.Verdict) string {
	var all []string
	if v.Reply.Code != 0 {
		all = append(all, fmt.Sprint(v.Reply.Code, " ", v.Reply.Enhanced))
	}
	if v.Discard {
		all = append(all, "drop")
	}
	for _, e := range v.Edits {
		switch {
		case e.Kind == policy.Quarantine:
			all = append(all, "hold")
		case e.Name == "Subject":
			all = append(all, "subject")
		case e.Name == "X-Spam" && e.Kind == policy.AddHeader:
			all = append(all, "mark")
		default:
			all = append(all, fmt.Sprintf("%+v", e))
		}
	}
	if len(all) == 0 {
		all = []string{"-"}
	}
	return v.Action.String() + ": " + strings.Join(all, ", ")
}

// TestMatrix shows what becomes of every action for every kind of client.
func TestMatrix(t *testing.T) {
	var b strings.Builder
	for _, dry := range []bool{false, true} {
		for _, never := range []bool{false, true} {
			fmt.Fprintf(&b, "dry_run %t, spamd_never_reject %t\n", dry, never)
			row := []string{"asked for"}
			for _, trust := range allTrusts {
				row = append(row, trust.String())
			}
			line(&b, row)
			for _, a := range allActions {
				row := []string{a.String()}
				for _, trust := range allTrusts {
					row = append(row, cell(t, a, trust, never, dry))
				}
				line(&b, row)
			}
			b.WriteString("\n")
		}
	}
	golden(t, "matrix.txt", b.String())
}

// line writes a row of the table.
func line(b *strings.Builder, row []string) {
	text := ""
	for _, c := range row {
		text += fmt.Sprintf("%-30s | ", c)
	}
	b.WriteString(strings.TrimRight(text, " |") + "\n")
}

// cell decides by demand and by score, which must come to the same.
func cell(t *testing.T, a scan.Action, trust mail.Trust, never, dry bool) string {
	c := policy.DefaultConfig()
	var got [2]string
	for i, f := range []*policy.Facts{demanded(a, trust), scored(a, trust)} {
		if i == 0 {
			f.Recipients = []policy.Settings{*c.Book(nil).For("", "")}
		}
		f.Recipients[0].NeverReject = never
		f.DryRun = dry
		v := policy.Decide(&c, f)
		if v.DryRun != dry || dry && (v.Reply != policy.Reply{} || v.Discard || v.Edits != nil) {
			t.Errorf("%v from %v with dry_run %t: got %+v", a, trust, dry, v)
		}
		got[i] = effects(v)
	}
	if got[0] != got[1] {
		t.Errorf("%v from %v: got %q by demand, %q by score", a, trust, got[0], got[1])
	}
	return got[0]
}

func TestReplies(t *testing.T) {
	const rejectMessage = "Spam message rejected; If this is not spam contact abuse team"
	for _, c := range []struct {
		name   string
		action scan.Action
		text   string
		change func(*policy.Config, *policy.Facts)
		want   policy.Reply
	}{
		{"reject", scan.Reject, "", nil, policy.Reply{554, "5.7.1", rejectMessage + " [" + id + "]"}},
		{"reject of a check", scan.Reject, "Gtube pattern", nil, policy.Reply{554, "5.7.1", "Gtube pattern [" + id + "]"}},
		{"reject, rmilter's codes", scan.Reject, "", func(c *policy.Config, _ *policy.Facts) { c.SMTPCodes = policy.RmilterCodes }, policy.Reply{554, "5.7.1", rejectMessage + " [" + id + "]"}},
		{"own message", scan.Reject, "", func(c *policy.Config, _ *policy.Facts) { c.RejectMessage = "Go\r\n  away é" }, policy.Reply{554, "5.7.1", "Go away ? [" + id + "]"}},
		{"empty message", scan.Reject, "", func(c *policy.Config, _ *policy.Facts) { c.RejectMessage = " " }, policy.Reply{554, "5.7.1", rejectMessage + " [" + id + "]"}},
		{"soft reject", scan.SoftReject, "", nil, policy.Reply{451, "4.7.1", "Try again later [" + id + "]"}},
		{"soft reject of a check", scan.SoftReject, "Ratelimit", nil, policy.Reply{451, "4.7.1", "Ratelimit [" + id + "]"}},
		{"soft reject, rmilter's codes", scan.SoftReject, "", func(c *policy.Config, _ *policy.Facts) { c.SMTPCodes = policy.RmilterCodes }, policy.Reply{452, "4.7.1", "Try again later [" + id + "]"}},
		{"hostile text", scan.Reject, "Infected: a\r\n250 OK\x00\u202e100%\x7f\xff", nil, policy.Reply{554, "5.7.1", "Infected: a 250 OK ?100% ? [" + id + "]"}},
		{"blank text", scan.SoftReject, " \n\t", nil, policy.Reply{451, "4.7.1", "Try again later [" + id + "]"}},
		{"long text", scan.Reject, strings.Repeat("x", 5000), nil, policy.Reply{554, "5.7.1", strings.Repeat("x", 200) + " [" + id + "]"}},
		{"no id", scan.SoftReject, "", func(_ *policy.Config, f *policy.Facts) { f.Envelope.ID = "" }, policy.Reply{451, "4.7.1", "Try again later"}},
		{"greylist passes", scan.Greylist, "later", nil, policy.Reply{}},
		{"add header", scan.AddHeader, "text", nil, policy.Reply{}},
	} {
		conf := policy.DefaultConfig()
		f := demanded(c.action, mail.Stranger)
		f.Report.Passthrough.Message = c.text
		if c.change != nil {
			c.change(&conf, f)
		}
		if got := policy.Decide(&conf, f).Reply; got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestQuarantineReason(t *testing.T) {
	c := policy.DefaultConfig()
	f := demanded(scan.Quarantine, mail.Stranger)
	for text, want := range map[string]string{"": "Spam message quarantined [" + id + "]", "odd\nmail": "odd mail [" + id + "]"} {
		f.Report.Passthrough.Message = text
		got := policy.Decide(&c, f).Edits
		if d := cmp.Diff([]policy.Edit{{Kind: policy.Quarantine, Value: want}}, got); d != "" {
			t.Errorf("message %q (-want +got):\n%s", text, d)
		}
	}
}

func TestBroken(t *testing.T) {
	deferred := policy.Reply{451, "4.7.1", "Temporary service failure. [" + id + "]"}
	for _, trust := range allTrusts {
		for _, tempfail := range []bool{false, true} {
			c := policy.DefaultConfig()
			c.TempfailOnError = true
			if !tempfail {
				c.TempfailOnError = false
			}
			f := demanded(scan.Reject, trust) // what was found so far doesn't count
			f.Broken = true
			f.Header = append(f.Header, mail.Field{Name: "X-Spam", Raw: " no"})
			v := policy.Decide(&c, f)
			want := policy.Verdict{Action: scan.NoAction, Edits: []policy.Edit{{Kind: policy.DeleteHeader, Index: 1, Name: "X-Spam"}}}
			if tempfail && trust != mail.Local && trust != mail.TrustedRelay {
				want = policy.Verdict{Action: scan.SoftReject, Reply: deferred}
			}
			if d := cmp.Diff(want, v); d != "" {
				t.Errorf("trust %v, tempfail_on_error %t (-want +got):\n%s", trust, tempfail, d)
			}
			f.DryRun = true
			want = policy.Verdict{Action: want.Action, DryRun: true}
			if d := cmp.Diff(want, policy.Decide(&c, f)); d != "" {
				t.Errorf("trust %v, dry run (-want +got):\n%s", trust, d)
			}
			c.SMTPCodes = policy.RmilterCodes
			f.DryRun = false
			if got := policy.Decide(&c, f).Reply.Code; got != 0 && got != 452 {
				t.Errorf("trust %v, rmilter's codes: got %d, want 452", trust, got)
			}
		}
	}
}

// TestRecipients shows how the settings of several recipients come together.
func TestRecipients(t *testing.T) {
	at := func(reject float64) scan.Thresholds { return scan.Thresholds{scan.AddHeader: 6, scan.Reject: reject} }
	lax, strict := policy.Settings{Name: "lax", Thresholds: at(30)}, policy.Settings{Name: "strict", Thresholds: at(10)}
	off := policy.Settings{Name: "off", Skip: true, Thresholds: at(15)}
	never := policy.Settings{Name: "never", Thresholds: at(10), NeverReject: true}
	none := policy.Settings{Name: "none"}
	nan := policy.Settings{Name: "nan", Thresholds: at(math.NaN())}
	reject := &scan.Passthrough{Action: scan.Reject}
	clean := &scan.Passthrough{Action: scan.NoAction}
	for _, c := range []struct {
		name     string
		rcpts    []policy.Settings
		score    float64
		demand   *scan.Passthrough
		want     scan.Action
		required float64
	}{
		{"defaults, clean", nil, 3.99, nil, scan.NoAction, 15},
		{"defaults, greylist", nil, 4, nil, scan.Greylist, 15},
		{"defaults, add header", nil, 6, nil, scan.AddHeader, 15},
		{"defaults, reject", nil, 15, nil, scan.Reject, 15},
		{"one", []policy.Settings{strict}, 12, nil, scan.Reject, 10},
		{"the mildest", []policy.Settings{strict, lax}, 12, nil, scan.AddHeader, 30},
		{"the mildest, other order", []policy.Settings{lax, strict}, 12, nil, scan.AddHeader, 30},
		{"the same", []policy.Settings{strict, lax}, 40, nil, scan.Reject, 10},
		{"no thresholds", []policy.Settings{strict, none}, 40, nil, scan.NoAction, 0},
		{"never by threshold", []policy.Settings{nan}, 40, nil, scan.AddHeader, 0},
		{"all skip", []policy.Settings{off, off}, 40, nil, scan.NoAction, 0},
		{"all skip, demand", []policy.Settings{off}, 40, reject, scan.NoAction, 0},
		{"one skips", []policy.Settings{off, strict}, 40, nil, scan.Reject, 15},
		{"one never rejects", []policy.Settings{strict, never}, 40, nil, scan.AddHeader, 10},
		{"demand for all", []policy.Settings{lax, strict}, 0, reject, scan.Reject, 30},
		{"demand, one never rejects", []policy.Settings{lax, never}, 0, reject, scan.AddHeader, 10},
		{"demand for less than the score's action", []policy.Settings{strict}, 40, &scan.Passthrough{Action: scan.Quarantine}, scan.Quarantine, 10},
		{"demand for at least less than the score's action", []policy.Settings{strict}, 40, &scan.Passthrough{Action: scan.Quarantine, AtLeast: true}, scan.Reject, 10},
		{"demand for at least that of some", []policy.Settings{strict, lax}, 12, &scan.Passthrough{Action: scan.SoftReject, AtLeast: true}, scan.SoftReject, 30},
		{"demand for more than the score's action", []policy.Settings{strict}, 0, &scan.Passthrough{Action: scan.AddHeader}, scan.AddHeader, 10},
		{"demand for no action", []policy.Settings{strict}, 40, clean, scan.NoAction, 10},
	} {
		conf := policy.DefaultConfig()
		f := demanded(scan.NoAction, mail.Stranger)
		f.Report = &scan.Report{Findings: []scan.Finding{{Symbol: &scan.Symbol{Name: "TEST", Score: c.score}, Strength: 1}}, Passthrough: c.demand}
		f.Recipients = c.rcpts
		v := policy.Decide(&conf, f)
		if v.Action != c.want || v.Required != c.required {
			t.Errorf("%s: got %v, required %v; want %v, %v", c.name, v.Action, v.Required, c.want, c.required)
		}
	}
}

// TestDemandAtLeast wants the score to count where it leads to a severer action than what
// is demanded, and nothing of the demand to be seen then.
func TestDemandAtLeast(t *testing.T) {
	for _, demand := range allActions {
		for _, byScore := range allActions {
			conf := policy.DefaultConfig()
			f := scored(byScore, mail.Stranger)
			f.Report.Passthrough = &scan.Passthrough{Action: demand, Source: "test", Message: "as demanded", AtLeast: true}
			v := policy.Decide(&conf, f)
			if want := max(demand, byScore); v.Action != want {
				t.Errorf("%v demanded, %v by the score: got %v, want %v", demand, byScore, v.Action, want)
			}
			if forced, want := v.Passthrough != nil, byScore <= demand; forced != want {
				t.Errorf("%v demanded, %v by the score: forced is %t, want %t", demand, byScore, forced, want)
			}
			if v.Reply.Code != 0 && strings.Contains(v.Reply.Text, "as demanded") != (byScore <= demand) {
				t.Errorf("%v demanded, %v by the score: the reply is %q", demand, byScore, v.Reply.Text)
			}
			f.Report.Passthrough.AtLeast = false
			if got := policy.Decide(&conf, f).Action; got != demand {
				t.Errorf("%v forced, %v by the score: got %v", demand, byScore, got)
			}
		}
	}
}

func TestNotScanned(t *testing.T) {
	c := policy.DefaultConfig()
	c.ExtendedHeaders = true
	f := demanded(scan.Reject, mail.Stranger)
	f.Report = nil
	if d := cmp.Diff(policy.Verdict{}, policy.Decide(&c, f)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestForeignFields(t *testing.T) {
	h := mail.Header{
		{Name: "X-Spam", Raw: " no"},
		{Name: "Received", Raw: " from x"},
		{Name: "x-spam", Raw: " yes"},
		{Name: "X-Spam-Status", Raw: " No"},
		{Name: "X-SPAMD-Bar", Raw: " /"},
		{Name: "X-Rspamd-Server", Raw: " evil"},
		{Name: "X-Rmilter-Greylist", Raw: " x"},
		{Name: "X-Spammer", Raw: " x"},
		{Name: "X-Mark", Raw: " mine"},
		{Name: "X-Rspamdx", Raw: " not ours"},
		{Name: "X-Spa", Raw: " not ours"},
		{Name: "Not-X-Spam", Raw: " not ours"},
		{Name: "X-SPAM", Raw: ""},
	}
	del := func(name string, i int) policy.Edit {
		return policy.Edit{Kind: policy.DeleteHeader, Index: i, Name: name}
	}
	c := policy.DefaultConfig()
	f := demanded(scan.NoAction, mail.Stranger)
	f.Header = h
	want := []policy.Edit{
		del("X-SPAM", 3), del("X-Spammer", 1), del("X-Rmilter-Greylist", 1), del("X-Rspamd-Server", 1),
		del("X-SPAMD-Bar", 1), del("X-Spam-Status", 1), del("x-spam", 2), del("X-Spam", 1),
	}
	if d := cmp.Diff(want, policy.Decide(&c, f).Edits); d != "" {
		t.Errorf("clean mail (-want +got):\n%s", d)
	}
	c.SpamHeader, c.SpamHeaderValue = "X-MARK", "spam"
	f = demanded(scan.AddHeader, mail.Stranger)
	f.Header = h[8:11]
	want = []policy.Edit{del("X-Mark", 1), {Kind: policy.AddHeader, Name: "X-MARK", Value: "spam"}}
	if d := cmp.Diff(want, policy.Decide(&c, f).Edits); d != "" {
		t.Errorf("other name (-want +got):\n%s", d)
	}
	for _, trust := range allTrusts {
		c := policy.DefaultConfig()
		f := demanded(scan.NoAction, trust)
		f.Header = mail.Header{{Name: "X-Spam", Raw: " yes"}}
		if d := cmp.Diff([]policy.Edit{del("X-Spam", 1)}, policy.Decide(&c, f).Edits); d != "" {
			t.Errorf("trust %v (-want +got):\n%s", trust, d)
		}
	}
}

// A message with more fields to delete than an MTA can be asked for is refused where
// it may be.
func TestForeignFlood(t *testing.T) {
	flood := make(mail.Header, 1001)
	for i := range flood {
		flood[i] = mail.Field{Name: "X-Spam", Raw: " no"}
	}
	for _, c := range []struct {
		trust mail.Trust
		n     int
		never bool
		want  scan.Action
		edits int
	}{
		{mail.Stranger, 1000, false, scan.NoAction, 1000},
		{mail.Stranger, 1001, false, scan.Reject, 0},
		{mail.Stranger, 1001, true, scan.AddHeader, 1001},
		{mail.TrustedRelay, 1001, false, scan.AddHeader, 1001},
		{mail.Local, 1001, false, scan.AddHeader, 1001},
	} {
		conf := policy.DefaultConfig()
		conf.NeverReject = true
		if !c.never {
			conf.NeverReject = false
		}
		f := demanded(scan.NoAction, c.trust)
		f.Header = flood[:c.n]
		f.Report.Passthrough = nil
		v := policy.Decide(&conf, f)
		if v.Action != c.want || len(v.Edits) != c.edits {
			t.Errorf("%d fields from %v: got %v, %d edits; want %v, %d", c.n, c.trust, v.Action, len(v.Edits), c.want, c.edits)
		}
		if want := "Too many spam header fields [" + id + "]"; v.Action == scan.Reject && v.Reply.Text != want {
			t.Errorf("reply: got %q, want %q", v.Reply.Text, want)
		}
	}
}

func TestExtendedHeaders(t *testing.T) {
	symbol := func(name string, weight float64, details ...string) scan.Finding {
		return scan.Finding{Symbol: &scan.Symbol{Name: name, Score: weight}, Strength: 1, Details: details}
	}
	full := &scan.Report{Took: 212 * time.Millisecond, Findings: []scan.Finding{
		symbol("MIME_GOOD", -0.1, "text/plain"),
		symbol("ZERO", -0.001),
		symbol("RBL_SPAMHAUS_XBL", 4, "203.0.113.7", "x\r\nX-Evil: 1", "ünï"),
		symbol("REPLY", -4),
	}}
	value := "default: False [-0.10 / 15.00]\n" +
		"\tRBL_SPAMHAUS_XBL(4.00)[203.0.113.7, x X-Evil: 1, ?n?]\n" +
		"\tREPLY(-4.00)[]\n" +
		"\tMIME_GOOD(-0.10)[text/plain]\n" +
		"\tZERO(0.00)[]"
	add := func(name, value string) policy.Edit {
		return policy.Edit{Kind: policy.AddHeader, Name: name, Value: value}
	}
	all := []policy.Edit{add("X-Spamd-Result", value), add("X-Rspamd-Server", "mx1.example.com"), add("X-Rspamd-Scan-Time", "0.21"), add("X-Rspamd-Queue-ID", "AB2C9A12409")}
	for _, c := range []struct {
		name  string
		on    bool
		extra bool
		trust mail.Trust
		want  []policy.Edit
	}{
		{"off", false, false, mail.Stranger, nil},
		{"on", true, false, mail.Stranger, all},
		{"on, relay", true, false, mail.TrustedRelay, all},
		{"on, user", true, false, mail.Authenticated, nil},
		{"on, local", true, false, mail.Local, nil},
		{"recipients", false, true, mail.Stranger, all},
		{"recipients, user", false, true, mail.Authenticated, all},
	} {
		conf := policy.DefaultConfig()
		conf.ExtendedHeaders = false
		if c.on {
			conf.ExtendedHeaders = true
		}
		f := demanded(scan.NoAction, c.trust)
		f.Report, f.Extended, f.Hostname, f.Envelope.QueueID = full, c.extra, "mx1.example.com", "AB2C9A12409"
		if d := cmp.Diff(c.want, policy.Decide(&conf, f).Edits); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestExtendedHeadersBounds(t *testing.T) {
	conf := policy.DefaultConfig()
	conf.ExtendedHeaders, conf.NeverReject = true, true
	r := &scan.Report{}
	for i := range 1000 {
		f := scan.Finding{Symbol: &scan.Symbol{Name: fmt.Sprint("SYMBOL_", i, strings.Repeat("X", i)), Score: 1}, Strength: 1}
		for range 100 {
			f.Details = append(f.Details, strings.Repeat("y", 300))
		}
		r.Findings = append(r.Findings, f)
	}
	f := demanded(scan.NoAction, mail.Stranger)
	f.Report = r
	edits := policy.Decide(&conf, f).Edits
	if len(edits) != 3 { // mark, result, time
		t.Fatalf("got %d edits, want 3: %+v", len(edits), edits)
	}
	value := edits[1].Value
	if len(value) > 8000 || !strings.HasPrefix(value, "default: True [1000.00 / 15.00]\n\tSYMBOL_0(1.00)[yyy") {
		t.Errorf("got %d bytes: %.80q", len(value), value)
	}
	for _, line := range strings.Split(value, "\n") {
		if len(line) > 990 {
			t.Errorf("line of %d bytes", len(line))
		}
	}
}

func TestRewriteWithoutSpamHeader(t *testing.T) {
	conf := policy.DefaultConfig()
	conf.SpamAddHeader = false
	got := policy.Decide(&conf, demanded(scan.RewriteSubject, mail.Stranger)).Edits
	want := []policy.Edit{{Kind: policy.ChangeHeader, Index: 1, Name: "Subject", Value: "***SPAM*** hello"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
