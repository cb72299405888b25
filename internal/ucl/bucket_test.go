package ucl

import (
	"math"
	"testing"
)

func TestBucket(t *testing.T) {
	for _, c := range []struct {
		in          string
		burst, rate float64
		want        string // as written
	}{
		{"20:0.016666667", 20, 0.016666667, "20:0.016666667"},
		{"30:0.025", 30, 0.025, `"30 / 20m"`},
		{"20.5:1", 20.5, 1, "20.5:1"},
		{"0:0", 0, 0, "0:0"},
		{"20:0", 20, 0, "20:0"},
		{"0:0.5", 0, 0.5, "0:0.5"},
		{`"100 / 1h"`, 100, 100.0 / 3600, `"100 / 1h"`},
		{`"100/1h"`, 100, 100.0 / 3600, `"100 / 1h"`},
		{"100 / 1h", 100, 100.0 / 3600, `"100 / 1h"`},
		{"100/60min", 100, 100.0 / 3600, `"100 / 1h"`},
		{"5 / 1d", 5, 5.0 / 86400, `"5 / 1d"`},
		{"5 / 90s", 5, 5.0 / 90, `"5 / 90s"`},
		{"5 / 500ms", 5, 10, "5:10"},
		{"0 / 1h", 0, 0, "0:0"},
		{`{ burst = 20; rate = "1 / 1min" }`, 20, 1.0 / 60, `"20 / 20m"`},
		{`{ rate = 0.025, burst = 30 }`, 30, 0.025, `"30 / 20m"`},
		{`{"burst": 5, "rate": "0 / 1h"}`, 5, 0, "5:0"},
		{"1:0.000277778", 1, 0.000277778, "1:0.000277778"},
		{"1000000 / 1ms", 1e6, 1e9, "1000000:1000000000"},
		{"1000000000:1000000000", 1e9, 1e9, `"1000000000 / 1s"`},
	} {
		var b Bucket
		if got := set(t, &b, c.in); got != c.want || b.Burst != c.burst || b.Rate != c.rate {
			t.Errorf("%s: got %s, %v per second, want %s, %v", c.in, got, b.Rate, c.want, c.rate)
		}
		var again Bucket
		if set(t, &again, c.want); again != b {
			t.Errorf("%s is written as %s, which is then read as %v", c.in, c.want, again)
		}
		if b.Off() != (c.burst == 0 || c.rate == 0) {
			t.Errorf("%s: Off is %v", c.in, b.Off())
		}
	}
}

func TestBucketFaults(t *testing.T) {
	const form = ` is not a limit; expected BURST:RATE as in 20:0.0166, or a number in a time as in "100 / 1h"`
	for in, want := range map[string]string{
		"20":                        `"20"` + form,
		"20:":                       `"20:"` + form,
		":1":                        `":1"` + form,
		"-20:1":                     `"-20:1"` + form,
		"20:-1":                     `"20:-1"` + form,
		"20:1e3":                    `"20:1e3"` + form,
		"Inf:1":                     `"Inf:1"` + form,
		"20:NaN":                    `"20:NaN"` + form,
		"0x10:1":                    `"0x10:1"` + form,
		"20:1:2":                    `"20:1:2"` + form,
		"x / 1h":                    `"x / 1h"` + form,
		"/ 1h":                      `"/ 1h"` + form,
		"1000000001:1":              `"1000000001" is too large; expected at most 1000000000`,
		"1:1000000001":              `"1000000001" is too large; expected at most 1000000000`,
		"1000000000 / 1ms":          `"1000000000 / 1ms" is a rate of 1000000000000 in a second; expected at most 1000000000`,
		"{ rate = 2000000 / 1ms }":  `"2000000 / 1ms" is a rate of 2000000000 in a second; expected at most 1000000000`,
		"0.5:1":                     `a burst of 0.5 lets no message through; expected 1 or more, or 0 for no limit`,
		"100 / 60":                  `the time 60 has no unit; expected ms, s, m, h, d or w: did you mean 60s?`,
		"100 / h":                   `"h" is not a time; expected a number with ms, s, m, h, d or w as in 30s`,
		"100 /":                     `"" is not a time; expected a number with ms, s, m, h, d or w as in 30s`,
		"100 / 0":                   `a limit in no time; expected a time such as 1h after the /`,
		"100 / 0s":                  `a limit in no time; expected a time such as 1h after the /`,
		"100 / 1h / 1h":             `"1h / 1h" is not a time; expected one number with one unit as in 90s`,
		"1, 2":                      `a list of 2 values; expected one value (a fraction has a point, as in 1.2)`,
		"{ burst = 1 }":             `a limit without burst or rate; expected both`,
		"{ }":                       `a limit without burst or rate; expected both`,
		"{ burst = 1; brust = 1 }":  `unknown word "brust"; expected burst and rate`,
		"{ burst = 1; burst = 1 }":  `a second burst; expected one`,
		"{ burst = x; rate = 1 }":   `"x"` + form,
		"{ burst = 1; rate = [] }":  `an empty list; expected one value`,
		"{ burst = 1; rate = 1/h }": `"h" is not a time; expected a number with ms, s, m, h, d or w as in 30s`,
	} {
		b := Bucket{7, 8}
		if got := set(t, &b, in); got != "ERR "+want {
			t.Errorf("%s:\n got %s\nwant ERR %s", in, got, want)
		}
		if b != (Bucket{7, 8}) {
			t.Errorf("%s: got %v after an error", in, b)
		}
	}
}

func TestBucketDecode(t *testing.T) {
	var b Bucket
	s := &Section{Options: []Option{{Name: "user", Value: &b}}}
	var ds Diagnostics
	Decode(read(t, "user { burst = 5; rate = 1 }"), s, &ds)
	if got := remarks(&ds); got != "" || b != (Bucket{5, 1}) {
		t.Errorf("got %v, remarks %s", b, got)
	}
	Decode(read(t, "user \"x\" { burst = 5; rate = 1 }\nuser {\n burst = 5;\n rate = -1 }"), s, &ds)
	want := "t.conf:1:1: user is a directive; expected user = VALUE instead of a section\n    user \"x\" { burst = 5; rate = 1 }\n" +
		"t.conf:4:9: user: \"-1\" is not a limit; expected BURST:RATE as in 20:0.0166, or a number in a time as in \"100 / 1h\"\n    rate = -1 }"
	if got := remarks(&ds); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzBucket(f *testing.F) {
	for _, s := range []string{"20:0.016666667", "100 / 1h", "1:1000000000", "3 / 7s", "1 / 290w", "0.5:1", "1000000000 / 1ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b Bucket
		if b.Set(TextNode(text), false) != nil {
			return
		}
		if !(b.Burst >= 0 && b.Rate >= 0) || math.IsInf(b.Burst, 0) || math.IsInf(b.Rate, 0) {
			t.Fatalf("%q is read as %v", text, b)
		}
		l := &Loader{}
		var again Bucket
		if err := again.Set(l.ReadText("t", "x = "+b.String()).Directives[0].Value, false); err != nil || again != b {
			t.Errorf("%q is written as %s, which is then read as %v, %v", text, b, again, err)
		}
	})
}
