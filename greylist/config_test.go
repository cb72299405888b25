package greylist_test

import (
	"strings"
	"testing"

	"rmilter/greylist"
	"rmilter/internal/ucl"
)

// load reads a section and returns what is told about it.
func load(c *greylist.Config, text string) string {
	var l ucl.Loader
	top := &ucl.Section{Sections: c.Sections()}
	ucl.Decode(l.ReadText("x", text), top, &l.Diagnostics)
	ucl.Finish(top)
	ucl.Contradictions(top, &l.Diagnostics)
	var told []string
	for _, d := range l.Diagnostics.All() {
		told = append(told, d.Text)
	}
	return strings.Join(told, "|")
}

func TestConfig(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"timeout = 10m; expire = 2d; expire_white = 60d; warmup = 0; whitelist = 192.0.2.0/24; greylisted_message = x; enable = no;": "",
		"timeout = 0; expire = 0;":    "",
		"timeout = 1h; expire = 30m;": "expire: with expire = 30m and timeout = 1h nobody passes, as each is forgotten before its time is over; expected an expire that is longer",
		"timeout = 2d;":               "timeout: with expire = 1d and timeout = 2d nobody passes, as each is forgotten before its time is over; expected an expire that is longer",
		"timeout = 20y;":              "timeout: 7300d is out of range; expected 0s to 3650d",
		"whitelist = 0.0.0.0/0;":      "whitelist: 0.0.0.0/0 is nearly everybody; expected your own networks, or enable = no",
		"whitelist_rcpt = sales, alice@example.com, @example.org;":                           "",
		"whitelist_domain = example.com, @example.org, *.example.net, .Sub.Example.com., a;": "",
		"whitelist_domain = \"exa mple.com\";":                                               `whitelist_domain: "exa mple.com" is not a domain; expected one such as example.com`,
		"whitelist_domain = \"joe@example.com\";":                                            `whitelist_domain: "joe@example.com" is not a domain; expected one such as example.com`,
		"whitelist_domain = \"bücher.example\";":                                             `whitelist_domain: "bücher.example" is not ASCII; expected its xn-- form`,
		"whitelist_domain = \"\", \"@\";":                                                    `whitelist_domain: "" is not a domain; expected one such as example.com|whitelist_domain: "@" is not a domain; expected one such as example.com`,
		"awl_enable = yes;":                                                                  "awl_enable has no effect: a client that passed is known for expire_white",
	} {
		c := greylist.DefaultConfig()
		if got := load(&c, "greylisting { "+in+" }"); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestDomains(t *testing.T) {
	c := greylist.DefaultConfig()
	if told := load(&c, "greylisting { whitelist_domain = Example.COM., @example.org; whitelist_domain += *.example.net; }"); told != "" {
		t.Fatal(told)
	}
	if got, want := c.WhitelistDomain.String(), "example.com, example.org, example.net"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
