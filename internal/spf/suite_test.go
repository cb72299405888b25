package spf_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
	"rmilter/internal/spf"
)

// deviations are the cases of the suite whose result is another one on purpose, with the
// section of RFC 7208 that it rests on. There are none.
var deviations = map[string]struct{ got, section string }{}

// TestSuite runs the RFC 7208 suite over a real server.
func TestSuite(t *testing.T) {
	docs := readYAML(t, shared(t, "spf-rfc7208/test/rfc7208-tests.yml"))
	total, passed := 0, 0
	for _, doc := range docs {
		t.Run(text(doc["description"]), func(t *testing.T) {
			server := suiteZone(t, doc["zonedata"].(map[string]any))
			res := resolver(t, server)
			tests := doc["tests"].(map[string]any)
			for _, name := range sorted(tests) {
				total++
				c := tests[name].(map[string]any)
				q := ask(text(c["host"]), text(c["helo"]), text(c["mailfrom"]))
				got := spf.Check(t.Context(), res, q)
				if why := compare(c, got); why != "" {
					if d, ok := deviations[name]; ok && d.got == string(got.Code) {
						continue
					}
					t.Errorf("%s (RFC 7208, section %s): %s\n\t%v", name, text(c["spec"]), why, got)
					continue
				}
				passed++
			}
		})
	}
	t.Logf("RFC 7208 suite: %d of %d, %d deviations", passed, total, len(deviations))
	if total != 203 {
		t.Errorf("%d cases, want 203", total)
	}
}

// compare returns what is wrong with a result.
func compare(c map[string]any, got spf.Result) string {
	var want []string
	switch v := c["result"].(type) {
	case string:
		want = []string{v}
	case []any:
		for _, w := range v {
			want = append(want, text(w))
		}
	}
	if !slices.Contains(want, string(got.Code)) {
		return fmt.Sprintf("got %s, want %v", got.Code, want)
	}
	explanation, ok := c["explanation"]
	if !ok {
		return ""
	}
	wantText := text(explanation)
	if wantText == "DEFAULT" {
		wantText = ""
	}
	if got.Explanation != wantText {
		return fmt.Sprintf("got explanation %q, want %q", got.Explanation, wantText)
	}
	return ""
}

// suiteZone starts a server with the zone of a document.
func suiteZone(t *testing.T, zone map[string]any) *dnstest.Server {
	t.Helper()
	s := dnstest.Start(t, "")
	for _, name := range sorted(zone) {
		has := map[string]bool{}
		timeout := false
		records, _ := zone[name].([]any)
		for _, rr := range records {
			r, ok := rr.(map[string]any)
			if !ok {
				timeout = timeout || text(rr) == "TIMEOUT"
				continue
			}
			for typ := range r {
				has[typ] = true
			}
		}
		// A name with records of type SPF alone has them as TXT (the suite's format).
		asTXT := has["SPF"] && !has["TXT"]
		present := map[string]bool{}
		for _, rr := range records {
			r, _ := rr.(map[string]any)
			for typ, v := range r {
				if typ == "SPF" && asTXT {
					typ = "TXT"
				}
				if typ == "SPF" || text(v) == "NONE" {
					continue
				}
				present[typ] = true
				addRecord(s, name, typ, v)
			}
		}
		for _, typ := range []string{"TXT", "A", "AAAA", "MX", "PTR"} {
			if timeout && !present[typ] {
				s.Script(strings.ToLower(name), typ, dnstest.Drop)
			}
		}
	}
	return s
}

func addRecord(s *dnstest.Server, name, typ string, v any) {
	switch typ {
	case "TXT":
		var texts []string
		if list, ok := v.([]any); ok {
			for _, e := range list {
				texts = append(texts, text(e))
			}
		} else {
			for all := text(v); all != "" || len(texts) == 0; {
				n := min(len(all), 255)
				texts = append(texts, all[:n])
				all = all[n:]
			}
		}
		s.AddTXT(name, texts...)
	case "MX":
		list := v.([]any)
		host := text(list[1])
		if host == "" {
			host = "."
		}
		s.Add(name, "MX", text(list[0])+" "+host)
	default:
		s.Add(name, typ, text(v))
	}
}

// text returns a scalar, "" for anything else.
func text(v any) string {
	s, _ := v.(string)
	return s
}

func sorted(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
