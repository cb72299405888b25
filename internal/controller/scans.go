package controller

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"rmilter/internal/filter"
	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/spool"
)

// scanTimeout is how long a scan request may take altogether: it arrives, it is judged
// within filter.HardEnd, and the reply leaves.
const scanTimeout = readTimeout + filter.HardEnd + writeTimeout

// A form is that of the reply to a scan request.
type form byte

const (
	secondForm form = iota // of /checkv2
	firstForm              // of /check
	skipForm               // of /skip, which has nothing scanned
)

// scans answers scan requests. It is safe for concurrent use.
type scans struct {
	filter    func() *filter.Filter // the one in force
	spool     *spool.Spool
	log       *slog.Logger
	unpacking chan struct{} // has a value in it for each message that is decompressed
}

func newScans(f func() *filter.Filter, s *spool.Spool, log *slog.Logger) *scans {
	return &scans{filter: f, spool: s, log: log, unpacking: make(chan struct{}, maxUnpacking)}
}

// serve answers a scan request. Where mail may be judged, one with the client's address
// and recipients is such mail.
func (s *scans) serve(w http.ResponseWriter, r *http.Request, as form, judge bool) {
	// It fails for connections that know no deadlines: those of tests.
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(scanTimeout))
	reply, err := s.reply(w, r, as, judge)
	var f *failure
	switch {
	case errors.As(err, &f):
		s.log.Debug("scan request refused", "client", r.RemoteAddr, "reason", f.text)
		writeFailure(w, f)
	case err != nil:
		s.log.Error("scan request failed", "client", r.RemoteAddr, "reason", err.Error())
		writeFailure(w, &failure{http.StatusInternalServerError, "task-error", err.Error()})
	case as == firstForm:
		writeJSON(w, http.StatusOK, reply.firstReply())
	default:
		writeJSON(w, http.StatusOK, reply)
	}
}

// reply has a message judged. An error is a *failure, or of our own.
func (s *scans) reply(w http.ResponseWriter, r *http.Request, as form, judge bool) (*Reply, error) {
	q, err := parseRequest(r.Header, r.URL.RawQuery, s.log)
	if err != nil {
		return nil, err
	}
	f := s.filter()
	buf, err := s.readBody(w, r, q, max(f.SizeLimit(), minBody))
	late := (<-chan struct{})(nil)
	defer func() {
		if late == nil {
			buf.Close()
			return
		}
		go func() { <-late; buf.Close() }()
	}()
	if err != nil {
		return nil, err
	}
	// A disk that fails under a mapped spool file is a panic then, which ends the
	// request and no more.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	raw, err := buf.Bytes()
	if err != nil {
		return nil, notKept(err)
	}
	skip := as == skipForm || q.flags["skip"] || q.flags["skip_process"]
	if skip || len(raw) == 0 {
		a := emptyReply(f)
		a.Skipped, a.QueueID, a.NotKnown = skip, q.envelope.QueueID, q.notes
		return a, nil
	}
	q.envelope.Inspect = !judge || r.Method != http.MethodPost || !q.envelope.ClientIP.IsValid() || q.nrcpt == 0
	result, err := f.Check(context.WithoutCancel(r.Context()), filter.Inquiry{
		Envelope: q.envelope,
		NRcpt:    q.nrcpt,
		Raw:      raw,
		Settings: s.settings(f, q),
		NoLog:    q.noLog,
		Explain:  q.flags["explain"],
	})
	if err != nil {
		return nil, err
	}
	if result.Report != nil {
		late = result.Report.Late()
	}
	return newReply(f, q, result), nil
}

// settings returns the settings that the client asks for in place of the recipients'.
func (s *scans) settings(f *filter.Filter, q *request) *policy.Settings {
	if name := q.settingsID; name != "" {
		if found, ok := f.Named(name); ok {
			return found
		}
		s.log.Warn("scan request with unknown Settings-ID", "settings", name)
		q.note("Settings-ID: there are no settings %.100q", name)
	}
	if q.mailbox != "" {
		found := f.Mailbox(mail.ParseAddress(q.mailbox))
		return &found
	}
	return nil
}

// writeFailure answers as rspamd does.
func writeFailure(w http.ResponseWriter, f *failure) {
	if f.code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	writeJSON(w, f.code, struct {
		Error  string `json:"error"`
		Domain string `json:"error_domain"`
	}{f.text, f.domain})
}
