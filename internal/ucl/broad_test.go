package ucl

import "testing"

func TestTooBroad(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.0/24, 10.0.0.0/8, [2001:db8::]/32, [fc00::]/7, [fd00::]/8, [fe80::]/10, [2000::]/16": "",
		"0.0.0.0/0":                "0.0.0.0/0",
		"10.0.0.0/8, 128.0.0.0/1":  "128.0.0.0/1",
		"0.0.0.0/7":                "0.0.0.0/7",
		"::/0":                     "[::]/0",
		"2000::/3":                 "[2000::]/3",
		"[2000::]/15":              "[2000::]/15",
		"[fc00::]/6":               "[fc00::]/6",
		"[fe80::]/9":               "[fe80::]/9",
		"::ffff:0.0.0.0/96":        "0.0.0.0/0",
		"mx.example.com, ::1, ::2": "",
	} {
		var ns Networks
		if err := ns.Set(TextNode(text), false); err != nil {
			t.Fatal(err)
		}
		if got, ok := ns.TooBroad(); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
