package checks

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"rmilter/internal/mail"
)

// Names that providers give to the lines of their customers name the line: its address,
// how it is connected, that it changes. A dynamicGrade of 0 says nothing, 1 to 5 how
// much a name is one of those. Only what stands in front of the registered domain counts,
// and a name with a word for mail servers is never one.
func dynamicGrade(name string, client netip.Addr) int {
	name = strings.TrimSuffix(mail.LowerASCII(name), ".")
	left := strings.TrimSuffix(name, mail.RegisteredDomain(name))
	if left == "" || len(name) > maxGraded {
		return 0
	}
	n := readLine(left, client)
	switch {
	case n.mail:
		return 0
	case n.static && n.dynamic:
		return min(n.grade(), 3)
	case n.static:
		return min(n.grade(), 1)
	}
	return n.grade()
}

const maxGraded = 253 // bytes of a name

// A lineName is what the name of a line tells.
type lineName struct {
	mail, static          bool // words for mail servers, for lines that keep their address
	dynamic, access, weak bool // words for lines that don't, for how lines are connected, for customers
	whole, part           bool // the address is in it, the last two numbers of it
	digits                int
}

func (n *lineName) grade() int {
	switch {
	case n.dynamic && n.whole:
		return 5
	case n.access && n.whole, n.dynamic && (n.part || n.digits >= 3):
		return 4
	case n.access && n.part, n.weak && n.whole:
		return 3
	case n.whole, n.dynamic && n.digits > 0, // rented servers have their address for a name, too
		n.access && n.digits >= 2, n.weak && n.part:
		return 2
	case n.dynamic, n.weak && n.digits >= 4:
		return 1
	}
	return 0
}

// readLine reads what stands in front of the registered domain, in lower case.
func readLine(s string, client netip.Addr) lineName {
	var n lineName
	var numbers []int
	for i := 0; i < len(s); {
		end := i
		switch {
		case isLower(s[i]):
			for end < len(s) && isLower(s[end]) {
				end++
			}
			n.word(s[i:end])
		case isDigit(s[i]):
			for end < len(s) && isDigit(s[end]) {
				end++
			}
			n.digits += end - i
			if v, err := strconv.Atoi(s[i:end]); err == nil && end-i <= 3 {
				numbers = append(numbers, v)
			} else {
				numbers = append(numbers, -1)
			}
		default:
			end++
		}
		i = end
	}
	n.address(s, numbers, client)
	return n
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// word takes a word of letters.
func (n *lineName) word(w string) {
	switch w {
	case "mx", "mxa", "mxb", "mxout", "mta", "mtaout", "relay", "out", "outbound", "outgoing", "post", "postfix", "exim", "exchange",
		"send", "sender", "bounce", "bounces", "list", "lists", "newsletter", "edm", "esp", "imap", "pop":
		n.mail = true
	case "static", "statisch", "statik", "stat", "fixed", "fixip", "fix", "business", "biz", "corp", "corporate", "office", "dedicated", "ded",
		"colo", "colocation", "vps", "vserver", "server", "srv", "cloud", "compute", "hosting", "hosted", "datacenter":
		n.static = true
	case "dynamic", "dyn", "dynip", "dynamicip", "dynamisch", "dhcp", "dialup", "dialin", "dial", "dip", "ppp", "pppoe", "pool", "pools", "isdn", "modem", "roaming":
		n.dynamic = true
	case "dsl", "adsl", "xdsl", "vdsl", "sdsl", "hsi", "cable", "catv", "kabel", "broadband", "bb", "fiber", "fibre", "ftth", "fttx", "fttb", "gpon", "docsis", "hfc", "cpe",
		"wireless", "wifi", "wlan", "wimax", "mobile", "gprs", "umts", "lte", "res", "residential", "home", "subscriber", "subscribers":
		n.access = true
	case "client", "clients", "customer", "customers", "cust", "user", "users", "unassigned", "unused":
		n.weak = true
	default:
		if strings.Contains(w, "mail") || strings.Contains(w, "smtp") {
			n.mail = true
		}
	}
}

// address looks for the client's address, and for any that is written in numbers.
func (n *lineName) address(s string, numbers []int, client netip.Addr) {
	bare := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || r == '_' {
			return -1
		}
		return r
	}, s)
	if client.Is4() {
		a := client.As4()
		n.octets(numbers, a)
		padded := ""
		for _, b := range a {
			padded += strconv.Itoa(1000 + int(b))[1:]
		}
		n.whole = n.whole || strings.Contains(bare, padded) || strings.Contains(s, hex.EncodeToString(a[:]))
	}
	if client.Is6() {
		a := client.As16()
		digits := hex.EncodeToString(a[:])
		n.whole = n.whole || strings.Contains(bare, digits) || strings.Contains(bare, backwards(digits)) || groups(s) >= 5
	}
	for i := 0; i+4 <= len(numbers); i++ {
		in := true
		for _, v := range numbers[i : i+4] {
			in = in && v >= 0 && v <= 255
		}
		n.whole = n.whole || in && numbers[i] > 0
	}
}

// octets looks for the numbers of an address, forwards and backwards.
func (n *lineName) octets(numbers []int, a [4]byte) {
	c, d := int(a[2]), int(a[3])
	for i := 0; i+2 <= len(numbers); i++ {
		x, y := numbers[i], numbers[i+1]
		n.part = n.part || x == c && y == d || x == d && y == c
	}
}

// groups returns the largest number of groups of hexadecimal digits in a row, as in an
// IPv6 address.
func groups(s string) int {
	most, row := 0, 0
	for g := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '-' || r == '.' }) {
		if len(g) > 4 || strings.Trim(g, "0123456789abcdef") != "" {
			row = 0
			continue
		}
		row++
		most = max(most, row)
	}
	return most
}

// backwards returns the bytes of s backwards.
func backwards(s string) string {
	b := make([]byte, len(s))
	for i := range len(s) {
		b[len(s)-1-i] = s[i]
	}
	return string(b)
}
