package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"rmilter/internal/store"
	"rmilter/internal/store/embedded"
)

const (
	// maxArchive is how large a backup may be that is restored, in bytes.
	maxArchive = 4 << 30
	// archiveTime is how long a backup or a restore may take in all.
	archiveTime = 24 * time.Hour
	archiveType = "application/zstd"
)

// An Archive is a store that can be written out and read back as a whole while it is in
// use, as an embedded.Store. An error of Restore that doesn't wrap store.ErrUnavailable
// means that r is no backup, and that nothing was changed.
type Archive interface {
	Backup(ctx context.Context, w io.Writer) error
	Restore(ctx context.Context, r io.Reader) (embedded.Restored, error)
}

// A Restored is the answer to a restore.
type Restored struct {
	Keys    int64 `json:"keys"`    // records that there are now
	Expired int64 `json:"expired"` // records that have expired since the backup and were left out
	Logs    int64 `json:"logs"`
	Entries int64 `json:"entries"` // of logs
	Bytes   int64 `json:"bytes"`   // of the backup
}

// errShared says why this daemon has no backup to give.
var errShared = errors.New("state is kept in Redis; use its own backup")

// addArchive adds the endpoints of backups. A backup shows all that there is about
// everybody's mail, so that it needs the right to change, too.
func (s *Server) addArchive(table map[string]endpoint) {
	turn := make(chan struct{}, 1)
	alone := func(serve http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if s.opts.Archive == nil {
				writeError(w, http.StatusConflict, errShared.Error())
				return
			}
			select {
			case turn <- struct{}{}:
				defer func() { <-turn }()
				allow(w, archiveTime)
				defer allow(w, writeTimeout)
				serve(w, r)
			default:
				writeError(w, http.StatusServiceUnavailable, "another backup or restore is under way")
			}
		}
	}
	table["/backup"] = endpoint{needs: write, method: http.MethodGet, serve: alone(s.backup)}
	table["/restore"] = endpoint{needs: write, method: http.MethodPost, serve: alone(s.restore)}
}

// backup streams all that the store has. That one isn't complete the client learns by
// the end of the connection.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", archiveType)
	if r.Method == http.MethodHead {
		return
	}
	out := &steadyWriter{w: w, c: http.NewResponseController(w)}
	err := s.opts.Archive.Backup(r.Context(), out)
	if err == nil {
		s.opts.Log.Info("controller: backup made", "client", clientOf(r), "bytes", out.n)
		return
	}
	s.opts.Log.Error("controller: backup failed", "client", clientOf(r), "bytes", out.n, "error", err.Error())
	if out.n > 0 {
		panic(http.ErrAbortHandler)
	}
	writeStateError(w, nil, err)
}

// restore has the store take what comes.
func (s *Server) restore(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > maxArchive {
		writeRestoreError(w, nil, &http.MaxBytesError{Limit: maxArchive})
		return
	}
	in := &steadyReader{r: http.MaxBytesReader(w, r.Body, maxArchive), w: w, c: http.NewResponseController(w)}
	got, err := s.opts.Archive.Restore(r.Context(), in)
	if err != nil {
		s.opts.Log.Error("controller: restore failed", "client", clientOf(r), "bytes", in.n, "error", err.Error())
		writeRestoreError(w, in.err, err)
		return
	}
	s.opts.Log.Warn("controller: all state was replaced by a backup", "client", clientOf(r), "keys", got.Keys, "bytes", in.n)
	writeJSON(w, http.StatusOK, Restored{Keys: got.Keys, Expired: got.Expired, Logs: got.Logs, Entries: got.Entries, Bytes: in.n})
}

// writeRestoreError answers why nothing, or not all, was restored; in is the error of
// reading the request.
func writeRestoreError(w http.ResponseWriter, in, err error) {
	switch {
	case errors.As(err, new(*http.MaxBytesError)), errors.As(in, new(*http.MaxBytesError)):
		writeError(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the backup is larger than %d bytes", int64(maxArchive)))
	case in != nil:
		writeError(w, http.StatusBadRequest, "the backup did not come to its end: nothing was changed")
	case errors.Is(err, store.ErrUnavailable):
		writeStateError(w, nil, err)
	default:
		writeError(w, http.StatusUnprocessableEntity, err.Error()+": nothing was changed")
	}
}

// A steadyWriter writes to a client as long as that takes something from time to time.
// The answer begins with the first byte.
type steadyWriter struct {
	w io.Writer
	c *http.ResponseController
	n int64 // bytes written
}

// Write implements io.Writer.
func (s *steadyWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_ = s.c.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := s.w.Write(p)
	s.n += int64(n)
	return n, err
}

// A steadyReader reads from a client as long as that sends something from time to time.
type steadyReader struct {
	r   io.Reader
	w   http.ResponseWriter
	c   *http.ResponseController
	n   int64 // bytes read
	err error // other than io.EOF
}

// Read implements io.Reader.
func (s *steadyReader) Read(p []byte) (int, error) {
	_ = s.c.SetReadDeadline(time.Now().Add(readTimeout))
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil {
		allow(s.w, archiveTime) // for what the store has to do now
		if err != io.EOF {
			s.err = err
		}
	}
	return n, err
}
