package uclpeer

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"rmilter/internal/ucl"
)

// The normal form of a tree: a map for a block, a slice for a list, and for a scalar a
// string. Several directives of one name are a slice of their values, keys are blocks
// within blocks.

// normal returns the normal form of one of our trees.
func normal(b *ucl.Block) map[string]any {
	values, priority := map[string][]any{}, map[string]int{}
	for _, d := range b.Directives {
		v := normalNode(d.Value)
		for i := len(d.Keys) - 1; i >= 0; i-- {
			v = map[string]any{d.Keys[i]: v}
		}
		switch old := values[d.Name]; {
		case old == nil || d.Priority > priority[d.Name]:
			values[d.Name], priority[d.Name] = []any{v}, d.Priority
		case d.Priority == priority[d.Name]:
			values[d.Name] = append(old, v)
		}
	}
	m := map[string]any{}
	for name, list := range values {
		m[name] = any(list)
		if len(list) == 1 {
			m[name] = list[0]
		}
	}
	return m
}

func normalNode(n *ucl.Node) any {
	switch n.Kind {
	case ucl.BlockKind:
		return normal(n.Block)
	case ucl.ListKind:
		list := []any{}
		for _, item := range n.Items {
			list = append(list, normalNode(item))
		}
		return list
	}
	return n.Text
}

// differ tells where a tree of ours in normal form and one of libucl's differ, "" when
// they don't. Our scalars are texts until an option reads them, so a number or a truth
// value of libucl's is compared with what the text says by libucl's rules.
func differ(ours, theirs any, path string) string {
	switch o := ours.(type) {
	case map[string]any:
		t, ok := theirs.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: ours is a block, theirs %s", path, show(theirs))
		}
		names := map[string]bool{}
		for name := range o {
			names[name] = true
		}
		for name := range t {
			names[name] = true
		}
		for _, name := range sorted(names) {
			a, mine := o[name]
			b, yours := t[name]
			if !mine || !yours {
				return fmt.Sprintf("%s.%s: ours %v, theirs %v", path, name, show(a), show(b))
			}
			if d := differ(a, b, path+"."+name); d != "" {
				return d
			}
		}
		return ""
	case []any:
		t, ok := theirs.([]any)
		if !ok || len(t) != len(o) {
			return fmt.Sprintf("%s: ours is %s, theirs %s", path, show(ours), show(theirs))
		}
		for i := range o {
			if d := differ(o[i], t[i], fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
		return ""
	}
	if !sameScalar(ours.(string), theirs) {
		return fmt.Sprintf("%s: ours is %s, theirs %s", path, show(ours), show(theirs))
	}
	return ""
}

func sameScalar(ours string, theirs any) bool {
	switch t := theirs.(type) {
	case string:
		return ours == t
	case bool:
		return t == strings.Contains(" true yes on ", " "+strings.ToLower(ours)+" ") && t != strings.Contains(" false no off ", " "+strings.ToLower(ours)+" ")
	case nil:
		return ours == "null"
	case json.Number:
		want, err := t.Float64()
		got, ok := number(ours)
		return err == nil && ok && math.Abs(got-want) <= 1e-6*math.Max(1, math.Abs(want))
	}
	return false
}

// number reads a number as libucl does.
func number(text string) (float64, bool) {
	lower := strings.ToLower(text)
	if rest, hex := strings.CutPrefix(strings.TrimPrefix(lower, "-"), "0x"); hex {
		v, err := strconv.ParseUint(rest, 16, 64)
		if strings.HasPrefix(lower, "-") {
			return -float64(v), err == nil
		}
		return float64(v), err == nil
	}
	for _, u := range []struct {
		suffix string
		factor float64
	}{
		{"ms", 0.001}, {"min", 60}, {"s", 1}, {"h", 3600}, {"d", 86400}, {"w", 7 * 86400}, {"y", 365 * 86400},
		{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"", 1},
	} {
		if v, err := strconv.ParseFloat(strings.TrimSuffix(lower, u.suffix), 64); err == nil && strings.HasSuffix(lower, u.suffix) {
			return v * u.factor, true
		}
	}
	return 0, false
}

func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func sorted(set map[string]bool) []string {
	var list []string
	for s := range set {
		list = append(list, s)
	}
	sort.Strings(list)
	return list
}
