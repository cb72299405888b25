package filter

import (
	"errors"
	"strings"

	"rmilter/dkim"
	"rmilter/internal/mail"
	"rmilter/internal/policy"
	"rmilter/internal/signing"
)

// Words of the log line for mail of ours that could be signed and isn't, besides those
// of package signing.
const (
	headerTooLarge = "header_too_large"
	notAccepted    = "not_accepted"
	dryRun         = "dry_run:" // before what would have signed
	tooManyFields  = "too_many_fields"
	signFailed     = "failed"
)

// A signature is one in the making: chosen when the header is complete, fed with the body
// as it comes, and made when the edits are known.
type signature struct {
	signer *dkim.Signer // nil when the message isn't signed
	header mail.Header  // as received; nil without a signer
	word   string       // for the log line
}

// signature chooses the keys for a message whose header is complete. complete is false
// when not all of it was kept.
func (f *Filter) signature(e *mail.Envelope, h mail.Header, complete bool) *signature {
	c := f.rules.Signing.Choose(signing.Query{Envelope: e, Header: h})
	s := &signature{word: c.LogWord()}
	switch {
	case !complete && c.Word != signing.NotOurs && c.Word != signing.Off: // what was chosen may miss a From
		s.word = headerTooLarge
		return s
	case len(c.Keys) == 0:
		return s
	}
	var err error
	if s.signer, err = f.rules.Signing.Begin(c); err != nil {
		f.env.Log.Error("message can't be signed", "id", e.ID, "reason", err.Error())
		s.word = signFailed
		return s
	}
	s.header = h
	return s
}

// write takes a piece of the body.
func (s *signature) write(b []byte) {
	if s != nil && s.signer != nil {
		s.signer.Write(b)
	}
}

// sign adds the signatures to the edits of a message that goes on. They are made over the
// header as it will be.
func (f *Filter) sign(id string, s *signature, v *policy.Verdict) {
	switch {
	case s == nil || s.signer == nil:
		return
	case v.DryRun:
		s.word = dryRun + s.word
		return
	case v.Reply.Code != 0 || v.Discard:
		s.word = notAccepted
		return
	}
	fields, err := s.signer.Sign(policy.Apply(s.header, v.Edits))
	switch {
	case errors.Is(err, dkim.ErrTooManyFields): // the sender's doing
		f.env.Log.Warn("message can't be signed", "id", id, "reason", err.Error())
		s.word = tooManyFields
		return
	case err != nil:
		f.env.Log.Error("message can't be signed", "id", id, "reason", err.Error())
		s.word = signFailed
		return
	}
	// The first is to be on top, and each that is inserted pushes the others down.
	for i := len(fields) - 1; i >= 0; i-- {
		v.Edits = append(v.Edits, policy.Edit{Kind: policy.InsertHeader, Index: policy.OnTop, Name: fields[i].Name, Value: strings.TrimPrefix(fields[i].Raw, " ")})
	}
}
