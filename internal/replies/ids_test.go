package replies

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"rmilter/internal/mail"
)

func TestAnswered(t *testing.T) {
	for _, c := range []struct{ name, header, want string }{
		{"nothing", "Subject: Hi\n", ""},
		{"an answer", "In-Reply-To: <1@a.example>\n", "1@a.example"},
		{"the nearest first", "References: <1@a.example> <2@a.example>\n\t<3@a.example>\nIn-Reply-To: <3@a.example>\n", "3@a.example 2@a.example 1@a.example"},
		{"the last of References", "References: <1@a.example> <2@a.example>\n", "2@a.example 1@a.example"},
		{"nothing between", "References: <1@a.example><2@a.example>,<3@a.example>\n", "3@a.example 2@a.example 1@a.example"},
		{"no brackets", "In-Reply-To: 1@a.example\nReferences: 2@a.example, 3@a.example\n", "1@a.example 3@a.example 2@a.example"},
		{"half a bracket", "In-Reply-To: <1@a.example\nReferences: 2@a.example>\n", "1@a.example 2@a.example"},
		{"a bracket within", "In-Reply-To: <1@a.example <2@a.example>\n", "1@a.example 2@a.example"},
		{"two brackets", "In-Reply-To: <<1@a.example>>\n", "1@a.example"},
		{"comments", "In-Reply-To: (from Joe) <1@a.example> (Mon, 1 Jan)\n", "1@a.example"},
		{"an old form", "In-Reply-To: Your message of \"Mon, 1 Jan 2026 10:00:00 +0100.\" <1@a.example>\n", "1@a.example"},
		{"an id in quotes", "In-Reply-To: \"1@a.example\"\n", "1@a.example"},
		{"folded within", "In-Reply-To: <1abc\n def@a.example>\n", "1abcdef@a.example"},
		{"folded behind the colon", "In-Reply-To:\r\n <1@a.example>\r\n", "1@a.example"},
		{"encoded", "References: =?utf-8?q?=3C1=40a=2Eexample=3E?=\n", "1@a.example"},
		{"several", "In-Reply-To: <1@a.example>\nIn-Reply-To: <2@a.example>\nReferences: <3@a.example>\nReferences: <4@a.example>\n",
			"1@a.example 2@a.example 4@a.example 3@a.example"},
		{"no @ in brackets", "In-Reply-To: <1>\n", "1"},
		{"no @ and no brackets", "In-Reply-To: Joe\n", ""},
		{"no id", "In-Reply-To: <>\nReferences: < >\n", ""},
		{"8-bit", "In-Reply-To: <\xff@a.example>\n", "\xff@a.example"},
		{"the case counts", "References: <a@A.example> <A@a.example>\n", "A@a.example a@A.example"},
		{"too long", "In-Reply-To: <" + strings.Repeat("x", 257) + "> <1@a.example>\n", "1@a.example"},
		{"long", "In-Reply-To: <" + strings.Repeat("x", 256) + ">\n", strings.Repeat("x", 256)},
	} {
		m := mail.Parse([]byte(c.header+"\n"), mail.DefaultLimits)
		if got := strings.Join(answered(m.Header()), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAnsweredHostile wants the newest ids of a message with very many, and few of them.
func TestAnsweredHostile(t *testing.T) {
	var list, fields strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&list, "<%d@a.example>\n ", i)
		fmt.Fprintf(&fields, "References: <%d@a.example>\nIn-Reply-To: <%d@b.example>\n", i, i)
	}
	for _, c := range []struct {
		name, header, first string
		most                int
	}{
		{"ten thousand ids", "References: " + list.String() + "\n", "9999@a.example", maxIDs},
		{"ten thousand fields", fields.String(), "0@b.example", 2 * maxFields},
		{"a megabyte", "References: " + strings.Repeat("<", 1<<20) + "\n", "", 0},
		{"a megabyte of one", "References: <" + strings.Repeat("x", 1<<20) + "@a.example> <1@a.example>\n", "1@a.example", 1},
		{"a megabyte of words", "In-Reply-To: " + strings.Repeat("a@ ", 1<<20/3) + "\n", "a@", 1},
		{"a megabyte of encoded words", "References: " + strings.Repeat("=?utf-8?q?x?= ", 1<<20/14) + "\n", "", 0},
	} {
		ids := answered(mail.Parse([]byte(c.header+"\n"), mail.DefaultLimits).Header())
		if len(ids) > c.most || len(ids) < min(c.most, 1) || len(ids) > 0 && ids[0] != c.first {
			t.Errorf("%s: %d ids, %.300q; want at most %d, the first %q", c.name, len(ids), ids, c.most, c.first)
		}
	}
}

func TestOwnID(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"<1@example.com>":            "1@example.com",
		"1@example.com":              "1@example.com",
		" <1@example.com> (comment)": "1@example.com",
		"<a b@example.com>":          "ab@example.com",
		"<>":                         "",
		"word":                       "",
		"<" + strings.Repeat("x", 300) + "@example.com>": "",
	} {
		h := message("Message-ID: " + in).Header()
		if got := ownID(h); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("<1@a.example> <2@b.example>", "3@c.example")
	f.Add("=?utf-8?q?=3C1=40a=3E?=", "<<a b>")
	f.Add("(<\">,;'@", "\x00\xff@")
	f.Fuzz(func(t *testing.T, references, reply string) {
		h := mail.Header{{Name: "References", Raw: references}, {Name: "In-Reply-To", Raw: reply}}
		ids := answered(h)
		if len(ids) > maxIDs {
			t.Errorf("%d ids", len(ids))
		}
		for i, id := range ids {
			k := New(DefaultConfig(), Env{IDPrefix: "id"}).sentKey(id)
			if id == "" || len(id) > maxID || slices.Contains(ids[:i], id) || len(k) > maxKey || !printable(k) {
				t.Errorf("id %d: %q, key %q", i, id, k)
			}
		}
		// An answer that has the id of our message as it was written is recognised.
		own := ownID(mail.Header{{Name: "Message-ID", Raw: reply}})
		if value := (mail.Field{Raw: reply}).Value(); own != "" && len(value) <= maxInReplyTo && !strings.Contains(value, "=?") && len(ids) < maxIDs && !slices.Contains(ids, own) {
			t.Errorf("own id %q isn't among %q", own, ids)
		}
	})
}

func printable(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("{}", r) })
}

func FuzzReturned(f *testing.F) {
	f.Add([]byte("Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nA: b\n\nOriginal-Message-ID: <1@a>\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <1@a>\nDate: x\n--b--\n"))
	f.Add([]byte("\nHi\n\nMessage-ID: <1@a>\nDate: Sun, 22 Nov 2026 12:00:00 +0000\n\nMessage-ID: x\n"))
	f.Add([]byte("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nMessage-ID: <1@a>\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := returnsOf(mail.Parse(raw, mail.DefaultLimits))
		if len(r.messages) > maxReturned || len(r.named) > maxReturned {
			t.Errorf("%d messages and %d ids", len(r.messages), len(r.named))
		}
		for _, one := range r.messages {
			if one.id == "" || len(one.id) > maxID {
				t.Errorf("id %q", one.id)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("prvs=1234567890=alice+x@example.com", "joe@example.net")
	f.Add("btv1==x==alice@example.com", "@")
	f.Add("news-joe=example.net@example.com", "joe@example.net")
	f.Fuzz(func(t *testing.T, from, to string) {
		r := New(DefaultConfig(), Env{Delimiter: "+-", IDPrefix: "id"})
		a, rcpt := path(from), path(to)
		for _, s := range []string{r.own(a.Address), r.pattern(a.Address, []mail.Path{rcpt})} {
			if len(s) > maxAddress || !utf8.ValidString(s) {
				t.Errorf("%q", s)
			}
		}
		if k := writtenKey(addressText(a.Address)); !printable(k) {
			t.Errorf("key %q", k)
		}
	})
}
