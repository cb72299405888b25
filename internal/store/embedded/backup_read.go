package embedded

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"rmilter/internal/store"
)

// maxLine is the longest line of a backup: a value of which each byte needs six.
const maxLine = 6*(store.MaxValue+store.MaxKey) + 1000

// maxLogs is how many logs a backup has at most.
const maxLogs = 100_000

// A backupReader reads a backup that anybody may have written, and checks it.
type backupReader struct {
	zstd  *zstd.Decoder
	lines *bufio.Reader
	n     int64 // of the line that was read last
	sum   hash.Hash
	last  []byte            // the key on disk of the record before
	ends  map[string]uint64 // the logs' last positions
}

func newBackupReader(r io.Reader) (*backupReader, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	b := &backupReader{zstd: z, lines: bufio.NewReaderSize(z, 64<<10), sum: sha256.New(), ends: map[string]uint64{}}
	first, err := b.line()
	switch {
	case errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, io.ErrUnexpectedEOF) && b.n == 0:
		err = fmt.Errorf("not a backup: want text compressed with zstd: %w", err)
	case err != nil:
	case first.Format != backupFormat:
		err = b.wrong("want a line with format %q", backupFormat)
	case first.Version != backupVersion:
		err = b.wrong("backup of version %d: this program reads version %d", first.Version, backupVersion)
	}
	if err != nil {
		z.Close()
		return nil, err
	}
	return b, nil
}

func (b *backupReader) close() { b.zstd.Close() }

// wrong makes the error of what is wrong with the line that was read last.
func (b *backupReader) wrong(format string, args ...any) error {
	return fmt.Errorf("line %d of the backup: %w", b.n, fmt.Errorf(format, args...))
}

// line reads a line. The sum is of the lines before it.
func (b *backupReader) line() (line, error) {
	var raw []byte
	for {
		part, err := b.lines.ReadSlice('\n')
		raw = append(raw, part...)
		if len(raw) > maxLine {
			b.n++
			return line{}, b.wrong("longer than %d bytes", maxLine)
		}
		if err == nil {
			break
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF {
			return line{}, fmt.Errorf("the backup is cut short after line %d: %w", b.n, io.ErrUnexpectedEOF)
		}
		return line{}, fmt.Errorf("after line %d of the backup: %w", b.n, err)
	}
	b.n++
	var l line
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return line{}, b.wrong("want a JSON object: %w", err)
	}
	if d.InputOffset() != int64(len(raw)-1) {
		return line{}, b.wrong("want nothing after the JSON object")
	}
	if l.End {
		return l, nil
	}
	b.sum.Write(raw)
	return l, nil
}

// next returns the next key on disk and its value, or io.EOF when all was there and is
// as it was written.
func (b *backupReader) next() (key, value []byte, err error) {
	l, err := b.line()
	if err != nil {
		return nil, nil, err
	}
	if l.End {
		return nil, nil, b.end(l)
	}
	if key, value, err = b.record(l); err != nil {
		return nil, nil, err
	}
	if bytes.Compare(order(key), order(b.last)) <= 0 && b.last != nil {
		return nil, nil, b.wrong("%q isn't in its place", key[1:])
	}
	b.last = key
	return key, value, nil
}

// order is the place of a key on disk in a backup: the ends of the logs come before
// their entries.
func order(key []byte) []byte {
	if len(key) > 0 && key[0] == kindTail {
		return append([]byte{kindKey + 1, 0}, key[1:]...)
	}
	if len(key) > 0 && key[0] == kindLog {
		return append([]byte{kindKey + 1, 1}, key[1:]...)
	}
	return key
}

// end checks the last line.
func (b *backupReader) end(l line) error {
	if l.Lines != b.n-1 {
		return b.wrong("it says that %d lines come before it, but %d do", l.Lines, b.n-1)
	}
	if want := hex.EncodeToString(b.sum.Sum(nil)); l.SHA256 != want {
		return b.wrong("the lines before it have the SHA-256 %s, it says %.64q", want, l.SHA256)
	}
	if _, err := b.lines.ReadByte(); err != io.EOF {
		return b.wrong("want nothing after the last line: %v", err)
	}
	return io.EOF
}

// record turns a line into what is on the disk.
func (b *backupReader) record(l line) (key, value []byte, err error) {
	if l.Format != "" || l.Version != 0 || l.Lines != 0 || l.SHA256 != "" || l.Value != nil && l.Value64 != nil {
		return nil, nil, b.wrong("want a key, a log's end or a log's entry")
	}
	if value = l.Value64; l.Value != nil {
		value = []byte(*l.Value)
	}
	if err := store.CheckValue(value); err != nil {
		return nil, nil, b.wrong("%w", err)
	}
	isKey, isLog := l.Key != "" || l.Key64 != nil, l.Log != "" || l.Log64 != nil
	name := l.Key + string(l.Key64) + l.Log + string(l.Log64)
	if isKey == isLog || l.Key != "" && l.Key64 != nil || l.Log != "" && l.Log64 != nil {
		return nil, nil, b.wrong("want the name of either a key or a log")
	}
	if err := store.CheckKeys(name); err != nil {
		return nil, nil, b.wrong("%w", err)
	}
	hasValue := l.Value != nil || l.Value64 != nil
	switch {
	case isKey && hasValue && l.Last == 0 && l.At == 0:
		r := record{value: value}
		if l.Expires != nil {
			if r.ends = *l.Expires; r.ends <= 0 {
				return nil, nil, b.wrong("%q expires at %d, want a time after 1970", name, r.ends)
			}
		}
		return diskKey(kindKey, name), r.encode(), nil
	case isLog && !hasValue && l.Last > 0 && l.At == 0 && l.Expires == nil:
		if len(b.ends) == maxLogs {
			return nil, nil, b.wrong("more than %d logs", maxLogs)
		}
		b.ends[name] = l.Last
		return diskKey(kindTail, name), binary.BigEndian.AppendUint64(nil, l.Last), nil
	case isLog && hasValue && l.Last == 0 && l.At > 0 && l.Expires == nil:
		if l.At > b.ends[name] {
			return nil, nil, b.wrong("entry %d of the log %q, which ended at %d", l.At, name, b.ends[name])
		}
		return logKey(name, l.At), value, nil
	}
	return nil, nil, b.wrong("want a key with a value, a log with its last position, or a log's entry with its position and value")
}
