package controller

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/klauspost/compress/zstd"

	"rmilter/internal/spool"
)

const (
	// minBody is how large a message may be at least, in bytes, compressed or not.
	minBody = 50 << 20
	// maxWindow is how far back the data of a compressed message may reach, in bytes:
	// more than the usual levels of zstd need.
	maxWindow = 8 << 20
	// maxUnpacking is how many messages are decompressed at once.
	maxUnpacking = 4
)

// readBody reads the message of a request, of limit bytes at most, into the spool. The
// caller closes the buffer. An error is a *failure, or the spool's.
func (s *scans) readBody(w http.ResponseWriter, r *http.Request, q *request, limit int64) (*spool.Buffer, error) {
	buf := s.spool.New()
	if !q.zstd {
		if err := writeHead(buf, q); err != nil {
			return buf, notKept(err)
		}
		return buf, receive(buf, w, r, limit)
	}
	packed := s.spool.New()
	defer packed.Close()
	if err := receive(packed, w, r, limit); err != nil {
		return buf, err
	}
	data, err := packed.Bytes()
	if err == nil {
		err = writeHead(buf, q)
	}
	if err != nil {
		return buf, notKept(err)
	}
	// Nobody holds a place who has yet to send something.
	select {
	case s.unpacking <- struct{}{}:
		defer func() { <-s.unpacking }()
	case <-r.Context().Done():
		return buf, malformed("the client did not wait")
	}
	return buf, unpack(buf, data, limit)
}

// writeHead begins the message that is made of a raw text.
func writeHead(buf *spool.Buffer, q *request) error {
	if !q.raw {
		return nil
	}
	head := "\r\n"
	if q.subject != "" {
		head = "Subject: " + q.subject + "\r\n\r\n"
	}
	_, err := buf.Write([]byte(head))
	return err
}

// receive reads the body of a request.
func receive(buf *spool.Buffer, w http.ResponseWriter, r *http.Request, limit int64) error {
	in := &source{Reader: http.MaxBytesReader(w, r.Body, limit)}
	_, err := io.Copy(buf, in)
	switch {
	case errors.As(in.err, new(*http.MaxBytesError)):
		return tooLarge(limit)
	case errors.Is(in.err, os.ErrDeadlineExceeded):
		return &failure{http.StatusRequestTimeout, "protocol-error", "the message did not come in time"}
	case in.err != nil:
		return malformed("the message did not come to its end")
	case err != nil:
		return notKept(err)
	}
	return nil
}

// unpack decompresses data, which is of frames of zstd (RFC 8878), as far as it has
// limit bytes.
func unpack(w io.Writer, data []byte, limit int64) error {
	d, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return fmt.Errorf("no decompression: %w", err)
	}
	defer d.Close()
	in := &source{Reader: io.LimitReader(d, limit+1)}
	n, err := io.Copy(w, in)
	switch {
	case in.err != nil:
		return &failure{http.StatusBadRequest, "task-error", "Decompression error: " + in.err.Error()}
	case err != nil:
		return notKept(err)
	case n > limit:
		return tooLarge(limit)
	}
	return nil
}

// A source keeps the error of reading, to tell it from one of writing.
type source struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func tooLarge(limit int64) error {
	return &failure{http.StatusRequestEntityTooLarge, "task-error", fmt.Sprintf("the message is larger than %d bytes", limit)}
}

// notKept makes a failure of an error of the spool.
func notKept(err error) error {
	if errors.Is(err, spool.ErrFull) {
		return &failure{http.StatusServiceUnavailable, "task-error", "too busy, try again later"}
	}
	return fmt.Errorf("message not kept: %w", err)
}
