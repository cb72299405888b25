package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rmilter/milter/miltertest"
)

// letter is one message to send.
type letter struct {
	name    string // file, or kind and number
	size    int    // bytes on the wire
	message miltertest.Message
	from    string   // from the header; "" when it can't be read
	rcpts   []string // from the header
}

func newLetter(name string, raw []byte) letter {
	l := letter{name: name, message: miltertest.ParseMessage(raw)}
	l.size = len(l.message.Bytes())
	if v, ok := l.message.Get("From"); ok {
		if a, err := mail.ParseAddress(unfold(v)); err == nil {
			l.from = a.Address
		}
	}
	for _, name := range []string{"To", "Cc"} {
		if v, ok := l.message.Get(name); ok {
			list, err := mail.ParseAddressList(unfold(v))
			for _, a := range list {
				if err == nil {
					l.rcpts = append(l.rcpts, a.Address)
				}
			}
		}
	}
	return l
}

func unfold(s string) string { return strings.ReplaceAll(s, "\n", "") }

// messages reads or generates what is to be sent.
func (c *config) messages() ([]letter, error) {
	if c.dir == "" {
		return newGenerator(c.seed, time.Now()).letters(c.corpus), nil
	}
	var out []letter
	err := filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// One message given by its name may have any.
		if !e.Type().IsRegular() || path != c.dir && !strings.HasSuffix(path, ".eml") {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		out = append(out, newLetter(path, raw))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("-dir: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("-dir: no messages (*.eml) there")
	}
	return out, nil
}

// save writes messages to a folder, from where messages reads them again.
func save(dir string, letters []letter) error {
	for i, l := range letters {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.eml", i)), l.message.Bytes(), 0o600); err != nil {
			return fmt.Errorf("-write: %w", err)
		}
	}
	return nil
}
