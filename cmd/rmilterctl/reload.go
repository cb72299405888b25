package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rmilter/internal/controller"
)

// exitNotReloaded says that the configuration has faults and the one before stays.
const exitNotReloaded = 1

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration again; exit code 0 done, 1 refused because of faults, 3 unreachable or no right",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			got, err := a.call(c.Context(), query{method: http.MethodPost, path: "/reload", limit: longTimeout}, http.StatusOK, http.StatusConflict)
			var r controller.Reload
			if err == nil {
				r, err = parseReload(got)
			}
			if err != nil {
				if e := (*unreachableError)(nil); a.json && errors.As(err, &e) {
					a.printJSON(map[string]any{"success": false, "error": err.Error()})
				}
				return err
			}
			if !r.Success {
				a.code = exitNotReloaded
			}
			if a.json {
				return a.printAnswer(got.body)
			}
			a.printReload(r)
			return nil
		},
	}
}

// parseReload fails on what is no answer to a reload: somebody else's, or one whose
// status says the contrary.
func parseReload(a answer) (controller.Reload, error) {
	var r controller.Reload
	err := json.Unmarshal(a.body, &r)
	if err != nil || r.Config == "" || r.Success != (a.code == http.StatusOK) || r.Success != (len(r.Faults) == 0) {
		return r, &unreachableError{ways: []error{errors.New("the answer tells nothing of a reload, is this rmilter?")}, refused: true}
	}
	return r, nil
}

// printReload prints the remarks as rmilter -t does, and what came of the reload.
func (a *app) printReload(r controller.Reload) {
	for _, text := range slices.Concat(r.Warnings, r.Notices, r.Faults) {
		// A remark may bring the line of the file below it.
		head, line, _ := strings.Cut(text, "\n")
		fmt.Fprintf(a.stderr, "rmilterctl: %s\n", printable(head, 1000))
		if line != "" {
			fmt.Fprintln(a.stderr, printable(line, 1000))
		}
	}
	config := joinParts(" ", printable(r.Config, 200), printable(r.Hash, 64))
	if !r.Success {
		fmt.Fprintf(a.stderr, "rmilterctl: not reloaded: the configuration before stays in force: %s\n", config)
		return
	}
	fmt.Fprintf(a.stdout, "reloaded: %s\n", config)
	for _, option := range r.Restart {
		fmt.Fprintf(a.stdout, "needs a restart, until then as before: %s\n", printable(option, 200))
	}
}
