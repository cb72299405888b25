package policy

import (
	"slices"

	"rmilter/internal/mail"
)

// Apply returns the header as it is after edits, carried out one after the other as
// an MTA does: what has to be signed. Edits that don't concern the header are passed
// over. h itself stays as it is.
func Apply(h mail.Header, edits []Edit) mail.Header {
	var d draft
	d.load(h, edits)
	for i, e := range edits {
		field := mail.Field{Name: e.Name, Raw: " " + e.Value}
		switch e.Kind {
		case DeleteHeader:
			d.delete(e.Name, e.Index)
		case ChangeHeader:
			// Postfix and sendmail add the field when there is none.
			if at, ok := d.find(e.Name, e.Index); ok {
				d.fields[at].Raw = field.Raw
			} else {
				d.add(field)
			}
		case AddHeader:
			d.add(field)
		case InsertHeader:
			all := d.header()
			d.load(slices.Insert(all, min(max(e.Index, 0), len(all)), field), edits[i+1:])
		}
	}
	return d.header()
}

// A draft is a header under change. It knows where the fields are that edits name, so
// that a thousand deletions don't walk a large header a thousand times.
type draft struct {
	fields mail.Header
	gone   map[int]bool     // deleted, by index in fields
	where  map[string][]int // by lower-case name of those that edits name
}

// load begins with a copy of h.
func (d *draft) load(h mail.Header, edits []Edit) {
	*d = draft{fields: slices.Clone(h), gone: map[int]bool{}, where: map[string][]int{}}
	for _, e := range edits {
		d.where[mail.LowerASCII(e.Name)] = nil
	}
	for i, f := range h {
		if name := mail.LowerASCII(f.Name); d.named(name) {
			d.where[name] = append(d.where[name], i)
		}
	}
}

func (d *draft) named(lowerName string) bool {
	_, ok := d.where[lowerName]
	return ok
}

// find returns where the index-th field of a name is.
func (d *draft) find(name string, index int) (int, bool) {
	at := d.where[mail.LowerASCII(name)]
	if index < 1 || index > len(at) {
		return 0, false
	}
	return at[index-1], true
}

// delete removes the index-th field of a name.
func (d *draft) delete(name string, index int) {
	if at, ok := d.find(name, index); ok {
		d.gone[at] = true
		key := mail.LowerASCII(name)
		d.where[key] = slices.Delete(d.where[key], index-1, index)
	}
}

// add appends a field.
func (d *draft) add(f mail.Field) {
	key := mail.LowerASCII(f.Name)
	d.where[key] = append(d.where[key], len(d.fields))
	d.fields = append(d.fields, f)
}

// header returns what is left.
func (d *draft) header() mail.Header {
	h := make(mail.Header, 0, len(d.fields)-len(d.gone))
	for i, f := range d.fields {
		if !d.gone[i] {
			h = append(h, f)
		}
	}
	return h
}
