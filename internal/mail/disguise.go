package mail

import (
	"strings"

	"rmilter/internal/htmltext"
)

// Links are also written so that only people understand them: hxxp://example.com,
// example[.]com, www dot example dot com. They count only where nothing else can be
// meant: a name has to end in a top level domain that exists, and dots that are words
// need a scheme or www in front.

// disguisedMark tells whether at i there is what links are disguised by: a dot in
// brackets, a colon in brackets behind a scheme, a dot as a word behind "www".
func (f *linkFinder) disguisedMark(i int) bool {
	s := f.s
	switch s[i] {
	case '[', '(', '{':
		if i == 0 || strings.HasPrefix(s[i:], "[:]//") {
			return i > 0
		}
		if s[i-1] == ' ' {
			i--
		}
		_, ok := dotAt(s, i, false)
		return ok && i > 0 && isWordByte(s[i-1])
	case 'd', 'D', '.':
		if i < 4 || s[i-1] != ' ' || !strings.EqualFold(s[i-4:i-1], "www") {
			return false
		}
		_, ok := dotAt(s, i-1, true)
		return ok
	}
	return false
}

// disguised reads the link around such a mark.
func (f *linkFinder) disguised(i int) (begin, end int, url string, kind LinkKind) {
	s := f.s
	if strings.HasPrefix(s[i:], "[:]//") {
		return f.disguisedURL(i, i+len("[:]//"))
	}
	if begin = i; s[begin-1] == ' ' {
		begin--
	}
	for low := max(f.low, begin-maxDomain); begin > low && isNameByte(s[begin-1]); begin-- {
	}
	for begin < i && !isWordByte(s[begin]) {
		begin++
	}
	www := hasPrefixFold(s[begin:], "www")
	if !www && behindAt(s[max(0, begin-8):begin]) {
		return 0, 0, "", 0
	}
	if end, url = f.unmask(begin, www); url == "" {
		return 0, 0, "", 0
	}
	return begin, end, "http://" + url, LinkObfuscated
}

// behindAt tells whether what stands before a name makes it the domain of an address.
func behindAt(before string) bool {
	before = LowerASCII(strings.TrimRight(before, " "))
	for _, at := range [...]string{"@", " at", "[at]", "(at)", "{at}", "<at>"} {
		if strings.HasSuffix(before, at) {
			return true
		}
	}
	return false
}

// disguisedURL reads a URL whose scheme ends at i and whose host begins at host, if any
// of the two is disguised.
func (f *linkFinder) disguisedURL(i, host int) (begin, end int, url string, kind LinkKind) {
	s := f.s
	for begin = i; begin > f.low && i-begin < len("https") && (isWordByte(s[begin-1]) || s[begin-1] == '*'); begin-- {
	}
	scheme, odd := plainScheme(LowerASCII(s[begin:i]))
	if scheme == "" {
		return 0, 0, "", 0
	}
	if end, url = f.unmask(host, true); url == "" && odd {
		// Only the scheme is.
		if end = urlEnd(s, host); end > host {
			url = htmltext.CleanURL(s[host:end])
		}
	}
	if url == "" {
		return 0, 0, "", 0
	}
	return begin, end, scheme + "://" + url, LinkObfuscated
}

// plainScheme returns the scheme that is meant, "" for none; odd tells whether it is
// disguised.
func plainScheme(s string) (scheme string, odd bool) {
	switch s {
	case "http", "https", "ftp":
		return s, false
	case "fxp":
		return "ftp", true
	}
	if len(s) < len("http") || s[0] != 'h' || s[3] != 'p' || s[4:] != "" && s[4:] != "s" {
		return "", false
	}
	switch s[1:3] {
	case "xx", "**", "xt", "tx":
		return "http" + s[4:], true
	}
	return "", false
}

const maxLabels = 10 // labels of a name with disguised dots

// unmask reads a name with at least one disguised dot and what follows it in a URL. url is
// "" when there is none.
func (f *linkFinder) unmask(begin int, words bool) (end int, url string) {
	if f.names >= maxNames {
		return begin, ""
	}
	s := f.s
	var name []byte
	hidden := false
	end = begin
	for range maxLabels {
		stop := end
		for stop < len(s) && stop-end < maxLabel && (isWordByte(s[stop]) || s[stop] == '-' || s[stop] == '_') {
			stop++
		}
		name = append(name, s[end:stop]...)
		n, ok := dotAt(s, stop, words)
		if n == 0 {
			end = stop
			break
		}
		if s[stop] == ' ' && strings.IndexByte("[({", s[stop+1]) < 0 && f.known(string(name)) {
			end = stop // the sentence goes on
			break
		}
		name = append(name, '.')
		hidden = hidden || ok
		end = stop + n
	}
	url = string(name)
	if !hidden || len(url) > maxHost || !words && strings.IndexByte(url, '.') < 2 && strings.Count(url, ".") < 2 || !f.known(url) {
		return begin, ""
	}
	if end < len(s) && strings.IndexByte("/:?#", s[end]) >= 0 {
		if stop := urlEnd(s, end); stop > end {
			url += htmltext.CleanURL(s[end:stop])
			end = stop
		}
	}
	return end, url
}

// dotAt returns the length of the dot at i in front of another label, 0 when there is
// none, and whether it is disguised: in brackets, as a word with spaces around it if words
// is set.
func dotAt(s string, i int, words bool) (n int, hidden bool) {
	if i+1 >= len(s) {
		return 0, false
	}
	if s[i] == '.' {
		if isWordByte(s[i+1]) {
			return 1, false
		}
		return 0, false
	}
	rest := strings.TrimPrefix(s[i:], " ")
	if rest == "" {
		return 0, false
	}
	if closing := strings.IndexByte("[({", rest[0]); closing >= 0 {
		rest = cutDot(strings.TrimPrefix(rest[1:], " "))
		rest = strings.TrimPrefix(rest, " ")
		if rest == "" || rest[0] != "])}"[closing] {
			return 0, false
		}
		if rest = rest[1:]; s[i] == ' ' { // the same on both sides
			rest = cutSpace(rest)
		}
	} else {
		if rest = cutSpace(cutDot(rest)); !words || s[i] != ' ' {
			return 0, false
		}
	}
	if rest == "" || !isWordByte(rest[0]) {
		return 0, false
	}
	return len(s) - i - len(rest), true
}

// cutSpace cuts a space off the beginning of s; "" when there is none.
func cutSpace(s string) string {
	if strings.HasPrefix(s, " ") {
		return s[1:]
	}
	return ""
}

// cutDot cuts a dot or the word off the beginning of s; "" when there is none.
func cutDot(s string) string {
	switch {
	case strings.HasPrefix(s, "."):
		return s[1:]
	case hasPrefixFold(s, "dot"):
		return s[3:]
	}
	return ""
}

// known is knownDomain for a bounded number of names.
func (f *linkFinder) known(name string) bool {
	f.names++
	return f.names <= maxNames && knownDomain(name)
}
