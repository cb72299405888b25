package ratelimit

import (
	"strings"
	"testing"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/ucl"
)

// read returns the Config of a text of rmilter.conf and what was said about it.
func read(t *testing.T, text string) (Config, string) {
	t.Helper()
	c := DefaultConfig()
	l := &ucl.Loader{}
	b := l.ReadText("rmilter.conf", text)
	root := &ucl.Section{Sections: c.Sections()}
	ucl.Decode(b, root, &l.Diagnostics)
	ucl.Finish(root)
	ucl.Contradictions(root, &l.Diagnostics)
	var said []string
	for _, d := range l.Diagnostics.All() {
		d.Line = ""
		said = append(said, d.String())
	}
	return c, strings.Join(said, "\n")
}

func TestDeclaration(t *testing.T) {
	c := DefaultConfig()
	if err := ucl.Check(&ucl.Section{Sections: c.Sections()}); err != nil {
		t.Error(err)
	}
}

func TestDefaults(t *testing.T) {
	if l := New(DefaultConfig(), Env{}); l.on {
		t.Errorf("some bucket is on by default: %v", l.limits)
	}
	c, said := read(t, "limits { enable = no; user = 10:1; limit_to = 10:1 }")
	if l := New(c, Env{}); l.on || said != "" {
		t.Errorf("enable = no: on = %t, limits %v, said %q", l.on, l.limits, said)
	}
}

func TestConfig(t *testing.T) {
	c, said := read(t, `limits {
		user = "200 / 1h"; limit_to = 20:0.016666667; limit_to_ip = 30:0.025; limit_to_ip_from = 100:0.033333333;
		limit_bounce_to = 5:0.000277778; limit_bounce_to_ip { burst = 5; rate = "1 / 1h" }
	}`)
	if said != "" {
		t.Errorf("said %q", said)
	}
	want := map[string]store.Limit{
		"user":         {Burst: 200, Every: 18 * time.Second},
		"to":           {Burst: 20, Every: 59999999 * time.Microsecond},
		"to_ip":        {Burst: 30, Every: 40 * time.Second},
		"to_ip_from":   {Burst: 100, Every: 30000001 * time.Microsecond},
		"bounce_to":    {Burst: 5, Every: 3599997121 * time.Microsecond},
		"bounce_to_ip": {Burst: 5, Every: time.Hour},
	}
	l := New(c, Env{})
	for i, s := range shapes {
		if got := l.limits[i]; got != want[s.name] {
			t.Errorf("%s: limit %+v, want %+v", s.name, got, want[s.name])
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"limits { limit_bounce_to = 5:1; limit_bounce_addrs = []; }", "rmilter.conf:1:33: warning: limit_bounce_addrs: no mail is a bounce with this empty list, so the limits of bounces have no effect; expected senders such as <>"},
		{"limits { limit_bounce_addrs = []; }", ""},
		{`limits { limit_bounce_addrs = "<>", daemon@example.com; }`, "rmilter.conf:1:10: warning: limit_bounce_addrs: daemon@example.com matches no sender; expected what stands before its @"},
		{"limits { limit_whitelist = ::/0; }", "rmilter.conf:1:10: warning: limit_whitelist: [::]/0 is nearly everybody; expected your own networks, or enable = no"},
		{"limits { limit_ours = yes; limit_whitelist_user = newsletter, @lists.example.com, carol@example.com; }", ""},
	} {
		if _, got := read(t, c.in); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestLimitOf(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		burst, rate float64
		want        store.Limit
	}{
		{200, 200.0 / 3600, store.Limit{Burst: 200, Every: 18 * time.Second}},
		{5, 1.0 / 3600, store.Limit{Burst: 5, Every: time.Hour}},
		{7, 7.0 / 86400, store.Limit{Burst: 7, Every: 12342857143 * time.Microsecond}},
		{1, 1, store.Limit{Burst: 1, Every: time.Second}},
		{2.9, 3, store.Limit{Burst: 2, Every: 333334 * time.Microsecond}},
		{1e9, 1e9, store.Limit{Burst: 1e9, Every: time.Microsecond}},
		{1, 300000, store.Limit{Burst: 1, Every: 4 * time.Microsecond}},
		{1, 1e-300, store.Limit{Burst: 1, Every: 1000 * 24 * time.Hour}},
		{1e9, 1e-9, store.Limit{Burst: 1e9, Every: 100 * year / 1e9 / time.Microsecond * time.Microsecond}},
	} {
		if got := limitOf(ucl.Bucket{Burst: c.burst, Rate: c.rate}); got != c.want {
			t.Errorf("limitOf(%v:%v) = %+v, want %+v", c.burst, c.rate, got, c.want)
		}
	}
}

func FuzzLimitOf(f *testing.F) {
	f.Add(20.0, 0.016666667)
	f.Add(1e9, 1e-12)
	f.Add(500000087.5, 8e-12)
	f.Fuzz(func(t *testing.T, burst, rate float64) {
		if !(burst >= 1 && burst <= 1e9 && rate > 0 && rate <= 1e9) {
			t.Skip("no value of a configuration")
		}
		l := limitOf(ucl.Bucket{Burst: burst, Rate: rate})
		switch every := l.Every.Seconds(); {
		case l.Burst < 1 || float64(l.Burst) > burst:
			t.Errorf("%v:%v has burst %d", burst, rate, l.Burst)
		case l.Every < time.Microsecond || l.Every > maxEvery || l.Every%time.Microsecond != 0:
			t.Errorf("%v:%v has a piece each %v", burst, rate, l.Every)
		case time.Duration(l.Burst) > maxFull/l.Every:
			t.Errorf("%v:%v is full after more than %v: %+v", burst, rate, maxFull, l)
		case every > 1.01e-6 && every < min(maxEvery, maxFull/time.Duration(l.Burst)).Seconds()*0.99 && 1/every > rate*1.0000001:
			t.Errorf("%v:%v allows more: a piece each %v", burst, rate, l.Every)
		}
	})
}
