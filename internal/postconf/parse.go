package postconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits of a configuration; those that people write are far below.
const (
	maxServices = 500      // of master.cf
	maxMilters  = 30       // of one list
	maxValue    = 16 << 10 // bytes of one parameter, but for mynetworks
)

// Parse reads what postconf prints: all parameters (-x), those that main.cf sets (-n),
// the services (-M) and what they override (-Px). It fails on a text that can't be
// postconf's; lines that it doesn't understand are left out.
func Parse(all, set, services, overrides string) (*Postfix, error) {
	p := &Postfix{Main: parseParameters(all), Set: parseParameters(set)}
	if p.Main["mail_version"] == "" || p.Main["queue_directory"] == "" {
		return nil, errors.New("postconf printed no configuration of Postfix")
	}
	byName := map[string]*Service{}
	for line := range strings.Lines(services) {
		f := strings.Fields(line)
		if len(f) < 8 || line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
			continue
		}
		s := &Service{Name: f[0], Type: f[1], Chroot: f[4], Command: f[7], Overrides: map[string]string{}}
		if byName[s.Name+"/"+s.Type] == nil {
			byName[s.Name+"/"+s.Type] = s
			p.Services = append(p.Services, s)
		}
	}
	if len(p.Services) > maxServices {
		return nil, fmt.Errorf("master.cf has %d services; expected at most %d", len(p.Services), maxServices)
	}
	for name, value := range parseParameters(overrides) {
		// NAME/TYPE/PARAMETER; a name may hold a slash.
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			continue
		}
		if s := byName[name[:i]]; s != nil {
			s.Overrides[name[i+1:]] = value
		}
	}
	return p, nil
}

// parseParameters reads lines of the form "name = value".
func parseParameters(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" {
			continue
		}
		if len(value) > maxValue && name != "mynetworks" {
			value = value[:maxValue]
		}
		m[name] = value
	}
	return m
}

// parseUnused finds what postconf complains about: parameters that Postfix doesn't know.
func parseUnused(stderr string) []string {
	var list []string
	for line := range strings.Lines(stderr) {
		if _, what, ok := strings.Cut(line, ": unused parameter: "); ok {
			list = append(list, strings.TrimSpace(what))
		}
	}
	return list
}

// splitList cuts a list of Postfix's at commas and white space; an item in braces
// stays whole, with its braces.
func splitList(text string) []string {
	var items []string
	start, depth := -1, 0
	end := func(i int) {
		if start >= 0 {
			items = append(items, text[start:i])
		}
		start = -1
	}
	for i := range len(text) {
		switch c := text[i]; {
		case depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			end(i)
			continue
		case c == '{':
			depth++
		case c == '}' && depth > 0:
			depth--
		}
		if start < 0 {
			start = i
		}
	}
	end(len(text))
	return items
}

// A milterRef is one item of smtpd_milters.
type milterRef struct {
	text string            // TRANSPORT:ENDPOINT as written
	host string            // of inet: without brackets
	port string            // of inet
	path string            // of unix: and local:
	attr map[string]string // connect_timeout and so on, of an item in braces
}

// parseMilters reads a list of milters: inet:HOST:PORT, unix:PATH, and both in braces
// with attributes after a comma.
func parseMilters(text string) []milterRef {
	var list []milterRef
	items := splitList(text)
	for _, item := range items[:min(maxMilters, len(items))] {
		m := milterRef{text: item}
		if inner, ok := strings.CutPrefix(item, "{"); ok {
			inner = strings.TrimSuffix(inner, "}")
			m.attr = map[string]string{}
			parts := splitAttributes(inner)
			m.text = parts[0]
			for _, a := range parts[1:] {
				name, value, _ := strings.Cut(strings.TrimSpace(trimBraces(a)), "=")
				m.attr[strings.TrimSpace(name)] = strings.TrimSpace(trimBraces(strings.TrimSpace(value)))
			}
		}
		transport, endpoint, _ := strings.Cut(m.text, ":")
		switch transport {
		case "inet":
			m.host, m.port = splitEndpoint(endpoint)
		case "unix", "local":
			m.path = endpoint
		}
		list = append(list, m)
	}
	return list
}

// splitAttributes cuts the inside of an item in braces at its commas; there is always
// a first part.
func splitAttributes(inner string) []string {
	var parts []string
	depth, start := 0, 0
	for i := range len(inner) {
		switch inner[i] {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth <= 0 {
				parts = append(parts, strings.TrimSpace(inner[start:i]))
				start = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(inner[start:]))
}

// trimBraces takes the braces off "{ name = value }".
func trimBraces(s string) string {
	if len(s) >= 2 && s[0] == '{' && s[len(s)-1] == '}' {
		return s[1 : len(s)-1]
	}
	return s
}

// splitEndpoint cuts HOST:PORT, [ADDRESS]:PORT or PORT alone, which is the machine
// itself.
func splitEndpoint(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "localhost", s
	}
	host = s[:i]
	if len(host) >= 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if host == "" {
		host = "localhost"
	}
	return host, s[i+1:]
}

// parseTime reads a time of Postfix's: a number with s, m, h, d or w, seconds without.
func parseTime(text string) (time.Duration, bool) {
	unit := time.Second
	if n := len(text); n > 0 {
		switch text[n-1] | 0x20 {
		case 's':
			text = text[:n-1]
		case 'm':
			unit, text = time.Minute, text[:n-1]
		case 'h':
			unit, text = time.Hour, text[:n-1]
		case 'd':
			unit, text = 24*time.Hour, text[:n-1]
		case 'w':
			unit, text = 7*24*time.Hour, text[:n-1]
		}
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || time.Duration(n) > (1<<62)/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
