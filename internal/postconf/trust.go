package postconf

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"rmilter/internal/ucl"
)

// loopback are the machine's own addresses.
func loopback() set {
	return newSet([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")})
}

// linkLocal are addresses of neighbours on the wire.
func linkLocal() set { return newSet([]netip.Prefix{netip.MustParsePrefix("fe80::/10")}) }

// networks compares whom Postfix trusts with whom rmilter takes for its own.
func (c *checker) networks() {
	text := c.p.Main["mynetworks"]
	trusted, unknown := parseNetworks(text)
	our, relays := newSet(c.c.Filter.OurNetworks.Prefixes()), newSet(c.c.Filter.TrustedRelays.Prefixes())
	if len(unknown) > 0 {
		c.note("networks-unknown", Finding{
			Text:   "mynetworks has what only Postfix can evaluate: " + strings.Join(unknown[:min(5, len(unknown))], ", "),
			Effect: "whether our_networks has the same clients can't be told",
			File:   rmilterConf, Line: "our_networks = " + c.c.Filter.OurNetworks.String() + ", …;",
		})
	}
	c.lackingNetworks(trusted.minus(our).minus(relays))
	if wider := our.minus(trusted).minus(loopback()); len(wider) > 0 {
		rest := our.and(trusted.union(loopback())).String()
		f := Finding{
			Text:   "our_networks has " + wider.String() + ", which mynetworks lacks",
			Effect: "mail from there is never marked or greylisted, though Postfix takes those clients for strangers",
			File:   rmilterConf, Line: "our_networks = " + strings.ReplaceAll(cmp.Or(rest, "[]"), " and more", ", …") + ";",
		}
		if len(unknown) > 0 {
			c.note("networks-wider", f)
		} else {
			c.warn("networks-wider", f)
		}
	}
	if both := relays.and(trusted).minus(loopback()); len(both) > 0 {
		c.note("relay-in-networks", Finding{
			Text:   "trusted_relays has " + both.String() + ", which mynetworks has, too",
			Effect: "mail from there is judged by the client that the relay took it from; what your own users send by it is not yours",
		})
	}
}

// lackingNetworks tells of clients whom Postfix trusts and rmilter doesn't know.
func (c *checker) lackingNetworks(lacking set) {
	_, set := c.p.Set["mynetworks"]
	if !set {
		// Postfix has made the list of the machine's own interfaces.
		lacking = lacking.minus(loopback()).minus(linkLocal())
	}
	if len(lacking) == 0 {
		return
	}
	list := lacking.String()
	f := Finding{
		Text:   "our_networks lacks " + list + " of Postfix's mynetworks",
		Effect: "mail from there is treated as a stranger's: filtered, marked or refused, and not signed",
		File:   rmilterConf, Line: "our_networks += " + strings.ReplaceAll(list, " and more", ", …") + ";",
	}
	if set {
		c.warn("networks-missing", f)
		return
	}
	f.Text += ", which it has made of its interfaces (mynetworks_style = " + c.p.Main["mynetworks_style"] + ")"
	c.note("networks-missing", f)
}

// rest looks at what only changes details.
func (c *checker) rest() {
	c.sizes()
	theirs, our := c.p.Main["recipient_delimiter"], string(c.c.Filter.RecipientDelimiter)
	// Without a delimiter Postfix has no extensions, and ours finds none.
	if theirs != "" && !sameChars(theirs, our) {
		c.note("delimiter", Finding{
			Text:   "recipient_delimiter is " + theirs + " in Postfix and " + ucl.Quote(our) + " in rmilter",
			Effect: "settings and lists for user don't hold for all of user's addresses with an extension",
			File:   rmilterConf, Line: "recipient_delimiter = " + ucl.Quote(theirs) + ";",
		})
	}
	host := c.p.Main["myhostname"]
	if host != "" && !strings.EqualFold(host, string(c.c.Server.Hostname)) {
		c.note("hostname", Finding{
			Text:   "Postfix's myhostname is " + host + ", rmilter's hostname " + string(c.c.Server.Hostname),
			Effect: "replies and header fields have two names for one server",
			File:   rmilterConf, Line: "hostname = " + host + ";",
		})
	}
	classes := splitList(c.p.Main["internal_mail_filter_classes"])
	local := false
	for _, u := range c.usages {
		local = local || u.local
	}
	if len(classes) > 0 && local {
		c.note("bounces", Finding{
			Text:   "internal_mail_filter_classes = " + strings.Join(classes, " ") + ": Postfix's own notices pass rmilter",
			Effect: "they may be marked when they return spam, and are never refused",
		})
	}
}

// sizes compares the largest message that Postfix takes with what rmilter looks at.
func (c *checker) sizes() {
	limit := int64(c.c.Server.SpoolLimit) / 2
	name, value := "spool_limit", c.c.Server.SpoolLimit.String()
	if size := int64(c.c.Filter.MaxSize); size > 0 && size <= limit {
		limit, name, value = size, "max_size", c.c.Filter.MaxSize.String()
	}
	theirs, err := strconv.ParseInt(c.p.Main["message_size_limit"], 10, 64)
	if err != nil || theirs != 0 && theirs <= 2*limit {
		return
	}
	f := Finding{
		Text:   "message_size_limit = " + c.p.Main["message_size_limit"] + " in Postfix, " + name + " = " + value + " in rmilter",
		Effect: "of messages larger than " + ucl.Size(limit).String() + " only the first 256 KB are judged",
		File:   "main.cf", Line: "message_size_limit = " + strconv.FormatInt(limit, 10),
	}
	if theirs > 0 {
		if name == "spool_limit" {
			theirs *= 2
		}
		f.Line += fmt.Sprintf("\nor in %s: %s = %dM;", rmilterConf, name, (theirs+1<<20-1)>>20)
	}
	c.note("size", f)
}

// sameChars tells whether two texts consist of the same characters.
func sameChars(a, b string) bool {
	return strings.Trim(a, b) == "" && strings.Trim(b, a) == ""
}
