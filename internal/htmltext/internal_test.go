package htmltext

import (
	"html"
	"regexp"
	"testing"
)

// oneDigit finds numbers of one digit without a semicolon, which the library doesn't
// take.
var oneDigit = regexp.MustCompile(`&#([0-9]|[xX][0-9a-fA-F]?)([^0-9;]|$)|&#[xX]?;`)

// FuzzUnescape compares the entities of text with the standard library.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"&amp;&lt;&#65;&#x41;&#128;", "&notit;&notin;&NotEqualTilde;", "&&#&#x&#xg;&a", "&#1114112;&#0;&#55296;", "&CounterClockwiseContourIntegral;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := new(entityTable).unescape(s, false), html.UnescapeString(s); got != want && !oneDigit.MatchString(s) {
			t.Errorf("unescape(%q): got %q, want %q", s, got, want)
		}
		if got := new(entityTable).unescape(s, true); len(got) > len(s)+1 {
			t.Errorf("unescape(%q) of an attribute: got %q", s, got)
		}
	})
}

func TestUnescapeAttribute(t *testing.T) {
	for in, want := range map[string]string{
		"?a=1&amp;b=2": "?a=1&b=2", "?a=1&copy=2": "?a=1&copy=2", "?a&lt": "?a<", "?a&ltb": "?a&ltb", "&copy;": "©", "&#106;avascript": "javascript", "&#x6A;": "j", "a&b": "a&b", "&notit;": "&notit;", "&notit": "&notit", "&semi;": ";",
	} {
		if got := new(entityTable).unescape(in, true); got != want {
			t.Errorf("unescape(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestParseColour(t *testing.T) {
	for in, want := range map[string]colour{
		"#fff": {255, 255, 255, false}, "#012": {0, 17, 34, false}, "#0123": {0, 17, 34, false}, "#0120": {0, 17, 34, true}, "#102030": {16, 32, 48, false}, "#10203000": {16, 32, 48, true},
		"red": {255, 0, 0, false}, "rebeccapurple": {102, 51, 153, false}, "rgb(1,2,3)": {1, 2, 3, false}, "rgb(1 2 3 / 50%)": {1, 2, 3, false}, "rgba(300,-5,3,0)": {255, 0, 3, true},
		"hsl(120, 100%, 50%)": {0, 255, 0, false}, "hsl(-120, 100%, 50%)": {0, 0, 255, false}, "transparent": {0, 0, 0, true},
	} {
		if got, ok := parseColour(in, false); !ok || got != want {
			t.Errorf("parseColour(%q): got %+v %t, want %+v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "nosuch", "#ff", "#ggg", "rgb(1,2)", "rgb(", "url(x)"} {
		if got, ok := parseColour(in, false); ok {
			t.Errorf("parseColour(%q): got %+v, want none", in, got)
		}
	}
	// The examples of the HTML standard and its rules.
	for in, want := range map[string]colour{
		"chucknorris": {192, 0, 0, false}, "ffffff": {255, 255, 255, false}, "#ffffff ": {255, 255, 255, false}, "f": {15, 0, 0, false}, "#fffff": {255, 255, 240, false},
	} {
		if got, ok := parseColour(in, true); !ok || got != want {
			t.Errorf("parseColour(%q) of an attribute: got %+v %t, want %+v", in, got, ok, want)
		}
	}
}

func TestParseLength(t *testing.T) {
	for in, want := range map[string]length{
		"0": {0, 0}, "12px": {12, 'p'}, "-1.5em": {-1.5, 'e'}, ".5rem": {8, 'p'}, "9pt": {12, 'p'}, "50%": {50, '%'}, "+3": {3, 0}, "1e3px": {1, 0}, "7q": {7, 0},
	} {
		if got, ok := parseLength(in); !ok || got != want {
			t.Errorf("parseLength(%q): got %+v %t, want %+v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "px", "-", ".", "auto"} {
		if got, ok := parseLength(in); ok {
			t.Errorf("parseLength(%q): got %+v, want none", in, got)
		}
	}
}
