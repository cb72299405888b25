package uclpeer

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"rmilter/internal/ucl"
)

// TestRandom has random trees in random styles. Both sides read what was written, and
// what Format makes of it.
func TestRandom(t *testing.T) {
	n := 300
	if os.Getenv("RMILTER_DRILL") == "1" {
		n = 2000
	}
	var samples []sample
	var trees []map[string]any
	for i := range n {
		w := &writer{r: rand.New(rand.NewPCG(4, uint64(i)))}
		m := w.block(0, w.pick(";\n", "\n", "; ", ",\n"))
		trees = append(trees, m)
		samples = append(samples, sample{name: "random text " + strconv.Itoa(i), text: w.String()})
	}
	compare(t, samples)
	var formatted []sample
	for i, s := range samples {
		l := &ucl.Loader{Vars: variables()}
		b := l.ReadText("text", s.text)
		if d := differ(normal(b), any(trees[i]), ""); d != "" {
			t.Errorf("%s: %q is not read as it was written: %s", s.name, s.text, d)
		}
		formatted = append(formatted, sample{name: s.name + ", formatted", text: ucl.Format(b)})
	}
	compare(t, formatted)
}

// A writer makes up trees and writes them while it does.
type writer struct {
	strings.Builder
	r *rand.Rand
}

func (w *writer) pick(list ...string) string { return list[w.r.IntN(len(list))] }

// block writes directives, each with the end given, and returns their normal form.
func (w *writer) block(depth int, end string) map[string]any {
	m := map[string]any{}
	for range w.r.IntN(6) {
		w.comment()
		w.WriteString(strings.Repeat(w.pick("", " ", "\t"), depth))
		// Each name comes once: libucl would join two arrays.
		name := w.pick("a", "b", "max_size", "add-header", "x1", "Bind") + strconv.Itoa(w.Len())
		m[name] = w.statement(name, depth, end)
	}
	return m
}

func (w *writer) comment() {
	if w.r.IntN(6) == 0 {
		w.WriteString(w.pick("# x = 1; {\n", "/* x = 1; } */", "/* a /* b */\n c */\n", "\n\n", "  "))
	}
}

// statement writes a directive or a section and returns its value.
func (w *writer) statement(name string, depth int, end string) any {
	if w.r.IntN(4) == 0 {
		w.WriteString(ucl.Quote(name))
	} else {
		w.WriteString(name)
	}
	if w.r.IntN(4) == 0 && depth < 5 {
		return w.section(depth, end)
	}
	sign := w.pick("=", " = ", ": ", " : ", " =\n ", " ")
	if sign == " " && strings.HasPrefix(end, ",") {
		sign = " = " // without a sign the comma would go on with a list
	}
	w.WriteString(sign)
	if sign == " " { // libucl looks for a brace in what stands there
		v := w.plain()
		w.WriteString(end)
		return v
	}
	v, doc := w.value(depth, strings.Contains(sign, ":"))
	if doc {
		end = "\n"
	}
	w.WriteString(end)
	return v
}

// section writes keys and a block.
func (w *writer) section(depth int, end string) any {
	var keys []string
	for range w.r.IntN(6) / 2 {
		keys = append(keys, w.pick("k", "controller", "x1"))
		w.WriteString(" " + w.pick(keys[len(keys)-1], ucl.Quote(keys[len(keys)-1])))
	}
	w.WriteString(w.pick(" {", " { ", " {\n"))
	var v any = w.block(depth+1, w.pick(";\n", "\n", "; ", ",\n"))
	w.WriteString(w.pick("}", " }", "\n}"))
	w.WriteString(w.pick("\n", ";", " ", end))
	for i := len(keys) - 1; i >= 0; i-- {
		v = map[string]any{keys[i]: v}
	}
	return v
}

// value writes a value. The second result tells that a line break must follow.
func (w *writer) value(depth int, colon bool) (v any, doc bool) {
	switch k := w.r.IntN(10); {
	case k < 6 || depth > 4:
		return w.plain(), false
	case k < 8:
		return w.quoted(), false
	case k < 9:
		return w.array(depth), false
	}
	if w.r.IntN(2) == 0 {
		text := w.lines()
		w.WriteString("<<EOD\n" + text + "\nEOD")
		return text, true
	}
	w.WriteString("{")
	if !colon {
		w.WriteString(" ")
	}
	m := w.block(depth+1, w.pick(";\n", "\n", "; "))
	w.WriteString("}")
	return m, false
}

// plain writes a text without quotes.
func (w *writer) plain() string {
	var text string
	if w.r.IntN(2) == 0 {
		text = w.pick("0", "-15", "1.5", "10k", "10mb", "5min", "yes", "Off", "true", "null", "0x1f", "192.0.2.1", "$2$x", "$NOTHING")
	} else {
		text = w.pick("x", "word", "/etc/x", "user@example.com", "<>", "%s", "äöü")
		for range w.r.IntN(3) {
			text += w.pick(" ", "-", ".", "  ") + w.pick("y", "1", "$a", "/b", "z@example.org", "ß")
		}
	}
	w.WriteString(text)
	return text
}

func (w *writer) quoted() string {
	var text string
	for range w.r.IntN(8) {
		text += w.pick("a", " ", ";", "#", "{", "}", ",", "=", "\n", "\t", `\`, `"`, "'", "$", "ä", "€", "/*", "10k")
	}
	if w.r.IntN(2) == 0 && !strings.ContainsAny(text, "'\\\n") {
		w.WriteString("'" + text + "'")
	} else {
		w.WriteString(ucl.Quote(text))
	}
	return text
}

func (w *writer) lines() string {
	var lines []string
	for range 1 + w.r.IntN(4) {
		lines = append(lines, w.pick("", "x", "  y = 1;", "# {", `"`, `\n \`, "EODX", " EOD", "$NOTHING", "/*"))
	}
	return strings.Join(lines, "\n")
}

func (w *writer) array(depth int) any {
	list := []any{}
	w.WriteString(w.pick("[", "[ ", "[\n"))
	for i := range w.r.IntN(5) {
		if i > 0 {
			w.WriteString(w.pick(",", ", ", ",\n  "))
		}
		v, doc := w.value(depth+1, true)
		if doc {
			w.WriteString("\n")
		}
		list = append(list, v)
	}
	w.WriteString(w.pick("]", " ]", "\n]"))
	return list
}
