// Rmilter is the mail filter's daemon: it runs in the foreground, as systemd and
// other supervisors want it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"rmilter/internal/config"
	"rmilter/internal/metrics"
	"rmilter/internal/server"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main with its surroundings as parameters. It returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	var o server.Options
	fs := flag.NewFlagSet("rmilter", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.ConfigPath, "c", config.DefaultPath, "read the configuration from `FILE`")
	fs.StringVar(&o.DataDir, "data-dir", "", "keep state in `DIR`, in place of data_dir")
	test := fs.Bool("t", false, "test the configuration and exit")
	version := fs.Bool("v", false, "print the version and exit")
	fs.BoolVar(&o.Debug, "d", false, "log for debugging")
	fs.Bool("n", false, "stay in the foreground (always so; for old start scripts)")
	hold := fs.Int("hold", 0, "keep `N` inherited connections open until the MTA closes them (for the daemon's own use at its end)")
	fs.Usage = func() {
		fmt.Fprintln(stderr, "usage: rmilter [-c FILE] [-t] [-data-dir DIR] [-d] [-n] [-v]")
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 64 // EX_USAGE
	case fs.NArg() > 0:
		fmt.Fprintf(stderr, "rmilter: unexpected argument %q\n", fs.Arg(0))
		fs.Usage()
		return 64
	case *version:
		fmt.Fprintln(stdout, "rmilter", metrics.Version)
		return 0
	case *hold > 0:
		return server.Hold(*hold, stderr)
	case *test:
		return server.Test(o, stdout, stderr)
	}
	return server.Run(o, stderr)
}
