package dnslist

import (
	"cmp"
	"strings"

	"rmilter/internal/ucl"
)

// A Block is what the files say of one list, over what the catalogue says of it.
type Block struct {
	List   List
	Symbol ucl.String // of a list without codes
	Weight *ucl.Float // of symbols that the catalogue doesn't have; nil: 1, or -0.1 of a whitelist

	known   bool   // it is in the catalogue
	codes   []Code // what the files have in place of the catalogue's; nil for nothing
	enabled ucl.Flag
	ipv4    ucl.Flag
	ipv6    ucl.Flag
	host    ucl.Flag // names are asked as they are
	white   ucl.Flag
	dynamic ucl.Flag
	resolve ucl.Flag
	tested  ucl.Flag
	off     ucl.Flag // rspamd's disable_monitoring
	daily   ucl.Int
	hash    Hash // noHash for NoHash
	listed  ucl.String
	clean   ucl.String
}

// noHash is NoHash in the files.
const noHash Hash = "none"

// newBlock returns the block of a list; known is nil for one that is not in the catalogue.
func newBlock(name string, known *List, section string) *Block {
	b := &Block{known: known != nil}
	if known != nil {
		b.List = *known
	} else {
		b.List = List{Name: name, Section: section, Group: section, Enabled: true, IPv4: true, Registered: true, TestListed: listedAddr, TestClean: cleanAddr}
		b.List.Asks = Client
		if section == SURBL {
			b.List.Asks = URLs
			b.List.TestListed, b.List.TestClean = "", cleanName
		}
	}
	l := &b.List
	b.enabled, b.ipv4, b.ipv6, b.host = ucl.Flag(l.Enabled), ucl.Flag(l.IPv4), ucl.Flag(l.IPv6), ucl.Flag(!l.Registered)
	b.white, b.dynamic, b.resolve = ucl.Flag(l.Whitelist), ucl.Flag(l.Dynamic), ucl.Flag(l.Resolve)
	b.tested, b.daily, b.hash = true, ucl.Int(l.Daily), l.Hash
	if l.Hash == NoHash {
		b.hash = noHash
	}
	b.listed, b.clean = ucl.String(l.TestListed), ucl.String(l.TestClean)
	return b
}

// finished returns the list as the block has it.
func (b *Block) finished() *List {
	l := b.List
	if l.Name == "" {
		l.Name = cmp.Or(string(b.Symbol), l.Zone)
	}
	l.Enabled, l.IPv4, l.IPv6, l.Registered = bool(b.enabled), bool(b.ipv4), bool(b.ipv6), !bool(b.host)
	l.Whitelist, l.Dynamic, l.Resolve = bool(b.white), bool(b.dynamic), bool(b.resolve)
	l.Untested, l.Daily = !bool(b.tested) || bool(b.off), int(b.daily)
	l.TestListed, l.TestClean = string(b.listed), string(b.clean)
	if l.Hash = b.hash; b.hash == noHash {
		l.Hash = NoHash
	}
	if !b.known {
		l.Names = l.Asks&nameKinds != 0 && !l.Resolve
	}
	if b.codes != nil {
		l.Codes = b.merged()
	}
	if len(l.Codes) == 0 {
		l.Codes = []Code{{Answer: answer("127.*.*.*"), Symbol: b.symbol(), Weight: b.weight(), Doc: b.doc()}}
		l.Blocked = append(l.Blocked[:len(l.Blocked):len(l.Blocked)], answers("127.0.0.1")...)
	}
	l.take()
	return &l
}

// symbol returns the symbol of a list whose answers have none.
func (b *Block) symbol() string {
	if b.Symbol != "" {
		return string(b.Symbol)
	}
	return strings.Map(func(r rune) rune {
		if r < 0x80 && isSymbol(string(r)) {
			return r
		}
		return '_'
	}, strings.ToUpper(cmp.Or(b.List.Name, b.List.Zone)))
}

// doc returns what documents a symbol that the catalogue doesn't have.
func (b *Block) doc() string {
	return "Something of the message is in the DNS list " + cmp.Or(b.List.Name, b.List.Zone) + "."
}

func (b *Block) weight() float64 {
	switch {
	case b.Weight != nil:
		return float64(*b.Weight)
	case bool(b.white):
		return -0.1
	}
	return 1
}

// merged returns the codes of the files with what the catalogue knows of their symbols.
func (b *Block) merged() []Code {
	codes := make([]Code, 0, len(b.codes))
	for _, c := range b.codes {
		c.Weight, c.Doc = b.weight(), b.doc()
		for _, known := range b.List.Codes {
			if known.Symbol == c.Symbol {
				c.Weight, c.Doc, c.Asks = known.Weight, known.Doc, known.Asks
			}
			if overlap(known.Answer, c.Answer) {
				c.Dynamic = c.Dynamic || known.Dynamic
			}
		}
		codes = append(codes, c)
	}
	return codes
}

// overlap tells whether an answer may be in both of two patterns without bits.
func overlap(p, q Pattern) bool {
	if p.Bits != 0 || q.Bits != 0 {
		return false
	}
	for i := range p.First {
		if p.Last[i] < q.First[i] || q.Last[i] < p.First[i] {
			return false
		}
	}
	return true
}

// take makes refusals of the codes that rspamd has for them, and keeps a whitelist from
// adding weight.
func (l *List) take() {
	codes := make([]Code, 0, len(l.Codes))
	for _, c := range l.Codes {
		if strings.HasSuffix(c.Symbol, "_BLOCKED") || strings.HasSuffix(c.Symbol, "_BLOCKED_OPENRESOLVER") {
			l.Blocked = append(l.Blocked[:len(l.Blocked):len(l.Blocked)], c.Answer)
			continue
		}
		if l.Whitelist {
			c.Weight = min(c.Weight, 0)
		}
		codes = append(codes, c)
	}
	l.Codes = codes
}

// contradictions tells what can't be meant.
func (b *Block) contradictions(warn func(option, format string, args ...any)) {
	l := b.finished()
	switch {
	case !l.Enabled:
	case l.Closed != "":
		warn("enabled", "%s closed in %s and is never asked; expected no", l.Name, l.Closed)
	case l.Zone == "":
		warn("enabled", "the list has no zone, so it is never asked; expected rbl = DOMAIN")
	case l.Asks == 0:
		warn("checks", "the list is asked nothing; expected at least one of %s", strings.Join(kindWords(), ", "))
	case l.Whitelist && b.Weight != nil && *b.Weight > 0:
		warn("weight", "a whitelist can only lower the score, so %s counts as 0; expected a number below 0", *b.Weight)
	}
}
