// Command rmilterctl asks and steers a running rmilter through its controller.
//
// It speaks over the control socket of this machine, or over HTTP with the options
// of rspamc: -h names the host, so that help is --help only. The exit codes of
// status are for monitoring: 0 ok, 1 degraded, 2 not filtering, 3 unreachable, which
// includes that the daemon refused to answer. The other commands end with 0 when all
// went well, 1 when the answer is no, and 3 as status. A command line that is not
// understood ends with 64.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/metrics"
)

// Exit codes.
const (
	exitOK           = 0
	exitDegraded     = 1
	exitNotFiltering = 2
	exitUnreachable  = 3
	exitUsage        = 64 // EX_USAGE of sysexits.h
)

const help = `rmilterctl asks and steers a running rmilter.

Without -h it uses the control socket of this machine, and HTTP on 127.0.0.1:11334
when the socket does not answer. With -h it uses HTTP to that host only, with
--socket that socket only, with both the socket first.`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// An app is one call of the program.
type app struct {
	client
	json   bool
	stdout io.Writer
	stderr io.Writer
	code   int // exit code that a command set
}

// run is the whole program; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	a := &app{stdout: stdout, stderr: stderr}
	a.stdin, a.getenv = stdin, getenv
	root := a.commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(context.Background()); err != nil {
		fmt.Fprintf(stderr, "rmilterctl: %s\n", printable(err.Error(), 1000))
		var e *unreachableError
		if errors.As(err, &e) {
			return exitUnreachable
		}
		return exitUsage
	}
	return a.code
}

func (a *app) commands() *cobra.Command {
	root := &cobra.Command{
		Use:           "rmilterctl COMMAND",
		Short:         "Ask and steer a running rmilter",
		Long:          help,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return errors.New("which command? See rmilterctl --help")
		},
	}
	f := root.PersistentFlags()
	// Defined here, help gets no shorthand: -h is the host.
	f.Bool("help", false, "show help")
	f.StringVarP(&a.host, "connect", "h", "", "`HOST[:PORT]` of the controller (default 127.0.0.1:11334)")
	f.StringVarP(&a.password, "password", "P", "", "`PASSWORD` for HTTP, - to read it from standard input (default: $RMILTER_PASSWORD)")
	f.StringVar(&a.socket, "socket", "", "`PATH` of the control socket (default "+defaultSocket+")")
	f.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.statusCommand(), a.versionCommand())
	root.AddCommand(a.configtestCommand(), a.configdumpCommand())
	root.AddCommand(a.symbolsCommand(), a.explainCommand())
	root.AddCommand(a.reloadCommand(), a.pwCommand())
	root.AddCommand(a.listCommand(time.Now))
	root.AddCommand(a.greylistCommand(time.Now), a.ratelimitCommand(time.Now))
	root.AddCommand(a.rblCommand())
	root.AddCommand(a.backupCommand(), a.restoreCommand())
	root.AddCommand(a.keygenCommand(), a.dkimCheckCommand())
	return root
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of rmilterctl; that of the daemon is in status",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				OS      string `json:"os"`
				Arch    string `json:"arch"`
			}{metrics.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH}
			if a.json {
				return a.printJSON(v)
			}
			fmt.Fprintf(a.stdout, "rmilterctl %s (%s, %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
			return nil
		},
	}
}

// printAnswer prints the JSON of an answer itself: it may hold more than this program
// knows.
func (a *app) printAnswer(body []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(body), "", "  "); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n", out.Bytes())
	return nil
}

func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n", b)
	return nil
}
