package main

import (
	"strings"

	"github.com/spf13/cobra"

	"rmilter/internal/config"
	"rmilter/internal/ucl"
)

func (a *app) configdumpCommand() *cobra.Command {
	var path string
	var origin bool
	c := &cobra.Command{
		Use:   "configdump [SECTION [KEY] [OPTION]]",
		Short: "Print the configuration in force after all files and defaults; exit code 1 when it has faults",
		Long: `configdump prints every option with the value that it has after all files and defaults,
in the form of the file. It reads the files, not the running daemon. Passwords are not shown.`,
		Example: `  rmilterctl configdump --origin
  rmilterctl configdump actions
  rmilterctl configdump worker controller
  rmilterctl configdump actions.reject`,
		RunE: func(_ *cobra.Command, args []string) error { return a.configdump(path, selector(args), origin) },
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&origin, "origin", false, "tell where each value was set")
	return c
}

// selector joins the words of the command line. One that the shell has freed of its
// quotes gets them back.
func selector(args []string) string {
	if len(args) < 2 {
		return strings.Join(args, "")
	}
	var words []string
	for _, w := range args {
		if strings.ContainsAny(w, " \t") && !strings.Contains(w, `"`) {
			w = ucl.Quote(w)
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func (a *app) configdump(path, selector string, origin bool) error {
	conf, remarks, err := config.Load(path, config.Options{})
	config.Report(a.stderr, "rmilterctl: ", remarks, err)
	if err != nil {
		a.code = exitFaults
		return nil
	}
	if !a.json {
		return conf.Dump(a.stdout, selector, origin)
	}
	values, err := conf.Values(selector)
	if err != nil {
		return err
	}
	return a.printJSON(values)
}
