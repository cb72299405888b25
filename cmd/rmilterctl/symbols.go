package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
)

const symbolsHelp = `Have the daemon look at messages and print their symbols and scores, as rspamc does.

- is standard input, which is also read when no file is named. Nothing is counted,
logged or remembered of what is looked at. Exit code 0 when all messages were looked at,
whatever was found; 1 when one could not be read or was refused; 3 when the daemon is
unreachable or grants no right.`

func (a *app) symbolsCommand() *cobra.Command {
	var e envelopeFlags
	c := &cobra.Command{
		Use:     "symbols [FILE… | -]",
		Short:   "Print what the daemon finds in messages",
		Long:    symbolsHelp,
		Example: "  rmilterctl symbols message.eml\n  rmilterctl symbols -i 203.0.113.7 --helo mx.sender.example -F joe@sender.example -r alice@example.com < message.eml",
		RunE: func(c *cobra.Command, files []string) error {
			flags := []string{}
			if e.profile {
				flags = append(flags, "profile")
			}
			h, err := e.header(flags...)
			if err != nil {
				return err
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			for _, name := range files {
				start := time.Now()
				l, err := a.look(c.Context(), h, name)
				switch {
				case err != nil:
					return err
				case l == nil: // the next one may do
				case a.json:
					if err := a.printAnswer(l.body); err != nil {
						return err
					}
				default:
					fmt.Fprint(a.stdout, renderSymbols(name, time.Since(start), &l.reply))
				}
			}
			return nil
		},
	}
	e.register(c)
	return c
}

// renderSymbols writes a reply as rspamc does.
func renderSymbols(name string, took time.Duration, r *controller.Reply) string {
	if name == "-" {
		name = "stdin"
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	spam := map[string]bool{"reject": true, "soft reject": true, "rewrite subject": true, "add header": true, "quarantine": true, "discard": true}
	line("Results for file: %s (%.3f seconds)", printable(name, 200), took.Seconds())
	line("[Metric: default]")
	line("Action: %s", printable(r.Action, 64))
	line("Spam: %t", spam[r.Action])
	if r.Subject != "" {
		line("Subject: %s", printable(r.Subject, 1000))
	}
	line("Score: %.2f / %.2f", r.Score, r.Required)
	for _, name := range slices.Sorted(maps.Keys(r.Symbols)) {
		s := r.Symbols[name]
		line("Symbol: %s (%.2f)%s", printable(name, 100), s.Score, evidence(s.Options))
	}
	line("Message-ID: %s", printable(r.MessageID, 500))
	if r.QueueID != "" {
		line("Queue-ID: %s", printable(r.QueueID, 100))
	}
	if r.Links != nil {
		line("Urls: %s", shortJSON(r.URLs))
		line("Emails: %s", shortJSON(r.Emails))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Messages)) {
		line("Message - %s: %s", printable(key, 64), printable(r.Messages[key], 500))
	}
	if r.DryRun != "" {
		line("Dry run, otherwise: %s", printable(r.DryRun, 64))
	}
	for _, text := range r.NotKnown {
		line("Not known: %s", printable(text, 500))
	}
	for _, check := range slices.Sorted(maps.Keys(r.Profile)) {
		line("Profile: %s %.0f us", printable(check, 64), r.Profile[check])
	}
	line("")
	return b.String()
}

// evidence writes the options of a symbol in brackets, "" for none.
func evidence(options []string) string {
	if len(options) == 0 {
		return ""
	}
	return "[" + printable(strings.Join(options, ", "), 500) + "]"
}

// shortJSON writes a list on one line.
func shortJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // there is nothing in it that could fail
	}
	return printable(string(b), 5000)
}
