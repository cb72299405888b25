package suites

import (
	"strings"
	"testing"

	"rmilter/internal/dns/dnstest"
)

// An ARCScenario is a set of keys of the ARC validation suite and the cases that they are
// for.
type ARCScenario struct {
	Keys  map[string]string // records by name
	Cases []ARCCase
}

// An ARCCase is one message of the suite.
type ARCCase struct {
	Name    string
	Message string // with LF
	Status  string // none, pass or fail; "" when the suite wants none of them
}

// ARC reads the suite.
func ARC(t testing.TB) (all []ARCScenario) {
	t.Helper()
	for _, doc := range readYAML(t, Read(t, "arc/tests/arc-draft-validation-tests.yml")) {
		s := ARCScenario{Keys: map[string]string{}}
		for name, record := range mapping(doc["txt-records"]) {
			s.Keys[name] = text(record)
		}
		tests := mapping(doc["tests"])
		for _, name := range sorted(tests) {
			f := mapping(tests[name])
			if _, ok := f["message"]; !ok {
				t.Fatalf("%s has no message", name)
			}
			s.Cases = append(s.Cases, ARCCase{name, text(f["message"]), strings.ToLower(text(f["cv"]))})
		}
		all = append(all, s)
	}
	return all
}

// Serve starts a server with the keys.
func (s *ARCScenario) Serve(t testing.TB) *dnstest.Server {
	t.Helper()
	return serveTXT(t, s.Keys)
}

// serveTXT starts a server with TXT records.
func serveTXT(t testing.TB, records map[string]string) *dnstest.Server {
	t.Helper()
	server := dnstest.Start(t, "")
	for name, record := range records {
		server.AddTXT(name, Cut255(record)...)
	}
	return server
}
