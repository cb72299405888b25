package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rmilter/internal/config"
	"rmilter/internal/maps"
)

// Exit codes of list.
const (
	exitUnchanged = 1 // add: it was there already; del: it was not there
	exitBadList   = 1 // show: some lines are at fault
)

// A lister keeps the daemon's own lists.
type lister interface {
	// Add and Delete return the entry as it is listed. Their errors wrap maps.ErrThere
	// and maps.ErrNotThere. Delete leaves bad lines as they are and returns what is wrong
	// with them.
	Add(o maps.Own, entry, comment string) (key string, err error)
	Delete(o maps.Own, entry string) (key string, faults, err error)
	// Show returns what could be read, and what could not as an error.
	Show(o maps.Own) ([]maps.Line, error)
}

// A fileLister keeps the lists in the daemon's data_dir, which sees a change within
// some seconds.
type fileLister struct{ dataDir string }

// Add implements lister.
func (l fileLister) Add(o maps.Own, entry, comment string) (string, error) {
	return maps.Add(o.File(l.dataDir), o.Kind(), entry, comment)
}

// Delete implements lister.
func (l fileLister) Delete(o maps.Own, entry string) (string, error, error) {
	return maps.Delete(o.File(l.dataDir), o.Kind(), entry)
}

// Show implements lister.
func (l fileLister) Show(o maps.Own) ([]maps.Line, error) {
	return maps.Show(o.File(l.dataDir), o.Kind())
}

// A listEdit is the answer of list add and list del.
type listEdit struct {
	List    string `json:"list"`
	Kind    string `json:"kind"`
	Entry   string `json:"entry"`
	Changed bool   `json:"changed"`
}

// A listEntry is an entry in the answer of list show.
type listEntry struct {
	List    string   `json:"list"`
	Kind    string   `json:"kind"`
	Entry   string   `json:"entry"`
	Score   *float64 `json:"score,omitempty"`
	Comment string   `json:"comment,omitempty"`
	Line    int      `json:"line"`
}

func (a *app) listCommand(now func() time.Time) *cobra.Command {
	c := &cobra.Command{
		Use:   "list COMMAND",
		Short: "Change and show the lists of what is allowed and blocked",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("which command? See rmilterctl list --help")
		},
	}
	l := new(fileLister)
	c.PersistentFlags().StringVar(&l.dataDir, "data-dir", string(config.DefaultServer().DataDir), "`DIR` in which the daemon keeps its data")
	kinds := strings.Join(maps.OwnKinds, ", ")
	comment := ""
	add := &cobra.Command{
		Use:   "add allow|block KIND VALUE",
		Short: "Add an entry; KIND is " + kinds + "; exit code 0 added, 1 it was there, 3 no right",
		Args:  cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			text := strings.TrimSpace(now().Format(time.DateOnly) + " " + comment)
			return a.editList(args, maps.ErrThere, "added to", func(o maps.Own) (string, error) { return l.Add(o, args[2], text) })
		},
	}
	add.Flags().StringVar(&comment, "comment", "", "`TEXT` that stands beside the entry, after the date")
	del := &cobra.Command{
		Use:     "del allow|block KIND VALUE",
		Aliases: []string{"delete", "remove"},
		Short:   "Take an entry out; exit code 0 done, 1 it was not there, 3 no right",
		Args:    cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.editList(args, maps.ErrNotThere, "taken out of", func(o maps.Own) (string, error) {
				key, faults, err := l.Delete(o, args[2])
				a.printFaults(faults)
				return key, err
			})
		},
	}
	show := &cobra.Command{
		Use:   "show [allow|block] [KIND]",
		Short: "Print the entries; exit code 1 when some lines are at fault",
		Args:  cobra.MaximumNArgs(2),
		RunE:  func(_ *cobra.Command, args []string) error { return a.showLists(l, args) },
	}
	c.AddCommand(add, del, show)
	return c
}

// editList changes a list and tells what came of it. no is the error that means that
// there was nothing to change.
func (a *app) editList(args []string, no error, done string, edit func(maps.Own) (string, error)) error {
	o, err := maps.ParseOwn(args[0], args[1])
	if err != nil {
		return err
	}
	key, err := edit(o)
	e := listEdit{o.Side(), o.Of, key, err == nil}
	switch {
	case errors.Is(err, no):
		a.code = exitUnchanged
		done = "is there already:"
		if no == maps.ErrNotThere {
			done = "is not there:"
		}
	case err != nil:
		return listError(err)
	}
	if a.json {
		return a.printJSON(e)
	}
	fmt.Fprintf(a.stdout, "%s %s %s\n", printable(key, 1000), done, o)
	return nil
}

// listError tells apart what the user can't do and what was wrong with the command line.
func listError(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var fault *maps.Fault
	if errors.As(err, &fault) {
		return &unreachableError{ways: []error{err}, refused: true}
	}
	if errors.As(err, &path) || errors.As(err, &link) {
		return &unreachableError{ways: []error{err}}
	}
	return err
}

// printFaults tells what is wrong with lines of lists.
func (a *app) printFaults(err error) {
	if err == nil {
		return
	}
	for text := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(a.stderr, "rmilterctl: %s\n", printable(text, 1000))
	}
	fmt.Fprintln(a.stderr, "rmilterctl: until that is mended, the daemon goes on with the entries before")
}

// showLists prints the entries of the lists that are asked for.
func (a *app) showLists(l lister, args []string) error {
	sides, kinds := []string{"allow", "block"}, maps.OwnKinds
	for _, word := range args {
		word = strings.ToLower(word)
		if word == "allow" || word == "block" {
			sides = []string{word}
		} else if _, err := maps.ParseOwn("allow", word); err != nil {
			return err
		} else {
			kinds = []string{word}
		}
	}
	all := []listEntry{}
	for _, side := range sides {
		for _, of := range kinds {
			o, err := maps.ParseOwn(side, of)
			if err != nil {
				return err
			}
			lines, err := l.Show(o)
			if err != nil {
				if !errors.As(err, new(*maps.Fault)) {
					return listError(err)
				}
				a.code = exitBadList
				a.printFaults(err)
			}
			for _, line := range lines {
				e := listEntry{List: side, Kind: of, Entry: line.Key, Comment: line.Comment, Line: line.Number}
				if line.Scored {
					e.Score = &line.Score
				}
				all = append(all, e)
			}
		}
	}
	if a.json {
		return a.printJSON(all)
	}
	for _, e := range all {
		text := e.List + " " + e.Kind + " " + e.Entry
		if e.Score != nil {
			text += " " + strconv.FormatFloat(*e.Score, 'g', -1, 64)
		}
		if e.Comment != "" {
			text += "  # " + e.Comment
		}
		fmt.Fprintln(a.stdout, printable(text, 10_000))
	}
	return nil
}
