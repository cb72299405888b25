package authres_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/authres"
)

// reader is a program for Debian's package python3-authres: it reads fields, one in a
// line of JSON each, and prints what it has understood.
const reader = `
import json, sys
import authres
from authres import arc, dmarc
features = authres.FeatureContext(arc, dmarc)
for line in sys.stdin:
    h = features.parse(json.loads(line))
    print(json.dumps({"id": h.authserv_id, "results": [
        {"method": r.method, "value": r.result, "reason": r.reason or "",
         "props": [[p.type, p.name, p.value] for p in r.properties]} for r in h.results]}))
`

// TestPythonReads has another parser read what we write.
func TestPythonReads(t *testing.T) {
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import authres").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("python3-authres is missing: %v\n%s", err, out)
		}
		t.Skip("Debian's package python3-authres is missing")
	}
	odd := authres.Header{ID: "mx.example.com", Results: []authres.Result{
		{Method: "spf", Value: "fail", Comment: "a; (b) \\ c", Reason: `say (no); never`, Props: []authres.Prop{{"smtp", "mailfrom", "a b@example.org"}}},
		{Method: "dkim", Value: "neutral", Props: []authres.Prop{{"header", "d", "xn--bcher-kva.example"}, {"header", "b", "="}}},
	}}
	headers := []authres.Header{full(), odd, {ID: "mx.example.com"}, {ID: "localhost"}}
	var in strings.Builder
	for _, h := range headers {
		line, err := json.Marshal(authres.Name + ": " + h.Format())
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", reader)
	cmd.Stdin = strings.NewReader(in.String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(headers) {
		t.Fatalf("got %d answers, want %d", len(lines), len(headers))
	}
	for i, line := range lines {
		var got struct {
			ID      string
			Results []struct {
				Method, Value, Reason string
				Props                 [][3]string
			}
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		back := authres.Header{ID: got.ID}
		for _, r := range got.Results {
			res := authres.Result{Method: r.Method, Value: r.Value, Reason: r.Reason}
			for _, p := range r.Props {
				res.Props = append(res.Props, authres.Prop{p[0], p[1], p[2]})
			}
			back.Results = append(back.Results, res)
		}
		// That parser keeps no comments.
		want := authres.Header{ID: headers[i].ID}
		for _, r := range headers[i].Results {
			r.Comment = ""
			want.Results = append(want.Results, r)
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Errorf("%s\nwas read otherwise: -want +got\n%s", headers[i].Format(), diff)
		}
	}
}
