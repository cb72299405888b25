package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/dkim"
	"rmilter/internal/config"
	"rmilter/internal/dns"
	"rmilter/internal/signing"
)

// Exit codes of dkim_check.
const (
	exitKeysWrong = 1 // a key doesn't match its record
	exitNoAnswer  = 3 // all that could be compared match, and the DNS gave no answer for others
)

// dkimTimeout bounds all questions to the DNS together.
const dkimTimeout = 2 * time.Minute

const checkHelp = `Compare the keys of section dkim with their records in the DNS.

Without arguments these are all keys: those of the files, and those in the directories. It
reads the configuration and the keys itself, for which root is needed, or the user of the
daemon, and asks the resolvers of section dns. The answer is a word for each key:

  ok         the record has the key
  differs    the record has another key
  missing    there is no record
  broken     there is one that verifiers can't use
  no_key     the file of the key is missing or can't be used
  temperror  the DNS gave no answer`

func (a *app) dkimCheckCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "dkim_check [DOMAIN SELECTOR]",
		Short: "Compare DKIM keys with their DNS records; exit code 0 all match, 1 some do not, 3 the DNS gave no answer",
		Long:  checkHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return fmt.Errorf("%d arguments; expected DOMAIN and SELECTOR, or none", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			var names []string
			if len(args) == 2 {
				name := dkim.RecordName(strings.TrimSuffix(args[0], "."), args[1])
				if name == "" {
					return fmt.Errorf("%.80q and %.80q are no domain and selector; expected words such as example.com and dkim", args[0], args[1])
				}
				names = append(names, name)
			}
			return a.dkimCheck(c.Context(), path, names)
		},
	}
	configFlag(c, &path)
	return c
}

func (a *app) dkimCheck(ctx context.Context, path string, names []string) error {
	conf, remarks, err := config.Load(path, config.Options{})
	config.Report(a.stderr, "rmilterctl: ", remarks, err)
	if err != nil {
		a.code = exitFaults
		return nil
	}
	conf.DKIM.Enable = true // keys are compared before signing is switched on, too
	resolver, err := dns.New(conf.DNS, dns.Env{})
	if err != nil {
		return err
	}
	defer resolver.Close()
	ctx, cancel := context.WithTimeout(ctx, dkimTimeout)
	defer cancel()
	list := signing.CheckKeys(ctx, conf.DKIM, signing.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}, signing.KeyLookup{Resolver: resolver}, names...)
	a.code = keysCode(list)
	if a.json {
		if list == nil {
			list = []signing.KeyStatus{}
		}
		return a.printJSON(list)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stderr, "rmilterctl: the configuration has no such key")
	}
	for _, k := range list {
		a.printKeyStatus(k)
	}
	return nil
}

// keysCode returns the exit code for what was found out.
func keysCode(list []signing.KeyStatus) int {
	code := exitOK
	for _, k := range list {
		switch {
		case k.Wrong():
			return exitKeysWrong
		case k.State != signing.OK:
			code = exitNoAnswer
		}
	}
	if len(list) == 0 {
		return exitKeysWrong
	}
	return code
}

// printKeyStatus writes a line for a key, and the record that should be there.
func (a *app) printKeyStatus(k signing.KeyStatus) {
	kind := ""
	if k.Type != "" {
		kind = fmt.Sprintf(" (%s, %d bits)", k.Type, k.Bits)
	}
	detail := ""
	if k.Detail != "" {
		detail = ": " + k.Detail
	}
	fmt.Fprintf(a.stdout, "%-9s %s %s, %s%s%s\n", k.State, printable(k.Domain, 300), printable(k.Selector, 100), printable(k.File, 1000), kind, printable(detail, 300))
	if k.Record != "" && k.Wrong() {
		fmt.Fprintf(a.stdout, "    expected at %s: %s\n", k.Name, k.Record)
	}
}
