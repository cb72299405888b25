package dnstest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	miekg "github.com/miekg/dns"
)

// defaultTTL is the TTL of records without one, in seconds.
const defaultTTL = 300

// maxChain is how many aliases an answer holds; a loop ends there.
const maxChain = 20

// records are what a server knows: by name in lower case without the final dot, by type.
type records map[string]map[uint16][]miekg.RR

// add reads one record in text form.
func (z records) add(name, typ string, ttl uint32, data string) error {
	name = plain(name)
	h := miekg.RR_Header{Name: wire(name), Class: miekg.ClassINET, Ttl: ttl, Rrtype: miekg.StringToType[strings.ToUpper(typ)]}
	fields := strings.Fields(data)
	if h.Rrtype == 0 {
		return fmt.Errorf("%s: unknown type %q", name, typ)
	}
	rr, err := record(h, data, fields)
	if err != nil {
		return fmt.Errorf("%s %s: %v", name, typ, err)
	}
	z.put(name, rr)
	return nil
}

// record builds a record out of its data.
func record(h miekg.RR_Header, data string, fields []string) (miekg.RR, error) {
	switch h.Rrtype {
	case miekg.TypeTXT:
		texts, err := quoted(data)
		return &miekg.TXT{Hdr: h, Txt: texts}, err
	case miekg.TypeA, miekg.TypeAAAA:
		a, err := netip.ParseAddr(strings.TrimSpace(data))
		if err != nil || a.Is4() != (h.Rrtype == miekg.TypeA) {
			return nil, fmt.Errorf("%q is not an address of that type", data)
		}
		if a.Is4() {
			return &miekg.A{Hdr: h, A: a.AsSlice()}, nil
		}
		return &miekg.AAAA{Hdr: h, AAAA: a.AsSlice()}, nil
	case miekg.TypeMX:
		if len(fields) != 2 {
			return nil, fmt.Errorf("%q is not a preference and a host", data)
		}
		n, err := strconv.ParseUint(fields[0], 10, 16)
		return &miekg.MX{Hdr: h, Preference: uint16(n), Mx: wire(plain(fields[1]))}, err
	case miekg.TypeCNAME, miekg.TypePTR, miekg.TypeNS:
		if len(fields) != 1 {
			return nil, fmt.Errorf("%q is not a name", data)
		}
		target := wire(plain(fields[0]))
		switch h.Rrtype {
		case miekg.TypeCNAME:
			return &miekg.CNAME{Hdr: h, Target: target}, nil
		case miekg.TypePTR:
			return &miekg.PTR{Hdr: h, Ptr: target}, nil
		}
		return &miekg.NS{Hdr: h, Ns: target}, nil
	case miekg.TypeSOA:
		n, err := strconv.ParseUint(strings.TrimSpace(data), 10, 32)
		return soa(h, uint32(n)), err
	}
	return miekg.NewRR(h.String() + data)
}

// soa returns a record of which only the minimum matters.
func soa(h miekg.RR_Header, minimum uint32) *miekg.SOA {
	return &miekg.SOA{Hdr: h, Ns: "ns.invalid.", Mbox: "hostmaster.invalid.", Serial: 1, Refresh: 1, Retry: 1, Expire: 1, Minttl: minimum}
}

func (z records) put(name string, rr miekg.RR) {
	if z[name] == nil {
		z[name] = map[uint16][]miekg.RR{}
	}
	t := rr.Header().Rrtype
	z[name][t] = append(z[name][t], rr)
}

// load reads lines of NAME [TTL] TYPE DATA.
func (z records) load(text string) error {
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest := word(line)
		typ, data := word(rest)
		ttl := uint64(defaultTTL)
		if v, err := strconv.ParseUint(typ, 10, 32); err == nil {
			ttl = v
			typ, data = word(data)
		}
		if err := z.add(name, typ, uint32(ttl), data); err != nil {
			return fmt.Errorf("line %d: %v", n+1, err)
		}
	}
	return nil
}

func word(s string) (first, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// quoted reads the strings of a TXT record: "a" "b", or one text without quotation marks
// which is cut into strings of 255 bytes. A quotation mark or backslash within quotes
// has a backslash before it. The result is escaped for the library.
func quoted(data string) ([]string, error) {
	var texts []string
	if !strings.HasPrefix(data, `"`) {
		for len(data) > 255 {
			texts = append(texts, escape(data[:255]))
			data = data[255:]
		}
		return append(texts, escape(data)), nil
	}
	for data = strings.TrimSpace(data); data != ""; data = strings.TrimSpace(data) {
		if data[0] != '"' {
			return nil, fmt.Errorf("%q follows a string without a quotation mark", data)
		}
		var b strings.Builder
		i := 1
		for ; i < len(data) && data[i] != '"'; i++ {
			if data[i] == '\\' && i+1 < len(data) {
				i++
			}
			b.WriteByte(data[i])
		}
		if i >= len(data) {
			return nil, fmt.Errorf("a string without end")
		}
		if b.Len() > 255 {
			return nil, fmt.Errorf("a string of %d bytes; a string has at most 255", b.Len())
		}
		texts = append(texts, escape(b.String()))
		data = data[i+1:]
	}
	return texts, nil
}

// escape writes any bytes as the library wants the strings of a TXT record.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// plain returns a name in lower case without the final dot.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// wire returns a name for the library, which takes every byte but the backslash as it is.
func wire(name string) string { return name + "." }

// at returns the records of a name, or of the wildcard that covers it (RFC 4592).
func (z records) at(name string) (map[uint16][]miekg.RR, bool) {
	if set, ok := z[name]; ok || z.exists(name) {
		return set, true
	}
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return nil, false
		}
		if set, ok := z["*."+parent]; ok {
			return set, true
		}
		if z.exists(parent) {
			return nil, false
		}
		name = parent
	}
}

// exists tells whether there is a name or one below it.
func (z records) exists(name string) bool {
	if _, ok := z[name]; ok {
		return true
	}
	for other := range z {
		if strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

// soaOf returns the SOA record of the zone that a name is in, a made one of 60 s of the
// root if there is none.
func (z records) soaOf(name string) miekg.RR {
	for {
		if list := z[name][miekg.TypeSOA]; len(list) > 0 {
			return list[0]
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return soa(miekg.RR_Header{Name: ".", Class: miekg.ClassINET, Ttl: 60, Rrtype: miekg.TypeSOA}, 60)
		}
		name = parent
	}
}

// answer fills in what the records say to the question of m. With cut, an alias is all
// that is said of its name.
func (z records) answer(m *miekg.Msg, o Options) {
	q := m.Question[0]
	name := question(q.Name)
	for range maxChain {
		set, ok := z.at(name)
		if !ok {
			m.Rcode = miekg.RcodeNameError
			break
		}
		if list := set[q.Qtype]; len(list) > 0 {
			for _, rr := range list {
				rr = miekg.Copy(rr)
				rr.Header().Name = owner(name, q)
				m.Answer = append(m.Answer, rr)
			}
			return
		}
		alias := set[miekg.TypeCNAME]
		if len(alias) == 0 {
			break
		}
		rr := miekg.Copy(alias[0]).(*miekg.CNAME)
		rr.Hdr.Name = owner(name, q)
		m.Answer = append(m.Answer, rr)
		name = question(rr.Target)
		if o.CutAliases {
			return
		}
	}
	if !o.NoSOA {
		m.Ns = append(m.Ns, z.soaOf(name))
	}
}

// question returns a name that the library read in the form of the records.
func question(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+1 < len(name) {
			i++
		}
		b.WriteByte(name[i])
	}
	return plain(b.String())
}

// owner returns the name that a record gets: that of the question with its capitals.
func owner(name string, q miekg.Question) string {
	if question(q.Name) == name {
		return q.Name
	}
	return wire(name)
}
