package dns

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"
)

const testID = 4711

// packed returns an answer with these records.
func packed(t testing.TB, q question, change func(*miekg.Msg), answer ...string) []byte {
	t.Helper()
	m := new(miekg.Msg)
	m.SetQuestion(q.name+".", uint16(q.typ))
	m.Id, m.Response = testID, true
	for _, text := range answer {
		rr, err := miekg.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	if change != nil {
		change(m)
	}
	m.Compress = true
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRead has answers that are odd or hostile.
func TestRead(t *testing.T) {
	q := question{"example.org", TypeTXT}
	rr := func(text string) miekg.RR {
		r, err := miekg.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	many := make([]string, 2001)
	for i := range many {
		many[i] = `example.org. 1 IN TXT "x"`
	}
	for name, c := range map[string]struct {
		wire []byte
		want string // of the records, or the error
	}{
		"other names and types": {packed(t, q, nil, `example.net. 1 IN TXT "no"`, `example.org. 1 IN A 192.0.2.1`, `EXAMPLE.org. 1 IN TXT "yes"`), "yes"},
		"another class":         {packed(t, q, nil, `example.org. 1 CH TXT "no"`, `example.org. 1 IN TXT "yes"`), "yes"},
		"records below an alias": {packed(t, q, nil, `a.example. 1 IN TXT "yes"`, `example.org. 1 IN CNAME b.example.`,
			`example.org. 1 IN TXT "no"`, `b.example. 1 IN CNAME a.example.`), "yes"},
		"no data":                           {packed(t, q, nil), "no data"},
		"not there":                         {packed(t, q, func(m *miekg.Msg) { m.Rcode = 3 }), "not found"},
		"an empty text":                     {packed(t, q, nil, `example.org. 1 IN TXT ""`), ""},
		"too many":                          {packed(t, q, nil, many...), "2001 records"},
		"as many as may":                    {packed(t, q, nil, many[:2000]...), strings.Repeat("x", 2000)},
		"a query":                           {packed(t, q, func(m *miekg.Msg) { m.Response = false }), "not an answer"},
		"an update":                         {packed(t, q, func(m *miekg.Msg) { m.Opcode = miekg.OpcodeUpdate }), "not an answer"},
		"no question":                       {packed(t, q, func(m *miekg.Msg) { m.Question = nil }), "not an answer"},
		"nothing found, without a question": {packed(t, q, func(m *miekg.Msg) { m.Question, m.Rcode = nil, 3 }), "not an answer"},
		"two questions":                     {packed(t, q, func(m *miekg.Msg) { m.Question = append(m.Question, m.Question[0]) }), "not an answer"},
		"another class asked":               {packed(t, q, func(m *miekg.Msg) { m.Question[0].Qclass = 3 }), "not an answer"},
		"refused, only the header":          {packed(t, q, func(m *miekg.Msg) { m.Question, m.Rcode = nil, 5 }), "refused"},
		"an odd code":                       {packed(t, q, func(m *miekg.Msg) { m.Rcode = 9 }), "server failed: RCODE9"},
		"a referral":                        {packed(t, q, func(m *miekg.Msg) { m.Ns = append(m.Ns, rr("org. 1 IN NS ns.example.")) }), "server failed: a referral"},
		"no data of a recursive server":     {packed(t, q, func(m *miekg.Msg) { m.RecursionAvailable = true; m.Ns = append(m.Ns, rr("org. 1 IN NS ns.example.")) }), "no data"},
		"an alias to itself":                {packed(t, q, nil, `example.org. 1 IN CNAME example.org.`), "aliases without end"},
		"cut":                               {packed(t, q, func(m *miekg.Msg) { m.Truncated = true }, `example.org. 1 IN TXT "x"`), "tc"},
	} {
		r, err := read(c.wire, q, testID)
		got := ""
		switch {
		case err != nil:
			got = err.Error()
		case r.tc:
			got = "tc"
		case r.verdict() != nil:
			v := r.verdict()
			got = string(v.Kind)
			if v.Err != nil {
				got += ": " + v.Err.Error()
			}
		case r.RCode == RCodeNXDomain:
			got = "not found"
		case r.Len() == 0:
			got = "no data"
		default:
			got = strings.Join(r.Texts, "")
		}
		if !strings.HasPrefix(got, c.want) || (c.want == "" && got != "") {
			t.Errorf("%s: got %.100q, want %.100q", name, got, c.want)
		}
	}
	for i, wire := 0, packed(t, q, nil, `example.org. 1 IN TXT "x"`, `example.org. 1 IN TXT "y"`); i < len(wire); i++ {
		if r, err := read(wire[:i], q, testID); err == nil && !r.tc {
			t.Errorf("the first %d of %d bytes are an answer: %+v", i, len(wire), r)
		}
	}
}

// TestWorst reads answers of 64 KB that are as bad as can be and bounds what is kept.
func TestWorst(t *testing.T) {
	q := question{"a.example", TypePTR}
	head := packed(t, q, nil)
	label := "\x3f" + strings.Repeat("\x01", 63)
	long := strings.Repeat(label, 3) + "\x3d" + strings.Repeat("\x02", 61) + "\x00"
	wire := append(bytes.Clone(head), 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1)
	at := len(wire) + 2
	wire = append(binary.BigEndian.AppendUint16(wire, uint16(len(long))), long...)
	n := 1
	for ; n < maxRecords; n++ {
		wire = append(wire, 0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 1, 0, 2, 0xc0|byte(at>>8), byte(at))
	}
	binary.BigEndian.PutUint16(wire[6:], uint16(n))
	r, err := read(wire, q, testID)
	if err != nil || r.Len() != n {
		t.Fatalf("got %v and %v, want %d records", r, err, n)
	}
	c := newCache(100, 16<<20)
	c.put(&entry{question: q, answer: r.Answer})
	if n, size := c.usage(); n != 0 {
		t.Errorf("the cache keeps it in %d bytes", size)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "1.2.0.192.in-addr.arpa", "::ffff:192.0.2.1": "1.2.0.192.in-addr.arpa",
		"2001:db8::1": "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		"fe80::1%lo":  "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa",
	} {
		if got := Reverse(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	if got := Reverse(netip.Addr{}) + ReverseLabels(netip.Addr{}); got != "" {
		t.Errorf("got %q for no address", got)
	}
	for in, want := range map[string]string{
		`A\.b.Example.`: `a\.b.example`, `a\\b.`: `a\\b`, `a\@b.`: `a@b`, `\009.`: `\009`, ".": "", `a\`: `a\`,
	} {
		if got := fromWire(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{`a\"b\\c\000\255`: "a\"b\\c\x00\xff", `\`: `\`, `\25`: "25"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	q := question{"example.org", TypeMX}
	f.Add(packed(f, q, nil, "example.org. 1 IN CNAME a.example.", "a.example. 1 IN MX 10 b.example.", "example.org. 1 IN TXT x"), uint16(TypeMX))
	f.Add(packed(f, question{"example.org", TypeTXT}, nil, `example.org. 1 IN TXT "a" "b\000"`), uint16(TypeTXT))
	f.Add(packed(f, question{"example.org", TypeAAAA}, nil, `example.org. 1 IN AAAA ::1`), uint16(TypeAAAA))
	f.Add(packed(f, q, func(m *miekg.Msg) { m.SetEdns0(1232, true); m.Rcode = 3 }), uint16(TypeMX))
	f.Fuzz(func(t *testing.T, wire []byte, typ uint16) {
		q := question{"example.org", Type(typ)}
		if len(wire) >= 2 {
			binary.BigEndian.PutUint16(wire, testID)
		}
		r, err := read(wire, q, testID)
		if err != nil {
			if strings.Contains(err.Error(), "panic") {
				t.Errorf("%x: %v", wire, err)
			}
			return
		}
		if r.Len() > maxRecords || r.aliases > maxAliases || r.size() > 5<<20 {
			t.Errorf("%x: %d records of %d bytes, %d aliases", wire, r.Len(), r.size(), r.aliases)
		}
		if !r.tc && r.verdict() == nil && r.Len() == 0 && r.RCode == RCodeNoError && binary.BigEndian.Uint16(wire[6:]) == 0 && r.cut {
			t.Errorf("%x: an alias out of nothing", wire)
		}
		for _, n := range append(r.Names, r.Canonical) {
			if n != lower(n) || len(n) > 4*maxName+4 {
				t.Errorf("%x: name %q", wire, n)
			}
		}
	})
}

// FuzzNormalize compares with the library that packs the names.
func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"Example.org.", "_dmarc.a", "a..b", "", ".", strings.Repeat("a", 64), "x\\.y", "sp ace", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		normal, ok := Normalize(name)
		if !ok {
			return
		}
		if again, ok := Normalize(normal); !ok || again != normal {
			t.Errorf("%q: got %q, then %q", name, normal, again)
		}
		wire, err := query(question{normal, TypeA}, 1, true)
		if err != nil {
			t.Fatalf("%q can't be sent: %v", normal, err)
		}
		var m miekg.Msg
		if err := m.Unpack(wire); err != nil || fromWire(m.Question[0].Name) != normal {
			t.Errorf("%q comes back as %v, %v", normal, m.Question, err)
		}
	})
}
