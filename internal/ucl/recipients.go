package ucl

import (
	"slices"
	"strings"
)

// Recipients is a list of recipients. In the file an item is user (at any domain),
// @domain (every user of it) or user@domain; case does not count. The zero
// Recipients is empty. It is safe for concurrent use once loaded.
type Recipients struct {
	items []string
	set   map[string]struct{}
}

// MustRecipients returns the recipients of a list in the form of the file. It
// panics on a fault: it is meant for defaults and tests.
func MustRecipients(items ...string) Recipients {
	var r Recipients
	if err := r.Set(ListNode(items...), false); err != nil {
		panic("ucl: " + err.Error())
	}
	r.Finish()
	return r
}

// Set implements Value.
func (r *Recipients) Set(n *Node, add bool) error {
	list, err := readItems(n, add, r.items, parseRecipient)
	if err != nil {
		return err
	}
	all := len(list)
	if list = slices.DeleteFunc(list, func(item string) bool { return item == "" }); len(list) < all {
		n.Warnf("<> is nobody's mailbox; it is left out of the list")
	}
	*r = Recipients{items: list}
	return nil
}

// IsList returns true: += adds to the list.
func (r *Recipients) IsList() bool { return true }

func parseRecipient(n *Node, word string) (string, error) {
	if word == "<>" { // lists of senders have it, and were copied
		return "", nil
	}
	item := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(word, "<"), ">"))
	i := strings.LastIndexByte(item, '@')
	if i < 0 {
		if item == "" || strings.ContainsAny(item, "*<>") || item[0] == '/' {
			return "", notRecipient(n, word)
		}
		return item, nil
	}
	local, domain := item[:i], strings.TrimSuffix(item[i+1:], ".")
	if local == "*" {
		local = ""
	}
	for j := range len(domain) {
		if domain[j] >= 0x80 {
			return "", n.Errorf("the domain of %s is not ASCII; expected its xn-- form", quoteFor(word))
		}
	}
	literal := strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]")
	quoted := strings.HasPrefix(local, `"`)
	if !hostName(domain) && !literal || strings.ContainsAny(local, "*<>") || !quoted && strings.Contains(local, "@") {
		return "", notRecipient(n, word)
	}
	return local + "@" + domain, nil
}

func notRecipient(n *Node, word string) error {
	return n.Errorf("%s is not a recipient; expected user, @domain or user@domain", quoteFor(word))
}

// Finish prepares the list for fast look-ups. Decode calls it.
func (r *Recipients) Finish() {
	r.set = make(map[string]struct{}, len(r.items))
	for _, item := range r.items {
		r.set[item] = struct{}{}
	}
}

// Match tells whether a recipient is in the list. Both parts are lower-case
// already, the domain as A-labels.
func (r *Recipients) Match(local, domain string) bool {
	if r == nil || len(r.items) == 0 {
		return false
	}
	full := local + "@" + domain
	return r.has(full) || local != "" && r.has(local) || domain != "" && r.has(full[len(local):])
}

func (r *Recipients) has(item string) bool {
	if r.set == nil {
		return slices.Contains(r.items, item)
	}
	_, ok := r.set[item]
	return ok
}

// Items returns the items of the list as Match compares them: user, @domain or
// user@domain in lower case.
func (r *Recipients) Items() []string { return slices.Clone(r.items) }

// Len returns the number of items in the list.
func (r *Recipients) Len() int { return len(r.items) }

// Equal tells whether two lists have the same items in the same order.
func (r Recipients) Equal(other Recipients) bool { return slices.Equal(r.items, other.items) }

// String returns the list as the file has it.
func (r Recipients) String() string {
	items := make([]string, len(r.items))
	for i, t := range r.items {
		items[i] = quoteItem(t)
	}
	return joinList(items)
}
