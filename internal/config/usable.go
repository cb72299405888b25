package config

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"rmilter/internal/maps"
	"rmilter/internal/signing"
	"rmilter/internal/ucl"
	"rmilter/scan"
)

// UnknownSymbols is said of names that have a weight and that nothing reports.
const UnknownSymbols = "symbols that no check reports have a weight, which has no effect"

// Usable reads what the configuration names: rules, lists and signing keys. It finds
// what would keep the daemon from starting or from a reload, and what these would only
// warn of, in the same words. A broken key in a directory is a fault of a reload, and the
// start warns of it. Nothing is opened for good or written. The error is an *ucl.Error or any
// other for [ucl.Faults].
func (c *Config) Usable() (remarks []ucl.Diagnostic, err error) {
	var said remarkHandler
	log := slog.New(&said)
	dir := string(c.Server.DataDir)
	if _, err := os.Stat(maps.Own{Of: maps.OwnKinds[0]}.File(dir)); errors.Is(err, fs.ErrPermission) {
		said.add(ucl.Notice, dir+" is closed to this user: the lists in it are not tested")
		dir = ""
	}
	env := scan.Env{Now: time.Now, Log: log, DataDir: dir, Delimiter: string(c.Filter.RecipientDelimiter)}
	engine, rules := scan.NewEngine(c.Scan, env)
	if rules == nil {
		if names := engine.Unknown(); len(names) > 0 {
			log.Warn(UnknownSymbols, "symbols", strings.Join(names, ", "))
		}
	}
	keys := signing.Test(c.DKIM, signing.Env{Now: time.Now, Log: log})
	var faults []ucl.Diagnostic
	for _, err := range []error{c.Redis.Validate(), rules, keys} {
		faults = append(faults, ucl.Faults(err)...)
	}
	if len(faults) == 0 {
		return said.list, nil
	}
	return said.list, &ucl.Error{Faults: faults}
}

// A remarkHandler keeps what is logged as a warning. It is for one goroutine.
type remarkHandler struct{ list []ucl.Diagnostic }

func (h *remarkHandler) add(s ucl.Severity, text string) {
	h.list = append(h.list, ucl.Diagnostic{Severity: s, Text: text})
}

// Enabled implements slog.Handler.
func (*remarkHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (h *remarkHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		v := a.Value.String()
		if strings.ContainsFunc(v, quoted) {
			v = strconv.Quote(v)
		}
		text += " " + a.Key + "=" + v
		return true
	})
	h.add(ucl.Warning, text)
	return nil
}

// quoted tells whether a value is quoted for a character, as in the log.
func quoted(c rune) bool {
	return c == ' ' || c == '=' || c == '"' || c == utf8.RuneError || !strconv.IsPrint(c)
}

// WithAttrs implements slog.Handler. Nobody logs with attributes of his own here.
func (h *remarkHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler, as WithAttrs.
func (h *remarkHandler) WithGroup(string) slog.Handler { return h }
