package policy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rmilter/internal/mail"
	"rmilter/internal/policy"
)

func TestApply(t *testing.T) {
	type header = mail.Header
	field := func(name, raw string) mail.Field { return mail.Field{Name: name, Raw: raw} }
	h := header{field("A", " 1"), field("B", "2"), field("a", "  3"), field("C", " 4"), field("A", " 5")}
	for _, c := range []struct {
		name  string
		edits []policy.Edit
		want  header
	}{
		{"nothing", nil, h},
		{"delete", []policy.Edit{{Kind: policy.DeleteHeader, Index: 2, Name: "a"}}, header{h[0], h[1], h[3], h[4]}},
		{"delete all", []policy.Edit{{Kind: policy.DeleteHeader, Index: 3, Name: "A"}, {Kind: policy.DeleteHeader, Index: 2, Name: "A"}, {Kind: policy.DeleteHeader, Index: 1, Name: "A"}}, header{h[1], h[3]}},
		{"one after the other", []policy.Edit{{Kind: policy.DeleteHeader, Index: 1, Name: "A"}, {Kind: policy.ChangeHeader, Index: 1, Name: "A", Value: "x"}}, header{h[1], field("a", " x"), h[3], h[4]}},
		{"delete what isn't there", []policy.Edit{{Kind: policy.DeleteHeader, Index: 4, Name: "A"}, {Kind: policy.DeleteHeader, Index: 1, Name: "D"}, {Kind: policy.DeleteHeader, Index: 0, Name: "A"}}, h},
		{"change", []policy.Edit{{Kind: policy.ChangeHeader, Index: 1, Name: "b", Value: "x\n y"}}, header{h[0], field("B", " x\n y"), h[2], h[3], h[4]}},
		{"change what isn't there", []policy.Edit{{Kind: policy.ChangeHeader, Index: 2, Name: "B", Value: "x"}}, append(slices.Clone(h), mail.Field{Name: "B", Raw: " x"})},
		{"add", []policy.Edit{{Kind: policy.AddHeader, Name: "B", Value: "x"}, {Kind: policy.ChangeHeader, Index: 2, Name: "B", Value: "y"}}, append(slices.Clone(h), mail.Field{Name: "B", Raw: " y"})},
		{"insert at the top", []policy.Edit{{Kind: policy.InsertHeader, Index: 0, Name: "A", Value: "x"}, {Kind: policy.DeleteHeader, Index: 2, Name: "A"}}, header{field("A", " x"), h[1], h[2], h[3], h[4]}},
		{"insert within", []policy.Edit{{Kind: policy.DeleteHeader, Index: 1, Name: "A"}, {Kind: policy.InsertHeader, Index: 1, Name: "D", Value: "x"}}, header{h[1], field("D", " x"), h[2], h[3], h[4]}},
		{"insert beyond the end", []policy.Edit{{Kind: policy.InsertHeader, Index: 100, Name: "D", Value: "x"}}, append(slices.Clone(h), mail.Field{Name: "D", Raw: " x"})},
		{"not about the header", []policy.Edit{{Kind: policy.AddRcpt, Value: "a@example.com"}, {Kind: policy.Quarantine, Value: "x"}}, h},
	} {
		before := slices.Clone(h)
		if d := cmp.Diff(c.want, policy.Apply(h, c.edits)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if d := cmp.Diff(before, h); d != "" {
			t.Errorf("%s: the argument was changed:\n%s", c.name, d)
		}
	}
	if got := policy.Apply(nil, nil); len(got) != 0 {
		t.Errorf("nothing: got %v", got)
	}
}
