// Command milterload drives a milter as an MTA would, over given or generated
// messages, and reports rate, latency and what the milter answered.
//
// It speaks to loopback addresses and unix sockets only. Every run is bounded by a
// count of messages, a time, or both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program; it gives the exit code: 0 when all went well, 1 when
// there were errors, 2 when it couldn't begin.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	conf, err := parse(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(errOut, "milterload:", err)
		return 2
	}
	messages, err := conf.messages()
	if err != nil {
		fmt.Fprintln(errOut, "milterload:", err)
		return 2
	}
	if conf.write != "" {
		if err := save(conf.write, messages); err != nil {
			fmt.Fprintln(errOut, "milterload:", err)
			return 2
		}
		return 0
	}
	l := &load{config: conf, corpus: messages}
	if conf.results != "" {
		f, err := os.Create(conf.results)
		if err != nil {
			fmt.Fprintln(errOut, "milterload:", err)
			return 2
		}
		defer f.Close()
		l.results = f
	}
	var r report
	if conf.idle > 0 {
		r, err = l.openIdle(ctx)
	} else {
		r, err = l.drive(ctx)
	}
	if err == nil {
		err = r.write(out, conf.json)
	}
	if err != nil {
		fmt.Fprintln(errOut, "milterload:", err)
		return 2
	}
	if r.Errors > 0 {
		return 1
	}
	return 0
}
