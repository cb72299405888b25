package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
	"rmilter/internal/policy"
)

const explainHelp = `Have the daemon look at a message and explain the verdict: every symbol with its weight,
its sentence and the evidence, what composites take away, what the caps of groups take
off, the thresholds and the action, and what was not known. The scores add up.

- is standard input, which is also read when no file is named. Nothing is counted,
logged or remembered. Exit code 0 when the message was looked at, whatever was found; 1
when it could not be read or was refused; 3 when the daemon is unreachable or grants no
right. --json prints the daemon's reply.`

func (a *app) explainCommand() *cobra.Command {
	var e envelopeFlags
	c := &cobra.Command{
		Use:   "explain [FILE | -]",
		Short: "Explain the verdict on a message",
		Long:  explainHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			h, err := e.header("explain", "groups", "profile")
			if err != nil {
				return err
			}
			l, err := a.look(c.Context(), h, cmp.Or(strings.Join(files, ""), "-"))
			switch {
			case err != nil || l == nil:
				return err
			case a.json:
				return a.printAnswer(l.body)
			case l.reply.Explanation == nil && len(l.letter) > 0:
				return errors.New("the daemon explains nothing: it is older than this program")
			case l.reply.Explanation == nil:
				fmt.Fprintln(a.stdout, "an empty message: there is nothing to look at")
				return nil
			}
			fmt.Fprint(a.stdout, renderExplanation(&l.reply, e.profile))
			return nil
		},
	}
	e.register(c)
	return c
}

// An explainer writes an explanation for people.
type explainer struct {
	strings.Builder
	*controller.Reply
	x *controller.Explanation
}

// renderExplanation writes the explanation of a reply.
func renderExplanation(r *controller.Reply, profile bool) string {
	e := &explainer{Reply: r, x: r.Explanation}
	e.message()
	e.rows()
	e.action()
	e.unknown()
	e.times(profile)
	return e.String()
}

// entry writes a line with a label, or another one below it when the label is "".
func (e *explainer) entry(label, format string, args ...any) {
	fmt.Fprintf(e, "%-11s %s\n", label, fmt.Sprintf(format, args...))
}

// message tells what the message is and who sent it.
func (e *explainer) message() {
	x := e.x
	e.entry("message", "<%s>  %q  %s bytes", printable(e.MessageID, 200), printable(x.Subject, 100), thousands(x.Size))
	client := joinParts("  ", printable(x.IP, 64), printable(x.Hostname, 255))
	if x.Helo != "" {
		client = joinParts("  ", client, "HELO "+printable(x.Helo, 255))
	}
	if x.User != "" {
		client = joinParts("  ", client, "user "+printable(x.User, 255))
	}
	e.entry("client", "%s", joinParts("  ", client, trustText(x.Trust)))
	if !slices.Contains(x.Missing, controller.MissingSender) {
		e.entry("from", "%s", printable(x.From, 255))
	}
	label := "to"
	for _, s := range x.Shares {
		switch {
		case s.Count > 0:
			e.entry(label, "%s  settings %s", rcptsText(&s), printable(s.Name, 64))
			label = ""
		case s.Name != policy.DefaultSettings:
			e.entry("settings", "%s", printable(s.Name, 64))
		}
	}
	if skipped := skippedText(x.Skipped); skipped != "" {
		e.entry("as mail", "it is not scanned: %s", skipped)
	}
	e.WriteString("\n")
}

// trustText tells what a client is to us.
func trustText(trust string) string {
	switch trust {
	case "-":
		return "a stranger"
	case "relay":
		return "a trusted relay"
	case "net":
		return "in our_networks"
	case "daemon":
		return "by originating_daemons"
	case "auth":
		return "logged in"
	case "local":
		return "on the MTA's machine"
	}
	return printable(trust, 64)
}

// skippedText tells why a message is not scanned.
func skippedText(why string) string {
	switch why {
	case "":
		return ""
	case "ours":
		return "it is our own (strict_auth = no)"
	case "client_whitelist":
		return "the client is in spamd { whitelist }"
	case "whitelist":
		return "none of the recipients wants checks"
	}
	return printable(why, 64)
}

// rcptsText lists recipients.
func rcptsText(s *controller.ShareOf) string {
	text := printable(strings.Join(s.Recipients, ", "), 500)
	if more := s.Count - len(s.Recipients); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// rows writes the rows of the score, and their sum.
func (e *explainer) rows() {
	if len(e.x.Rows) == 0 {
		e.entry("symbols", "none")
		return
	}
	digits, name, group := 2, len("symbol"), len("group")
	for _, r := range e.x.Rows {
		digits = max(digits, decimals(r.Score), decimals(r.Full))
		name, group = max(name, len(printable(r.Symbol, 64))), max(group, len(printable(r.Group, 40)))
	}
	line := func(score, symbol, of, text string) {
		fmt.Fprintln(e, strings.TrimRight(fmt.Sprintf("%*s  %-*s  %-*s  %s", digits+7, score, name, symbol, group, of, text), " "))
	}
	line("score", "symbol", "group", "what was found")
	sum := 0.0
	for _, r := range e.x.Rows {
		sum += r.Score
		line(number(r.Score, digits), printable(r.Symbol, 64), printable(r.Group, 40), printable(r.Description, 500))
		if text := evidence(r.Options); text != "" {
			line("", "", "", text)
		}
		if r.RemovedBy != "" {
			line("", "", "", fmt.Sprintf("%s stands for it; alone it would add %s", printable(r.RemovedBy, 64), number(r.Full, digits)))
		}
	}
	line(strings.Repeat("-", digits+4), "", "", "")
	line(number(sum, digits), "", "", "")
	if math.Abs(sum-e.Score) > 1e-9 {
		line(number(e.Score, 2), "", "", "rounded")
	}
	e.WriteString("\n")
}

// decimals returns how many digits a number has behind the point, at most 6.
func decimals(v float64) int {
	s := strconv.FormatFloat(math.Round(math.Abs(v)*1e6)/1e6, 'f', -1, 64)
	_, fraction, _ := strings.Cut(s, ".")
	return len(fraction)
}

// number writes a score, never -0.
func number(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// action tells what follows from the score.
func (e *explainer) action() {
	x := e.x
	label := "thresholds"
	for _, s := range x.Shares {
		text := thresholdsText(s.Thresholds, s.Score)
		if len(x.Shares) > 1 {
			text = printable(s.Name, 64) + ": score " + number(s.Score, 2) + ", " + text + "; " + e.leadsTo(&s)
		}
		e.entry(label, "%s", text)
		label = ""
	}
	if len(x.Shares) > 1 {
		e.entry("", "the mildest action counts for all")
	}
	if p := x.Passthrough; p != nil {
		e.entry("forced by", "%s: %s", printable(p.Source, 64), joinParts(" ", printable(p.Action, 64), quoted(p.Message)))
	}
	e.entry("action", "%s", printable(e.verdict(), 200))
	if x.Softened != "" {
		e.entry("", "it would be %s, which is not done to mail of this client", printable(x.Softened, 64))
	}
	if x.DryRun {
		e.entry("", "dry_run = yes: of mail nothing is carried out")
	}
	if x.Reply != "" {
		e.entry("reply", "%s", printable(x.Reply, 600))
	}
	label = "changes"
	for _, c := range x.Edits {
		e.entry(label, "%s", editText(c))
		label = ""
	}
}

// verdict is the action, also one that dry_run keeps from being carried out.
func (e *explainer) verdict() string { return cmp.Or(e.DryRun, e.Action) }

// leadsTo tells what some recipients' settings lead to.
func (e *explainer) leadsTo(s *controller.ShareOf) string {
	text := printable(s.Action, 64)
	if s.NeverReject {
		text += " (spamd_never_reject)"
	}
	if s.Skip {
		text += " (no checks wanted)"
	}
	if s.Counts {
		text += ", counts"
	}
	return text
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return strconv.Quote(printable(s, 200))
}

// thresholdsText tells which thresholds a score reaches, the lowest first.
func thresholdsText(t map[string]float64, score float64) string {
	names := slices.SortedFunc(maps.Keys(t), func(a, b string) int { return cmp.Or(cmp.Compare(t[a], t[b]), cmp.Compare(a, b)) })
	var parts []string
	for _, name := range names {
		text := fmt.Sprintf("%s %s", printable(name, 64), number(t[name], 2))
		if score >= t[name] {
			text += " reached"
		} else {
			text += " (" + number(t[name]-score, 2) + " more)"
		}
		parts = append(parts, text)
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// editText tells one change to the message.
func editText(c controller.HeaderEdit) string {
	text := printable(c.Op, 64)
	if c.Name != "" {
		text += " " + printable(c.Name, 100)
	}
	if c.Index > 0 {
		text += fmt.Sprintf(" (%d)", c.Index)
	}
	if c.Value != "" {
		text += ": " + printable(strings.NewReplacer("\n", "", "\t", " ").Replace(c.Value), 200)
	}
	return text
}

// unknown tells what the verdict doesn't rest on.
func (e *explainer) unknown() {
	if len(e.x.Missing) > 0 {
		e.entry("not told", "%s: what needs it was not looked at", printable(strings.Join(e.x.Missing, ", "), 500))
	}
	label := "not known"
	for _, text := range e.NotKnown {
		e.entry(label, "%s", printable(text, 500))
		label = ""
	}
}

// times tells how long it took, the slowest check first.
func (e *explainer) times(profile bool) {
	e.entry("time", "%s, checks run: %d", milliseconds(e.Time*1000), len(e.x.Checks))
	if !profile {
		return
	}
	checks := slices.Clone(e.x.Checks)
	slices.SortStableFunc(checks, func(a, b controller.CheckResult) int { return cmp.Compare(b.Time, a.Time) })
	for _, c := range checks {
		text := fmt.Sprintf("%10.0f us  %s", c.Time, printable(c.Name, 64))
		if c.Failed != "" {
			text += "  failed: " + printable(c.Failed, 200)
		}
		e.entry("", "%s", text)
	}
}
