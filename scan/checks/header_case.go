package checks

import (
	"strings"

	"rmilter/scan"
)

var (
	cteCase     = symbol("CTE_CASE", 0.5, "headers", "Content-Transfer-Encoding says 7Bit or 8Bit with a capital letter, as few programs do.")
	mvCase      = symbol("MV_CASE", 0.5, "headers", "The field MIME-Version is written Mime-Version.")
	xmCase      = symbol("XM_CASE", 0.5, "headers", "The field X-Mailer is written X-mailer.")
	ctExtraSemi = symbol("CT_EXTRA_SEMI", 1, "headers", "Content-Type ends with a semicolon that nothing follows.")
)

// HeaderCase looks at spellings that mail programs in wide use don't have.
var HeaderCase = &scan.Spec[struct{}, struct{}]{
	Name:    "header_case",
	Doc:     "Odd spellings of header fields.",
	Symbols: []*scan.Symbol{cteCase, mvCase, xmCase, ctExtraSemi},
	New:     plain(runHeaderCase),
}

func runHeaderCase(p *scan.Pass) {
	var cte, mv, xm, semi bool
	for _, f := range p.Message.Header() {
		switch f.Name {
		case "Mime-Version":
			mv = true
		case "X-mailer":
			xm = true
		default:
			switch {
			case f.Is("Content-Transfer-Encoding"):
				v := f.Value()
				cte = cte || len(v) > 1 && (v[0] == '7' || v[0] == '8') && v[1] == 'B'
			case f.Is("Content-Type"):
				semi = semi || strings.HasSuffix(f.Value(), ";")
			}
		}
	}
	for _, c := range [...]struct {
		found  bool
		symbol *scan.Symbol
	}{{cte, cteCase}, {mv, mvCase}, {xm, xmCase}, {semi, ctExtraSemi}} {
		if c.found {
			p.Report(c.symbol)
		}
	}
}
