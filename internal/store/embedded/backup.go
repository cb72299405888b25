package embedded

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
	"unicode/utf8"

	"github.com/cockroachdb/pebble/v2"
	"github.com/klauspost/compress/zstd"
)

// A backup is text, compressed with zstd: one JSON object a line. The first says what it
// is, the last how much came before it, so that one that is cut short isn't taken for a
// whole one. Bytes that aren't UTF-8 stand in members whose names end in 64, in base64.
const (
	backupFormat  = "rmilter-backup"
	backupVersion = 1
)

// A line is one object of a backup. Which members it has says what it is.
type line struct {
	Format  string     `json:"format,omitempty"` // the first line
	Version int        `json:"version,omitempty"`
	Made    *time.Time `json:"made,omitempty"`

	Key     string `json:"key,omitempty"` // a value, counter or bucket
	Key64   []byte `json:"key64,omitempty"`
	Expires *int64 `json:"expires,omitempty"` // microseconds since 1970; without it never

	Log   string `json:"log,omitempty"` // the position that a log gave last, or its entry at one
	Log64 []byte `json:"log64,omitempty"`
	Last  uint64 `json:"last,omitempty"`
	At    uint64 `json:"at,omitempty"`

	Value   *string `json:"value,omitempty"` // of the key or the entry
	Value64 []byte  `json:"value64,omitempty"`

	End    bool   `json:"end,omitempty"` // the last line
	Lines  int64  `json:"lines,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // of all lines before
}

// name returns the text and bytes members for a name.
func name(n []byte) (string, []byte) {
	if utf8.Valid(n) {
		return string(n), nil
	}
	return "", n
}

func (l *line) setValue(v []byte) {
	if utf8.Valid(v) {
		s := string(v)
		l.Value = &s
	} else {
		l.Value64 = append([]byte(nil), v...)
	}
}

// Backup writes what the store holds at this moment, while it is in use: all keys that
// haven't expired and all logs, not the leases. Restore reads it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	now := s.now()
	// The engine writes into a pipe, so that it is free to hang while the caller isn't.
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := run(ctx, s, func(e *engine) (struct{}, error) { return struct{}{}, e.backup(ctx, to, now) })
		_ = to.CloseWithError(err)
		written <- err
	}()
	_, err := io.Copy(w, from)
	if err != nil {
		_ = from.CloseWithError(err)
	}
	if failed := <-written; err == nil {
		err = failed
	}
	return err
}

// backup writes a snapshot.
func (e *engine) backup(ctx context.Context, w io.Writer, now time.Time) (err error) {
	snapshot, err := e.snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	b := &backupWriter{w: bufio.NewWriterSize(z, 64<<10), sum: sha256.New()}
	made := now.UTC()
	b.write(line{Format: backupFormat, Version: backupVersion, Made: &made})
	for _, part := range []byte{kindKey, kindTail, kindLog} {
		if err := b.part(ctx, snapshot, part, now); err != nil {
			return err
		}
	}
	sum := b.sum.Sum(nil)
	b.write(line{End: true, Lines: b.lines, SHA256: hex.EncodeToString(sum)})
	return errors.Join(b.err, b.w.Flush(), z.Close())
}

// A backupWriter writes lines and remembers what the last one has to say.
type backupWriter struct {
	w     *bufio.Writer
	sum   hash.Hash
	lines int64
	err   error
}

func (b *backupWriter) write(l line) {
	if b.err != nil {
		return
	}
	raw, err := json.Marshal(l)
	if err != nil {
		b.err = err
		return
	}
	raw = append(raw, '\n')
	b.sum.Write(raw)
	b.lines++
	_, b.err = b.w.Write(raw)
}

// part writes the records of one kind.
func (b *backupWriter) part(ctx context.Context, s *pebble.Snapshot, kind byte, now time.Time) (err error) {
	it, err := s.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid && b.err == nil && ctx.Err() == nil; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		l, ok, err := lineOf(kind, it.Key(), value, now)
		if err != nil {
			return err
		}
		if ok {
			b.write(l)
		}
	}
	return errors.Join(it.Error(), b.err, ctx.Err())
}

// lineOf turns what is on the disk into a line; what has expired is none.
func lineOf(kind byte, key, value []byte, now time.Time) (l line, ok bool, err error) {
	switch kind {
	case kindKey:
		r, err := parseRecord(value)
		if err != nil || !r.alive(now) {
			return l, false, err
		}
		if r.ends != 0 {
			l.Expires = &r.ends
		}
		l.Key, l.Key64 = name(key[1:])
		l.setValue(r.value)
	case kindTail:
		if len(value) != 8 {
			return l, false, fmt.Errorf("end of the log %q: %w", key[1:], errShort)
		}
		l.Log, l.Log64 = name(key[1:])
		l.Last = binary.BigEndian.Uint64(value)
	case kindLog:
		log, at, err := parseLogKey(key)
		if err != nil {
			return l, false, err
		}
		l.Log, l.Log64 = name([]byte(log))
		l.At = at
		l.setValue(value)
	}
	return l, true, nil
}
