package suites

import (
	"slices"
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
)

// An SPFScenario is a zone of the RFC 7208 suite and the cases that it is for.
type SPFScenario struct {
	Name  string
	Cases []SPFCase
	zone  map[string]any
}

// An SPFCase is one question of the suite.
type SPFCase struct {
	Name, Section  string // the section of RFC 7208
	IP, Helo, From string
	Results        []string // any of them is right, in the words of RFC 7208, section 2.6
	Explained      bool     // the case is about the explanation
	Explanation    string   // "" is the receiver's own
}

// SPF reads the suite.
func SPF(t testing.TB) (all []SPFScenario) {
	t.Helper()
	for _, doc := range readYAML(t, Read(t, "spf-rfc7208/test/rfc7208-tests.yml")) {
		s := SPFScenario{Name: text(doc["description"]), zone: mapping(doc["zonedata"])}
		tests := mapping(doc["tests"])
		for _, name := range sorted(tests) {
			f := mapping(tests[name])
			c := SPFCase{Name: name, Section: text(f["spec"]), IP: text(f["host"]), Helo: text(f["helo"]), From: text(f["mailfrom"]), Results: []string{text(f["result"])}}
			if list, ok := f["result"].([]any); ok {
				c.Results = nil
				for _, r := range list {
					c.Results = append(c.Results, text(r))
				}
			}
			_, c.Explained = f["explanation"]
			if c.Explanation = text(f["explanation"]); c.Explanation == "DEFAULT" {
				c.Explanation = ""
			}
			s.Cases = append(s.Cases, c)
		}
		all = append(all, s)
	}
	return all
}

// Wants tells whether a result is right.
func (c *SPFCase) Wants(result string) bool { return slices.Contains(c.Results, result) }

// Serve starts a server with the zone.
func (s *SPFScenario) Serve(t testing.TB) *dnstest.Server {
	t.Helper()
	server := dnstest.Start(t, "")
	for _, name := range sorted(s.zone) {
		records, _ := s.zone[name].([]any)
		has, timeout := map[string]bool{}, false
		for _, rr := range records {
			timeout = timeout || text(rr) == "TIMEOUT"
			for typ := range mapping(rr) {
				has[typ] = true
			}
		}
		// A name with records of type SPF alone has them as TXT (the suite's format).
		asTXT := has["SPF"] && !has["TXT"]
		present := map[string]bool{}
		for _, rr := range records {
			for typ, v := range mapping(rr) {
				if typ == "SPF" && asTXT {
					typ = "TXT"
				}
				if typ == "SPF" || text(v) == "NONE" {
					continue
				}
				present[typ] = true
				addSPF(server, name, typ, v)
			}
		}
		for _, typ := range []string{"TXT", "A", "AAAA", "MX", "PTR"} {
			if timeout && !present[typ] {
				server.Script(strings.ToLower(name), typ, dnstest.Drop)
			}
		}
	}
	return server
}

// addSPF adds a record of the suite to a server.
func addSPF(s *dnstest.Server, name, typ string, v any) {
	switch list, _ := v.([]any); {
	case typ == "TXT" && list != nil:
		var texts []string
		for _, e := range list {
			texts = append(texts, text(e))
		}
		s.AddTXT(name, texts...)
	case typ == "TXT":
		s.AddTXT(name, Cut255(text(v))...)
	case typ == "MX":
		host := text(list[1])
		if host == "" {
			host = "."
		}
		s.Add(name, typ, text(list[0])+" "+host)
	default:
		s.Add(name, typ, text(v))
	}
}
