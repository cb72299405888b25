package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/greylist"
)

const greylistHelp = `Show and change what greylisting knows.

FILTER is text that stands in the key, the sender or a recipient; or an address or
network of clients; or several of these, which must all match. KEY is one of list's, in
quotes: it begins with data, envelope or domain. Exit code 0 done, 1 nothing matches, 3
the daemon is unreachable, refuses, or its store doesn't answer.`

func (a *app) greylistCommand(now func() time.Time) *cobra.Command {
	c := group("greylist", "Show and change what greylisting knows", greylistHelp)
	most, all := 0, false
	list := &cobra.Command{
		Use:   "list [FILTER]",
		Short: "List who waits, who may come again now, and who has passed",
		RunE: func(c *cobra.Command, args []string) error {
			head := []string{"STATE", "CLIENT", "FROM", "RECIPIENTS", "SINCE", "UNTIL", "KEY"}
			return printList(c.Context(), a, "/greylist", filterOf(args), most, head, func(e *greylist.Entry) []string { return greylistRow(e, now()) })
		},
	}
	list.Flags().IntVarP(&most, "number", "n", 0, "at most `N` of them (default all)")
	show := &cobra.Command{
		Use:   "show KEY",
		Short: "Show all that is known of one",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.showGreylist(c, args, now()) },
	}
	pass := &cobra.Command{
		Use:   "pass KEY|FILTER",
		Short: "Let those who wait pass from now on",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return a.passGreylist(c, args, now()) },
	}
	clearing := &cobra.Command{
		Use:   "clear KEY|FILTER|--all",
		Short: "Forget them, so that they are new",
		RunE: func(c *cobra.Command, args []string) error {
			p := filterOf(args)
			switch word := strings.Join(args, " "); {
			case all == (word != ""):
				return errors.New("clear needs a key, a filter or --all")
			case all:
				p.Set("all", "1")
			case isGreylistKey(word):
				p = url.Values{"key": {word}}
			}
			return a.change(c.Context(), "/greylist/clear", p, "forgotten")
		},
	}
	clearing.Flags().BoolVar(&all, "all", false, "all that greylisting knows")
	c.AddCommand(list, show, pass, clearing)
	return c
}

// group is a command that only holds others.
func group(name, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:   name + " COMMAND",
		Short: short,
		Long:  long,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return fmt.Errorf("which command? See rmilterctl %s --help", name)
		},
	}
}

// filterOf makes the parameters of a filter.
func filterOf(args []string) url.Values {
	p := url.Values{}
	if text := strings.Join(args, " "); text != "" {
		p.Set("filter", text)
	}
	return p
}

// isGreylistKey tells a key from a filter.
func isGreylistKey(text string) bool {
	kind, rest, _ := strings.Cut(text, " ")
	switch greylist.Kind(kind) {
	case greylist.Data, greylist.Envelope, greylist.Domain:
		return strings.TrimSpace(rest) != ""
	}
	return false
}

func greylistRow(e *greylist.Entry, now time.Time) []string {
	until := e.Until
	if e.State == greylist.EntryReady {
		until = e.Expires
	}
	return []string{string(e.State), e.Client, e.From, recipientsOf(e), local(e.Since, now), local(until, now), shellWord(e.Key)}
}

// recipientsOf names the recipients of an entry, and how many more it had.
func recipientsOf(e *greylist.Entry) string {
	text := strings.Join(e.Rcpts, ",")
	if e.More > 0 {
		text += fmt.Sprintf(" and %d more", e.More)
	}
	return text
}

func (a *app) showGreylist(c *cobra.Command, args []string, now time.Time) error {
	var e greylist.Entry
	if shown, err := a.showOne(c.Context(), "/greylist/show", strings.Join(args, " "), &e); shown || err != nil {
		return err
	}
	until, passes := local(e.Until, now), ""
	if e.State != greylist.EntryWhite {
		until, passes = "", until
	}
	a.printFields([][2]string{
		{"key", shellWord(e.Key)}, {"state", string(e.State)}, {"client", e.Client}, {"from", e.From}, {"rcpts", recipientsOf(&e)}, {"domain", e.Domain},
		{"since", local(e.Since, now)}, {"passes", passes}, {"until", until}, {"forgotten", local(e.Expires, now)},
	})
	return nil
}

// passGreylist lets the one of a key pass, or all who wait that a filter matches.
func (a *app) passGreylist(c *cobra.Command, args []string, now time.Time) error {
	word := strings.Join(args, " ")
	keys := []string{word}
	if !isGreylistKey(word) {
		keys = nil
		_, err := each(c.Context(), a, "/greylist", filterOf(args), 0, func(part []greylist.Entry) error {
			for _, e := range part {
				if e.State != greylist.EntryWhite {
					keys = append(keys, e.Key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	passed := []json.RawMessage{}
	for _, key := range keys {
		var e greylist.Entry
		found, body, err := a.ask(c.Context(), http.MethodPost, "/greylist/pass", url.Values{"key": {key}}, &e)
		if err != nil {
			return err
		}
		if !found { // it may have been forgotten meanwhile
			continue
		}
		passed = append(passed, body)
		if !a.json {
			fmt.Fprintf(a.stdout, "passes until %s: %s\n", local(e.Until, now), printable(shellWord(e.Key), 1000))
		}
	}
	switch {
	case len(passed) == 0:
		a.nothing()
	case a.json:
		body, err := json.Marshal(passed)
		if err != nil {
			return err
		}
		return a.printAnswer(body)
	}
	return nil
}
