package ucl

import "testing"

func TestSeconds(t *testing.T) {
	for text, want := range map[string]string{"10": "10s", "300": "5m", "0": "0s", "2m": "2m", "500ms": "500ms", "": "", "1.5": "", "ten": ""} {
		d := Duration(1)
		v := Seconds(&d)
		got := ""
		if v.Set(TextNode(text), false) == nil {
			got = v.String()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if want == "" && d != 1 {
			t.Errorf("%q: the value changed to %s", text, d)
		}
	}
	if err := Seconds(new(Duration)).Set(ListNode("1", "2"), false); err == nil {
		t.Error("a list is no time")
	}
}
