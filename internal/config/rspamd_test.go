package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/ucl"
)

// texts returns the severities and texts of remarks.
func texts(remarks []ucl.Diagnostic) []string {
	var list []string
	for _, r := range remarks {
		list = append(list, r.Severity.String()+": "+r.Text)
	}
	return list
}

// TestRspamdSections loads every section of rspamd's, with and without a name.
func TestRspamdSections(t *testing.T) {
	names := append(modules(), "classifier", "groups", "lang_detection", "logging", "modules", "options")
	own := []string{"antivirus", "dkim_signing", "greylist", "known_senders", "ratelimit"} // have one of rmilter's in their place
	for _, name := range names {
		for _, key := range []string{"", ` "x"`} {
			_, remarks, err := load(files("/etc/rmilter.conf", name+key+" { servers = [a, b]; inner \"y\" { symbol = X; score = 5; } }\n"+name+key+" { }"))
			if err != nil {
				t.Errorf("%s%s: %v", name, key, err)
				continue
			}
			got := texts(remarks)
			if slices.Contains(own, name) {
				if len(got) != 2 || !strings.Contains(got[0], "warning: "+name+" has no effect: a module of rspamd; use ") {
					t.Errorf("%s%s: got %v", name, key, got)
				}
				continue
			}
			if want := []string{"notice: section " + name + ": not served by this version"}; !slices.Equal(got, want) {
				t.Errorf("%s%s: got %v, want %v", name, key, got, want)
			}
		}
	}
}

// TestUnservedWorkers has the options of rspamd's workers in blocks that nobody serves.
func TestUnservedWorkers(t *testing.T) {
	const options = "bind_socket = \"*:11333\"; count = 4; max_tasks = 100; mime = true; task_timeout = 8s; keypair { pubkey = x; privkey = y; } milter = yes; timeout = 120s; upstream \"local\" { default = yes; self_scan = yes; }"
	for _, kind := range []string{"rspamd_proxy", "fuzzy", "hs_helper"} {
		for _, in := range []string{
			"worker \"" + kind + "\" { " + options + " }",
			"worker { type = \"" + kind + "\"; " + options + " }",
			"worker { " + options + " .include \"$CONFDIR/worker-" + strings.TrimPrefix(kind, "rspamd_") + ".inc\"\n}",
		} {
			_, remarks, err := load(files("/etc/rmilter.conf", in))
			want := []string{"notice: section worker \"" + kind + "\": not served by this version"}
			if got := texts(remarks); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: got %v, error %v, want %v", in, got, err, want)
			}
		}
	}
}

// TestNormalWorker has the options of rspamd's scanner in its three ways.
func TestNormalWorker(t *testing.T) {
	const options = "bind_socket = \"*:11333\"; count = 4; max_tasks = 100; mime = true; task_timeout = 8s; keypair { pubkey = x; privkey = y; } timeout = 120s;"
	for _, in := range []string{
		"worker \"normal\" { " + options + " }",
		"worker { type = normal; " + options + " }",
		"worker { " + options + " .include \"$CONFDIR/worker-normal.inc\"\n}",
	} {
		c, remarks, err := load(files("/etc/rmilter.conf", in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		want := []string{
			"warning: bind_socket: *:11333 can be reached from other machines, and there is no password: who connects can pass for any user; expected a socket of 127.0.0.1, or a firewall",
			"warning: count has no effect: one process serves all",
			"warning: max_tasks has no effect: the number of connections is bounded by itself",
			"warning: mime has no effect: messages are always MIME, unless the client says otherwise",
			"warning: task_timeout has no effect: each request has its own time limit",
			"warning: keypair has no effect: HTTPCrypt is not spoken",
			"warning: timeout has no effect: each request has its own time limit",
		}
		if diff := cmp.Diff(want, texts(remarks)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
		if got := c.Server.NormalSockets(); len(got) != 1 || got[0].String() != "*:11333" || got[0].Default {
			t.Errorf("%s: got sockets %v", in, got)
		}
	}
}

func TestMetric(t *testing.T) {
	for _, c := range []struct {
		in     string
		values string // thresholds of greylist, add_header and reject, and the subject
		want   []string
	}{
		{`metric "default" { actions { reject = 20; "add header" = 7; greylist = 3; } subject = "[S] %s"; }`, `3 7 20 "[S] %s"`, nil},
		{`metric { name = "default"; actions { reject = 20; } }`, `4 6 20 "***SPAM*** %s"`, nil},
		{`metric { default { actions { reject = 20; } } }`, `4 6 20 "***SPAM*** %s"`, nil},
		{`metric { actions { reject = 20; } actions { greylist = 2 } }`, `2 6 20 "***SPAM*** %s"`, nil},
		{`metric "default" { }`, `4 6 15 "***SPAM*** %s"`, nil},
		{`metric "default" { actions { reject = 20; } group "header" { symbol "X" { weight = 1.0; } } group "y" { } }`, `4 6 20 "***SPAM*** %s"`, nil},
		{`metric "default" { unknown_weight = 1.0; grow_factor = 1.1; symbol "X" { weight = 1; } }`, `4 6 15 "***SPAM*** %s"`, []string{
			`notice: unknown_weight, grow_factor in section metric "default": not served by this version`}},
		{`metric "other" { actions { reject = 20; } }`, `4 6 15 "***SPAM*** %s"`, []string{`warning: metric "other" has no effect: there is one metric, "default"`}},
		{"metric \"default\" { actions { reject = 20; } }\nactions { reject = 12; }", `4 6 12 "***SPAM*** %s"`, []string{"warning: reject was set before in line 1; this line replaces that one"}},
	} {
		conf, remarks, err := load(files("/etc/rmilter.conf", c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		var values []string
		for _, name := range []string{"greylist", "add_header", "reject", "subject"} {
			values = append(values, conf.option("actions "+name).Value.String())
		}
		if got := strings.Join(values, " "); got != c.values {
			t.Errorf("%s: got %s, want %s", c.in, got, c.values)
		}
		if diff := cmp.Diff(c.want, texts(remarks)); diff != "" {
			t.Errorf("%s: remarks (-want +got):\n%s", c.in, diff)
		}
	}
	c, _, err := load(files("/etc/rmilter.conf", `metric "default" { actions { reject = 20; } }`, "/etc/rmilter.conf.local.override", "actions { greylist = 3; }"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.option("actions reject").Value.String(); got != "15" {
		t.Errorf("the override left reject = %s of the metric, want the default", got)
	}
}

func TestOtherWords(t *testing.T) {
	c, remarks, err := load(files("/etc/rmilter.conf", "whitelist { rules { x { valid_spf = true } } }\nwhitelist = postmaster;\nmemcached { servers_grey = localhost; }"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"notice: section whitelist: not served by this version",
		"warning: memcached is read as redis: its servers must speak Redis; expected redis { }",
	}
	got := texts(remarks)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("remarks (-want +got):\n%s", diff)
	}
	if c.Filter.Whitelist.String() != "postmaster" || c.Redis.ServersGrey.String() != "localhost" {
		t.Errorf("got whitelist %s and servers_grey %s", c.Filter.Whitelist, c.Redis.ServersGrey)
	}
}

// TestBuiltinIncludes includes every file of rspamd's that need not be there.
func TestBuiltinIncludes(t *testing.T) {
	var b strings.Builder
	for name := range builtin() {
		b.WriteString(".include \"$CONFDIR/" + name + "\"\n.include \"$CONFDIR/scores.d/" + name + "\"\n")
	}
	mustLoad(t, b.String())
	if _, _, err := load(files("/etc/rmilter.conf", ".include \"$CONFDIR/spf.conf\"")); err == nil {
		t.Error("a missing file is taken for one that is built in")
	}
}
