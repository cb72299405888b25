package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
)

// exitListsSilent says that a list gave no answer that counts.
const exitListsSilent = 1

const rblHelp = `Ask the DNS lists about an address, a domain or an e-mail address, now, and print what
each says and how long it took.

All lists in use that know things of that kind are asked, also one that mail is not looked
up in at present; with NAME, which is that of a list or its zone, only that one, in use or
not. The daemon asks, with its resolvers and its cache. The first word of a line is

  listed     with the symbols that mail gets for it
  -          it isn't listed
  blocked    the list doesn't answer this resolver
  unknown    the answer is none that the list documents
  error      there is no answer

Exit code 0 all have answered; 1 one gave no answer that counts, or there is no such list;
3 the daemon is unreachable or refuses.`

func (a *app) rblCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rbl [NAME] ADDRESS|DOMAIN|EMAIL",
		Short: "Ask the DNS lists about an address, a domain or an e-mail address",
		Long:  rblHelp,
		Args:  cobra.RangeArgs(1, 2),
		RunE:  func(c *cobra.Command, args []string) error { return a.rbl(c.Context(), args) },
	}
}

func (a *app) rbl(ctx context.Context, args []string) error {
	p := url.Values{"what": args[len(args)-1:]}
	if len(args) == 2 {
		p.Set("list", args[0])
	}
	got, err := a.call(ctx, query{method: http.MethodGet, path: "/rbl?" + p.Encode(), limit: longTimeout}, http.StatusOK, http.StatusNotFound, http.StatusBadRequest)
	if err != nil {
		return err
	}
	if got.code != http.StatusOK {
		var no controller.Changed
		switch {
		case json.Unmarshal(got.body, &no) != nil || no.Error == "":
			return &unreachableError{ways: []error{refusal(got)}, refused: true}
		case got.code == http.StatusBadRequest:
			return fmt.Errorf("%s", no.Error)
		}
		a.code = exitNothing
		fmt.Fprintf(a.stderr, "rmilterctl: %s\n", printable(no.Error, 1000))
		return nil
	}
	var reply controller.ListsReply
	if json.Unmarshal(got.body, &reply) != nil || reply.Lists == nil {
		return &unreachableError{ways: []error{errStrange}, refused: true}
	}
	for i := range reply.Lists {
		if w, _ := listVerdict(&reply.Lists[i]); w != "listed" && w != "-" {
			a.code = exitListsSilent
		}
	}
	if a.json {
		return a.printAnswer(got.body)
	}
	a.printLists(&reply)
	return nil
}

// printLists writes a line for each list, and below it what the list tells people.
func (a *app) printLists(reply *controller.ListsReply) {
	if len(reply.Lists) == 0 {
		fmt.Fprintln(a.stdout, "no list is asked about that")
		return
	}
	words := make([][2]string, len(reply.Lists))
	name, asked := 0, 0
	for i := range reply.Lists {
		l := &reply.Lists[i]
		words[i][0], words[i][1] = listVerdict(l)
		name, asked = max(name, len(printable(l.Name, 40))), max(asked, len(printable(l.Asked, 300)))
	}
	for i := range reply.Lists {
		l := &reply.Lists[i]
		took := milliseconds(l.Took)
		if l.Cached {
			took = "cache"
		}
		state := ""
		if l.State == "out" || l.State == "off" {
			state = "(mail: " + l.State + ")"
		}
		line := fmt.Sprintf("%-8s %-*s  %-*s  %8s  %s", words[i][0], name, printable(l.Name, 40), asked, printable(l.Asked, 300), took, joinParts("  ", words[i][1], state))
		fmt.Fprintln(a.stdout, strings.TrimRight(line, " "))
		for _, text := range l.Texts {
			fmt.Fprintf(a.stdout, "%9s%s\n", "", printable(text, 300))
		}
	}
}

// listVerdict returns the word for what a list says, and more about it.
func listVerdict(l *controller.ListReply) (word, more string) {
	switch {
	case l.Error != "":
		return "error", printable(l.Error, 300)
	case l.Blocked:
		return "blocked", addresses(l.Answers)
	case len(l.Symbols) > 0:
		var parts []string
		for _, s := range l.Symbols {
			parts = append(parts, fmt.Sprintf("%s %s (%s)", s.Answer, printable(s.Symbol, 64), number(s.Weight, 2)))
		}
		return "listed", strings.Join(parts, ", ")
	case len(l.Undocumented) > 0:
		return "unknown", addresses(l.Undocumented)
	case len(l.Answers) > 0:
		return "listed", addresses(l.Answers)
	}
	return "-", ""
}

func addresses(list []netip.Addr) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, ", ")
}
