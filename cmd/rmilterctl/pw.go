package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rmilter/internal/password"
)

// exitNoMatch says that a password is not the one that was encrypted.
const exitNoMatch = 1

// exitSignal is what a shell makes of a process that a signal ended, less the signal.
const exitSignal = 128

const pwHelp = `Encrypt a password for worker "controller" { password, enable_password }.

The password is asked for on the terminal, or is the first line of standard input. It
is never taken from the command line, which other users can see. With --check the
exit code is 0 when the password is the one that was encrypted, and 1 when it isn't.`

func (a *app) pwCommand() *cobra.Command {
	var encoded string
	c := &cobra.Command{
		Use:   "pw",
		Short: "Encrypt a password for the controller, or check one",
		Long:  pwHelp,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.password != "" && a.password != "-" {
				return errors.New("pw asks for the password itself: -P would show it to other users")
			}
			if c.Flags().Changed("check") {
				return a.checkEncrypted(encoded)
			}
			return a.encrypt()
		},
	}
	c.Flags().StringVar(&encoded, "check", "", "tell whether the password is that of `ENCRYPTED`, which begins with $1$ or $2$ (put it in single quotes)")
	return c
}

// encrypt prints a password that it reads.
func (a *app) encrypt() error {
	text, err := a.readPassword("Password: ", "The same again: ")
	if err != nil {
		return err
	}
	e, err := password.New(text, rand.Reader)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]string{"encrypted": e.String()})
	}
	fmt.Fprintln(a.stdout, e)
	return nil
}

// checkEncrypted compares a password that it reads.
func (a *app) checkEncrypted(encoded string) error {
	e, err := password.Parse(encoded)
	if err != nil {
		return err
	}
	text, err := a.readPassword("Password: ")
	if err != nil {
		return err
	}
	matches := e.Verify(text)
	if !matches {
		a.code = exitNoMatch
	}
	switch {
	case a.json:
		return a.printJSON(map[string]bool{"matches": matches})
	case matches:
		fmt.Fprintln(a.stdout, "the password matches")
	default:
		fmt.Fprintln(a.stdout, "the password does not match")
	}
	return nil
}

// readPassword asks for a password on the terminal, once for each prompt, or reads it
// from standard input when that is none.
func (a *app) readPassword(prompts ...string) (string, error) {
	var text string
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		var err error
		if text, err = readLine(a.stdin); err != nil {
			return "", err
		}
		return text, usable(text)
	}
	for i, prompt := range prompts {
		fmt.Fprint(a.stderr, prompt)
		line, err := readHidden(int(f.Fd()))
		fmt.Fprintln(a.stderr)
		switch {
		case err != nil:
			return "", fmt.Errorf("cannot read the password: %w", err)
		case i > 0 && line != text:
			return "", errors.New("the two are not the same")
		}
		text = line
	}
	return text, usable(text)
}

// usable refuses a password that could not be given to the controller later.
func usable(text string) error {
	if text == "" {
		return errors.New("the password is empty")
	}
	if strings.Trim(text, " \t") != text {
		return errors.New("the password begins or ends with a blank, which HTTP would take off")
	}
	return checkPassword(text)
}

// readHidden reads a line from the terminal without showing it. A signal that ends the
// program meanwhile must not leave a terminal that shows nothing.
func readHidden(fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	done := make(chan struct{})
	defer close(done)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			term.Restore(fd, before)
			os.Exit(exitSignal + int(s.(syscall.Signal)))
		case <-done:
		}
	}()
	line, err := term.ReadPassword(fd)
	return string(line), err
}
