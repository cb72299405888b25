package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/config"
	"rmilter/internal/postconf"
	"rmilter/internal/ucl"
)

// Exit codes of configtest and configdump.
const (
	exitFaults = 1 // the configuration has faults
	exitStrict = 2 // it has none but there are warnings, with --strict
)

// postfixTimeout bounds all runs of postconf together.
const postfixTimeout = 30 * time.Second

// A tested is what configtest found, with the words of reload's answer for what
// they have in common.
type tested struct {
	Success      bool             `json:"success"` // no faults
	Config       string           `json:"config"`
	Hash         string           `json:"hash,omitempty"`
	Faults       []string         `json:"faults"`
	Warnings     []string         `json:"warnings"`
	Notices      []string         `json:"notices"`
	Postfix      *postconf.Report `json:"postfix,omitempty"`
	PostfixError string           `json:"postfix_error,omitempty"` // why there is no postfix
}

// A configtest is one call of the command.
type configtest struct {
	path    string
	postfix string // directory of main.cf
	strict  bool
}

func (a *app) configtestCommand() *cobra.Command {
	var o configtest
	c := &cobra.Command{
		Use:   "configtest",
		Short: "Test the configuration, and what Postfix says about it; exit code 0 fine, 1 faults, 2 warnings with --strict",
		Long: `configtest reads the configuration as the daemon would, and the rules, lists and signing
keys that it names, and tells every fault and warning.
Where there is a Postfix it compares that with its main.cf and master.cf: who asks rmilter,
with which time limits, and whose mail is ours. It needs neither the daemon nor root.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.configtest(c.Context(), o) },
	}
	f := c.Flags()
	configFlag(c, &o.path)
	f.StringVar(&o.postfix, "postfix", "", "`DIR` with the main.cf of the Postfix to look at (default: postconf's)")
	f.BoolVar(&o.strict, "strict", false, "warnings too make the exit code other than 0")
	return c
}

// configFlag adds the flag for the configuration file.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", config.DefaultPath, "read the configuration from `FILE`")
}

func (a *app) configtest(ctx context.Context, o configtest) error {
	conf, remarks, err := config.Load(o.path, config.Options{})
	if err == nil {
		var more []ucl.Diagnostic
		more, err = conf.Usable()
		remarks = append(remarks, more...)
	}
	t := tested{Success: err == nil, Config: o.path}
	t.Faults, t.Warnings, t.Notices = ucl.Texts(ucl.Faults(err), ucl.Fault), ucl.Texts(remarks, ucl.Warning), ucl.Texts(remarks, ucl.Notice)
	warnings := len(t.Warnings)
	if err == nil {
		t.Hash = conf.Hash
		if err := a.lookAtPostfix(ctx, o, conf, &t); err != nil {
			t.PostfixError = err.Error()
			if o.postfix != "" { // it was asked for
				warnings++
			}
		} else {
			warnings += t.Postfix.Warnings()
		}
	}
	switch {
	case !t.Success:
		a.code = exitFaults
	case o.strict && warnings > 0:
		a.code = exitStrict
	}
	if a.json {
		return a.printJSON(t)
	}
	config.Report(a.stdout, "", remarks, err)
	if t.Success {
		fmt.Fprintf(a.stdout, "%s: configuration is fine\n", printable(o.path, 1000))
		t.printPostfix(a.stdout)
	}
	return nil
}

// lookAtPostfix compares the configuration with Postfix's, if there is one.
func (a *app) lookAtPostfix(ctx context.Context, o configtest, conf *config.Config, t *tested) error {
	program := postconf.Find(a.getenv("PATH"))
	if program == "" {
		return errors.New("there is no program postconf")
	}
	dir := o.postfix
	if dir != "" {
		var err error
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, postfixTimeout)
	defer cancel()
	p, err := postconf.Read(ctx, program, dir)
	if err != nil {
		return err
	}
	r := postconf.Check(p, conf, postconf.ThisMachine())
	t.Postfix = &r
	return nil
}

// printPostfix writes what was found out about Postfix, for people.
func (t *tested) printPostfix(w io.Writer) {
	if t.Postfix == nil {
		fmt.Fprintf(w, "Postfix isn't looked at: %s\n", printable(t.PostfixError, 500))
		return
	}
	fmt.Fprintf(w, "Postfix %s, %s\n", printable(t.Postfix.Version, 50), printable(t.Postfix.Dir, 1000))
	rows, wide := [][2]string{}, 0
	for _, s := range t.Postfix.Services {
		text := "doesn't ask rmilter"
		if s.Milter != "" {
			text = "asks rmilter at " + s.Milter + "; without an answer " + s.Without
		}
		if s.Ours && s.Role != postconf.Local {
			text += "; its mail is ours (" + s.Daemon + ")"
		}
		rows = append(rows, [2]string{printable(s.Service, 60), printable(text, 500)})
		wide = max(wide, len([]rune(rows[len(rows)-1][0])))
	}
	for _, r := range rows {
		fmt.Fprintf(w, "    %-*s  %s\n", wide, r[0], r[1])
	}
	for _, f := range t.Postfix.Findings {
		fmt.Fprintf(w, "%s: %s\n    %s\n", f.Severity, printable(f.Text, 500), printable(f.Effect, 500))
		if f.File == "" {
			continue
		}
		place := t.place(f.File)
		if f.Line == "" {
			fmt.Fprintf(w, "    mend it in %s\n", place)
		}
		for line := range strings.Lines(f.Line) {
			fmt.Fprintf(w, "    mend it in %s: %s\n", place, printable(strings.TrimRight(line, "\n"), 1000))
		}
	}
}

// place names a file of a finding with its path.
func (t *tested) place(file string) string {
	switch {
	case strings.HasPrefix(file, "main.cf"), strings.HasPrefix(file, "master.cf"):
		return printable(filepath.Join(t.Postfix.Dir, file), 1000)
	case file == "rmilter.conf":
		return printable(t.Config, 1000)
	}
	return printable(file, 1000)
}
