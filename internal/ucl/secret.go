package ucl

import (
	"sort"
	"strings"
)

// guarded reads the value of a directive by read, and notes where it stands when it may
// be a password.
func (p *parser) guarded(d *Directive, read func() *Node) *Node {
	n := len(p.src.secrets)
	if !secretName(d.Name) || n > 0 && p.src.secrets[n-1][1] == len(p.text) {
		return read()
	}
	p.src.secrets = append(p.src.secrets, [2]int{p.off, len(p.text)})
	v := read()
	from := p.src.secrets[n][0]
	p.src.secrets[n][1] = from + len(strings.TrimRight(p.text[from:p.off], " \t\r\n"))
	if p.peek() == ';' && !strings.ContainsAny(p.text[p.off-1:p.off], `"'`) {
		p.split, p.splitAt = d.Name, p.off+1
	}
	return v
}

// secret returns where a password seems to begin in a part of the text, -1 when there
// is none.
func (s *source) secret(from, to int) int {
	at := -1
	if i := secretAt(s.text[from:to]); i >= 0 {
		at = from + i
	}
	n := sort.Search(len(s.secrets), func(i int) bool { return s.secrets[i][1] > from })
	if n < len(s.secrets) && s.secrets[n][0] < to && (at < 0 || s.secrets[n][0] < at) {
		at = max(from, s.secrets[n][0])
	}
	return at
}

// secretName tells whether a directive's value seems to be a password, also when its
// name is misspelt.
func secretName(name string) bool {
	if secretWord(name) >= 0 {
		return true
	}
	const wrong = 3 // letters, from which on it is another word
	if len(name) > len("enable_password")+wrong {
		return false
	}
	name = fold(name)
	for _, word := range [...]string{"password", "enable_password"} {
		if distance(name, word, wrong) < wrong {
			return true
		}
	}
	return false
}

// secretAt returns the offset after the first word in the text that seems to name a
// password, -1 when there is none or nothing follows.
func secretAt(text string) int {
	at := secretWord(text)
	if at >= 0 {
		for at < len(text) && isNameByte(text[at]) {
			at++
		}
		if strings.TrimSpace(text[at:]) == "" || text[at] == '.' || text[at] == '/' { // a path
			at = -1
		}
	}
	if from, _, ok := userInfo(text); ok && (at < 0 || from < at) {
		at = from
	}
	return at
}

// secretWord returns where the first word that seems to name a password stands in a
// text, -1 when there is none.
func secretWord(text string) int {
	at := -1
	for _, word := range [...]string{"pass", "pasw", "psw", "pss", "pwd", "pword", "secret", "token", "dqs"} {
		i := indexFold(text, word)
		for word == "token" && i >= 0 && len(text) >= i+9 && strings.EqualFold(text[i:i+9], "tokenizer") {
			next := indexFold(text[i+1:], word)
			if i += next + 1; next < 0 {
				i = -1
			}
		}
		if i >= 0 && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}

// userInfo returns where the name and password of a URL in the text begin and end.
func userInfo(text string) (from, to int, ok bool) {
	from = strings.Index(text, "://") + 3
	if from < 3 {
		return 0, 0, false
	}
	to = strings.IndexByte(text[from:], '@')
	return from, from + to, to > 0
}

// indexFold is strings.Index for a lower-case ASCII word without regard to case.
func indexFold(text, word string) int {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}
