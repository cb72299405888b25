package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rmilter/internal/metrics"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how the daemon is; exit code 0 ok, 1 degraded, 2 not filtering, 3 unreachable",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var answer []byte
			var s metrics.Status
			err := a.get(c.Context(), "/status", func(body []byte) error {
				var err error
				answer = body
				s, err = parseStatus(body)
				return err
			})
			if err != nil {
				a.noStatus(err)
				return err
			}
			a.code = exitCode(s.State)
			if a.json {
				return a.printAnswer(answer)
			}
			fmt.Fprint(a.stdout, renderStatus(s))
			return nil
		},
	}
}

// noStatus gives programs that read JSON something to read.
func (a *app) noStatus(err error) {
	var e *unreachableError
	if a.json && errors.As(err, &e) {
		a.printJSON(map[string]string{"state": "unreachable", "error": err.Error()})
	}
}

// parseStatus fails on what is not a status of rmilter.
func parseStatus(body []byte) (metrics.Status, error) {
	var s metrics.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return s, errors.New("the answer is not a status, is this rmilter?")
	}
	switch s.State {
	case metrics.OK, metrics.Degraded, metrics.NotFiltering:
		return s, nil
	}
	return s, fmt.Errorf("the answer has no known state but %q, is this rmilter?", s.State)
}

func exitCode(s metrics.State) int {
	switch s {
	case metrics.OK:
		return exitOK
	case metrics.Degraded:
		return exitDegraded
	}
	return exitNotFiltering
}
