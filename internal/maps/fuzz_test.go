package maps

import (
	"net/netip"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// under tells whether a name is what an entry of Domains without wildcards stands for.
func under(entry, name string) bool {
	switch {
	case strings.HasPrefix(entry, "*."):
		return strings.HasSuffix(name, entry[1:]) && name != entry[1:]
	case strings.HasPrefix(entry, "."):
		return name == entry[1:] || strings.HasSuffix(name, entry)
	}
	return name == entry
}

// oracle tells whether something is in a list, by looking at each of its lines.
func oracle(k Kind, text, what string) bool {
	found := false
	each("", k, strings.NewReader(text), func(_ int, _ []byte, l *line) error {
		key := string(l.key)
		a := mail.ParseAddress(what)
		switch {
		case l.blank:
		case l.re != nil:
			q := what
			if k == Addresses {
				q = a.Key()
			}
			field, content, _ := strings.Cut(q, ": ")
			if k == Headers {
				q = content
			}
			list := &reading{list: List{kind: k}}
			list.add(l)
			one, _ := list.finish()
			switch {
			case q == "" && k == Domains:
			case a.IsNull() && k == Addresses:
			case k == Headers:
				_, ok := one.Header(field, content)
				found = found || ok
			default:
				_, ok := one.match("", q)
				found = found || ok
			}
		case k == Networks:
			ip, err := netip.ParseAddr(what)
			found = found || err == nil && l.network.Contains(ip.Unmap().WithZone(""))
		case k == Domains:
			found = found || what != "" && under(key, what)
		case k == Addresses && a.IsNull():
			found = found || key == "<>"
		case k == Addresses:
			local, domain, _ := cutLast(key)
			ext, _, _ := strings.Cut(strings.ToLower(a.Local), "+")
			same := func(local string) bool {
				return local == strings.ToLower(a.Local) || ext != "" && local == ext && !isMailer(a.Local)
			}
			switch {
			case local == "" && domain != "":
				found = found || a.Domain != "" && under(domain, a.Domain)
			case domain == "":
				found = found || a.Local != "" && same(local)
			default:
				found = found || domain == a.Domain && same(local)
			}
		case k == Headers:
			name, content, _ := strings.Cut(what, ": ")
			found = found || l.field == lower(name) && (key == l.field+":" || key == l.field+": "+plain(content))
		case k == Texts:
			found = found || key == plain(what)
		}
		return nil
	})
	return found
}

func isMailer(local string) bool {
	return strings.EqualFold(local, "mailer-daemon") || strings.EqualFold(local, "double-bounce")
}

func cutLast(key string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(key, '@')
	if i < 0 {
		return key, "", false
	}
	return key[:i], key[i+1:], true
}

func FuzzFind(f *testing.F) {
	f.Add(byte(0), "192.0.2.0/24\n2001:db8::/32 5\n", "192.0.2.77")
	f.Add(byte(1), ".example.com\n*.example.org\nexample.net\nm*x.example\n", "a.example.com")
	f.Add(byte(2), "joe@example.com\n@.example.org\nabuse@\n<>\n/^x/\n", "joe+x@example.com")
	f.Add(byte(3), "Subject: \"a b\"\nX:\nSubject: *c*\n", "Subject: A  B")
	f.Add(byte(4), "one\n\"two words\" 5 # x\n", "ONE")
	f.Fuzz(func(t *testing.T, kind byte, text, what string) {
		k := Kind(kind % 5)
		l, err := parse(k, text)
		if err != nil || len(what) > 1000 {
			return
		}
		if k == Networks {
			if _, err := netip.ParseAddr(what); err != nil {
				return
			}
		}
		got := find(l, what) != "-"
		if want := oracle(k, text, what); got != want {
			t.Errorf("%v: %q in %q: got %t, want %t", k, what, text, got, want)
		}
	})
}
