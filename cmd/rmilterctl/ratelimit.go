package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
	"rmilter/ratelimit"
)

const ratelimitHelp = `Show and reset the buckets of limits.

WHO is whom they concern, in full: a recipient, a sender, a login, @domain for all
addresses of a domain, or a client's address. KEY is one of list's. Exit code 0 done, 1
nothing matches, 3 the daemon is unreachable, refuses, or its store doesn't answer.`

func (a *app) ratelimitCommand(now func() time.Time) *cobra.Command {
	c := group("ratelimit", "Show and reset the buckets of limits", ratelimitHelp)
	most, all, bucket := 0, false, ""
	names := "only the `BUCKET` of this name: " + strings.Join(ratelimit.Buckets(), ", ")
	list := &cobra.Command{
		Use:   "list [WHO]",
		Short: "List what was taken from which bucket",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			head := []string{"BUCKET", "WHO", "CLIENT", "FROM", "USED", "FULL AGAIN", "KEY"}
			return printList(c.Context(), a, "/ratelimit", bucketsOf(args, bucket), most, head, func(e *controller.LimitEntry) []string { return limitRow(e, now()) })
		},
	}
	list.Flags().IntVarP(&most, "number", "n", 0, "at most `N` of them (default all)")
	list.Flags().StringVar(&bucket, "bucket", "", names)
	show := &cobra.Command{
		Use:   "show KEY",
		Short: "Show all that is known of one",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if !isLimitKey(args[0]) {
				return fmt.Errorf("show takes a key; rmilterctl ratelimit list %s has those of %s", args[0], args[0])
			}
			return a.showLimit(c, args[0], now())
		},
	}
	reset := &cobra.Command{
		Use:   "reset KEY|WHO|--bucket BUCKET|--all",
		Short: "Make buckets full again",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p := bucketsOf(args, bucket)
			switch {
			case all == (len(p) > 0):
				return errors.New("reset needs a key, whom it concerns, --bucket or --all")
			case all:
				p.Set("all", "1")
			case isLimitKey(p.Get("who")):
				if bucket != "" {
					return errors.New("a key says its bucket: --bucket doesn't go with it")
				}
				p = url.Values{"key": args}
			}
			return a.change(c.Context(), "/ratelimit/reset", p, "full again")
		},
	}
	reset.Flags().BoolVar(&all, "all", false, "all buckets")
	reset.Flags().StringVar(&bucket, "bucket", "", names)
	c.AddCommand(list, show, reset)
	return c
}

// bucketsOf makes the parameters that choose buckets.
func bucketsOf(args []string, bucket string) url.Values {
	p := url.Values{}
	if len(args) > 0 && args[0] != "" {
		p.Set("who", args[0])
	}
	if bucket != "" {
		p.Set("bucket", bucket)
	}
	return p
}

// isLimitKey tells a key from an address.
func isLimitKey(text string) bool {
	return slices.ContainsFunc(ratelimit.Buckets(), func(b string) bool { return strings.HasPrefix(text, "limit."+b+".") })
}

func limitRow(e *controller.LimitEntry, now time.Time) []string {
	return []string{e.Bucket, cmp.Or(e.User, e.Rcpt), e.Client, e.From, usedText(e), local(e.Full, now), shellWord(e.Key)}
}

// usedText tells how much of a bucket is in use.
func usedText(e *controller.LimitEntry) string {
	if e.Burst == 0 {
		return "off"
	}
	return fmt.Sprintf("%s of %s", thousands(e.Used), thousands(e.Burst))
}

func (a *app) showLimit(c *cobra.Command, key string, now time.Time) error {
	var e controller.LimitEntry
	if shown, err := a.showOne(c.Context(), "/ratelimit/show", key, &e); shown || err != nil {
		return err
	}
	every := ""
	if e.Burst > 0 {
		every = "one each " + time.Duration(e.Every*float64(time.Second)).Round(time.Microsecond).String()
	}
	a.printFields([][2]string{
		{"key", shellWord(e.Key)}, {"bucket", e.Bucket}, {"user", e.User}, {"rcpt", e.Rcpt}, {"client", e.Client}, {"from", e.From},
		{"used", usedText(&e)}, {"back", every}, {"full", local(e.Full, now)},
	})
	return nil
}
