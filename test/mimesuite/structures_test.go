package mimesuite

import (
	"path/filepath"
	"strings"
	"testing"

	"rmilter/internal/mail"
)

// TestStructures reads every file of mime-enmime and mime-python and compares the tree
// of its parts. The trees were checked by hand where Python's parser sees another one.
func TestStructures(t *testing.T) {
	root := shared(t, "conformance")
	seen := map[string]bool{}
	for _, suite := range []string{"mime-enmime", "mime-python"} {
		for _, f := range filesBelow(t, filepath.Join(root, suite), func(string) bool { return true }) {
			m := mail.Parse(read(t, f), mail.Limits{})
			if err := Check(m, mail.DefaultLimits); err != nil {
				t.Errorf("%s: %v", f, err)
			}
			name, _ := filepath.Rel(root, f)
			want, ok := structures[name]
			if !ok {
				continue // no message: a golden file of a builder, an image
			}
			seen[name] = true
			if got := structure(m.Parts()[0]); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
	for name := range structures {
		if !seen[name] {
			t.Errorf("%s isn't there", name)
		}
	}
}

// structure writes the tree of a part: types, names of files in brackets, parts inside
// in parentheses.
func structure(p *mail.Part) string {
	s := p.Type()
	var inside []string
	for _, c := range p.Children() {
		inside = append(inside, structure(c))
	}
	if len(inside) > 0 {
		s += "(" + strings.Join(inside, " ") + ")"
	}
	if name := p.Filename(); name != "" {
		s += "[" + name + "]"
	}
	return s
}

var structures = map[string]string{
	"mime-enmime/testdata/encode/parser-raw-content-html-option.raw":         "text/html",
	"mime-enmime/testdata/encode/parser-raw-content-text-option.raw":         "text/plain",
	"mime-enmime/testdata/low-quality/bad-final-boundary.raw":                "multipart/mixed(text/plain application/x-zip-compressed[foo_9E5D72.zip])",
	"mime-enmime/testdata/low-quality/bad-header-start.raw":                  "text/plain",
	"mime-enmime/testdata/low-quality/bad-header-wrap.raw":                   "multipart/mixed(text/plain application/x-zip-compressed[7DDA4_foo_9E5D72.zip])",
	"mime-enmime/testdata/low-quality/empty-header.raw":                      "multipart/alternative(text/plain text/plain)",
	"mime-enmime/testdata/low-quality/html-only-inline.raw":                  "multipart/alternative(multipart/related(text/html image/png[favicon.png]))",
	"mime-enmime/testdata/low-quality/incorrect-charset.raw":                 "multipart/alternative(text/plain)",
	"mime-enmime/testdata/low-quality/malformed-base64-attach.raw":           "multipart/mixed(text/plain application/msword[some.doc])",
	"mime-enmime/testdata/low-quality/missing-content-type.raw":              "text/plain",
	"mime-enmime/testdata/low-quality/missing-content-type2.raw":             "multipart/alternative(text/plain text/plain)",
	"mime-enmime/testdata/low-quality/unk-charset-html-only.raw":             "text/html",
	"mime-enmime/testdata/low-quality/unk-charset-part.raw":                  "multipart/mixed(text/plain application/x-zip-compressed[foo_9E5D72.zip])",
	"mime-enmime/testdata/low-quality/unk-encoding-part.raw":                 "multipart/mixed(text/plain application/x-zip-compressed[foo_9E5D72.zip])",
	"mime-enmime/testdata/mail/attachment-application.raw":                   "multipart/mixed(text/plain application/msword[some.doc])",
	"mime-enmime/testdata/mail/attachment-octet.raw":                         "multipart/mixed(text/plain application/octet-stream)",
	"mime-enmime/testdata/mail/attachment-only-inline-quoted-printable.raw":  "text/html",
	"mime-enmime/testdata/mail/attachment-only-inline.raw":                   "image/jpeg[favicon.jpg]",
	"mime-enmime/testdata/mail/attachment-only-no-disposition.raw":           "image/jpeg[favicon.jpg]",
	"mime-enmime/testdata/mail/attachment-only-text-attachment.raw":          "text/plain[test.csv]",
	"mime-enmime/testdata/mail/attachment-only.raw":                          "image/jpeg[favicon.jpg]",
	"mime-enmime/testdata/mail/attachment.raw":                               "multipart/mixed(text/plain text/html[test.html])",
	"mime-enmime/testdata/mail/ctype-bug.raw":                                "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/epilogue-sample.raw":                          "multipart/mixed(text/plain text/html[test.html])",
	"mime-enmime/testdata/mail/erroneous.raw":                                "text/plain",
	"mime-enmime/testdata/mail/header-only.raw":                              "multipart/mixed",
	"mime-enmime/testdata/mail/html-mime-bad-charset-inline.raw":             "multipart/alternative(text/plain multipart/related(text/html image/png[favicon.png]))",
	"mime-enmime/testdata/mail/html-mime-bad-unknown-charset-inline.raw":     "multipart/alternative(text/plain multipart/related(text/html image/png[favicon.png]))",
	"mime-enmime/testdata/mail/html-mime-inline.raw":                         "multipart/alternative(text/plain multipart/related(text/html image/png[favicon.png]))",
	"mime-enmime/testdata/mail/html-only-inline.raw":                         "multipart/alternative(multipart/related(text/html image/png[favicon.png]))",
	"mime-enmime/testdata/mail/inlinemultipart.raw":                          "multipart/mixed(text/plain application/pdf[test.pdf] text/plain[test.txt])",
	"mime-enmime/testdata/mail/malformed-multiple-address-header-values.raw": "multipart/mixed(text/plain application/pdf[test.pdf] text/plain[test.txt])",
	"mime-enmime/testdata/mail/mime-alternative.raw":                         "multipart/alternative(text/plain text/plain)",
	"mime-enmime/testdata/mail/mime-bad-8bit-filename.raw":                   "multipart/mixed(text/plain application/msword[管理.doc])",
	"mime-enmime/testdata/mail/mime-bad-content-transfer-encoding.raw":       "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/mime-bad-content-type.raw":                    "multipart/mixed(text/plain application/pdf[Invoice_302232133150612.pdf])",
	"mime-enmime/testdata/mail/mime-blank-media-name.raw":                    "multipart/mixed(text/plain application/pdf[Invoice_302232133150612.pdf])",
	"mime-enmime/testdata/mail/mime-duplicate-param.raw":                     "multipart/mixed(text/plain application/pdf[Invoice_302232133150612.pdf])",
	"mime-enmime/testdata/mail/mime-mixed-related.raw":                       "multipart/mixed(multipart/related(multipart/alternative(text/html)) multipart/alternative(text/html))",
	"mime-enmime/testdata/mail/mime-mixed.raw":                               "multipart/mixed(text/plain text/plain)",
	"mime-enmime/testdata/mail/mime-signed.raw":                              "multipart/mixed(multipart/signed(text/plain application/pgp-signature[signature.asc]) text/plain)",
	"mime-enmime/testdata/mail/mime-unquoted-tspecials-param.raw":            "multipart/mixed(text/plain application/pdf[Invoice_(302232133150612).pdf])",
	"mime-enmime/testdata/mail/multipart-wo-boundary.raw":                    "multipart/report(text/plain)",
	"mime-enmime/testdata/mail/non-mime-html-charset-header-only.raw":        "text/html",
	"mime-enmime/testdata/mail/non-mime-html.raw":                            "text/html",
	"mime-enmime/testdata/mail/non-mime-missing-charset.raw":                 "text/html",
	"mime-enmime/testdata/mail/non-mime.raw":                                 "text/plain",
	"mime-enmime/testdata/mail/other-multi-related.raw":                      "multipart/related(multipart/alternative(text/plain text/html) image/png[image001.png] image/png[image002.png])",
	"mime-enmime/testdata/mail/other-parts.raw":                              "multipart/mixed(text/plain image/gif[B05.gif])",
	"mime-enmime/testdata/mail/qp-ascii-header.raw":                          "text/plain",
	"mime-enmime/testdata/mail/qp-utf8-header-no-break.raw":                  "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/qp-utf8-header-recursed.raw":                  "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/qp-utf8-header.raw":                           "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/quoted-printable-mime.raw":                    "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/mail/quoted-printable.raw":                         "text/plain",
	"mime-enmime/testdata/mail/unknown-part-type.raw":                        "multipart/abcdefghi(text/plain image/gif[B05.gif])",
	"mime-enmime/testdata/parts/badboundary.raw":                             "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/parts/barren-content-type.raw":                     "text/plain",
	"mime-enmime/testdata/parts/bin-attach.raw":                              "multipart/mixed(text/plain application/octet-stream[test.bin])",
	"mime-enmime/testdata/parts/chardet-detection.raw":                       "text/plain",
	"mime-enmime/testdata/parts/chardet-fail-non-txt.raw":                    "image/gif[rzkly.gif]",
	"mime-enmime/testdata/parts/chardet-fail-not-long-enough.raw":            "text/plain",
	"mime-enmime/testdata/parts/chardet-fail.raw":                            "text/plain[rzkly.txt]",
	"mime-enmime/testdata/parts/chardet-success-big-5.raw":                   "text/plain",
	"mime-enmime/testdata/parts/chardet-success-iso-8859-1.raw":              "text/plain",
	"mime-enmime/testdata/parts/ctype-invalid-characters.raw":                "text/plain",
	"mime-enmime/testdata/parts/empty-ctype-bad-content.raw":                 "multipart/alternative(text/plain)",
	"mime-enmime/testdata/parts/empty-header.raw":                            "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/parts/extra-base64-character.raw":                  "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/parts/header-only.raw":                             "text/html[file.html]",
	"mime-enmime/testdata/parts/html-with-boundary.raw":                      "multipart/mixed(text/html)",
	"mime-enmime/testdata/parts/malformed-content-type-params.raw":           "text/html",
	"mime-enmime/testdata/parts/missing-closing-param-quote.raw":             "text/html",
	"mime-enmime/testdata/parts/missing-ctype-root.raw":                      "text/plain",
	"mime-enmime/testdata/parts/missing-ctype.raw":                           "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/parts/multi-malformed.raw":                         "multipart/mixed(text/plain text/plain text/plain)",
	"mime-enmime/testdata/parts/multialtern.raw":                             "multipart/alternative(text/plain text/html)",
	"mime-enmime/testdata/parts/multibase64.raw":                             "multipart/mixed(text/plain text/html[test.html])",
	"mime-enmime/testdata/parts/multimixed-no-closing-boundary.raw":          "multipart/mixed(text/html)",
	"mime-enmime/testdata/parts/multimixed.raw":                              "multipart/mixed(text/plain text/plain)",
	"mime-enmime/testdata/parts/multiother.raw":                              "multipart/x-enmime(text/plain text/plain)",
	"mime-enmime/testdata/parts/nestedmulti.raw":                             "multipart/alternative(text/plain multipart/related(text/html text/plain[attach.txt] text/plain[attach2.txt]))",
	"mime-enmime/testdata/parts/quoted-printable-invalid.raw":                "text/plain",
	"mime-enmime/testdata/parts/quoted-printable.raw":                        "text/plain",
	"mime-enmime/testdata/parts/similar-boundary.raw":                        "multipart/mixed(text/plain multipart/alternative(text/plain text/html))",
	"mime-enmime/testdata/parts/textplain.raw":                               "text/plain",
	"mime-enmime/testdata/parts/unquoted-ctype-param-special.raw":            "text/calendar[calendar.ics]",
	"mime-python/msg_01.txt":                                                 "text/plain",
	"mime-python/msg_02.txt":                                                 "multipart/mixed(text/plain text/plain multipart/digest(message/rfc822(text/plain) message/rfc822(text/plain) message/rfc822(text/plain) message/rfc822(text/plain) message/rfc822(text/plain)) text/plain)",
	"mime-python/msg_03.txt":                                                 "text/plain",
	"mime-python/msg_04.txt":                                                 "multipart/mixed(text/plain[msg.txt] text/plain[msg.txt])",
	"mime-python/msg_05.txt":                                                 "multipart/report(text/plain text/plain message/rfc822(text/plain))",
	"mime-python/msg_06.txt":                                                 "message/rfc822(text/plain)",
	"mime-python/msg_07.txt":                                                 "multipart/mixed(text/plain image/gif[dingusfish.gif])",
	"mime-python/msg_08.txt":                                                 "multipart/mixed(text/plain text/html text/plain text/plain)",
	"mime-python/msg_09.txt":                                                 "multipart/mixed(text/plain text/html text/plain text/plain)",
	"mime-python/msg_10.txt":                                                 "multipart/mixed(text/plain text/html text/plain text/plain text/plain)",
	"mime-python/msg_11.txt":                                                 "message/rfc822(text/plain)",
	"mime-python/msg_12.txt":                                                 "multipart/mixed(text/plain text/html multipart/mixed(text/plain text/plain) text/plain text/plain)",
	"mime-python/msg_12a.txt":                                                "multipart/mixed(text/plain text/html multipart/mixed(text/plain text/plain) text/plain text/plain)",
	"mime-python/msg_13.txt":                                                 "multipart/mixed(text/plain multipart/mixed(text/plain image/gif[dingusfish.gif]))",
	"mime-python/msg_14.txt":                                                 "text/plain",
	"mime-python/msg_15.txt":                                                 "multipart/mixed(multipart/alternative(text/plain text/html) image/gif[xx.gif])",
	"mime-python/msg_16.txt":                                                 "multipart/report(text/plain message/delivery-status message/rfc822(text/plain))",
	"mime-python/msg_17.txt":                                                 "multipart/mixed(text/plain)",
	"mime-python/msg_18.txt":                                                 "text/plain",
	"mime-python/msg_19.txt":                                                 "text/plain",
	"mime-python/msg_20.txt":                                                 "text/plain",
	"mime-python/msg_21.txt":                                                 "multipart/mixed(text/plain text/plain)",
	"mime-python/msg_22.txt":                                                 "multipart/mixed(text/plain image/jpeg[wibble.JPG] image/jpeg[wibble2.JPG] text/plain)",
	"mime-python/msg_23.txt":                                                 "multipart/mixed(text/plain)",
	"mime-python/msg_24.txt":                                                 "multipart/mixed", // its only part is empty
	"mime-python/msg_25.txt":                                                 "multipart/report(text/plain message/delivery-status text/rfc822-headers)",
	"mime-python/msg_26.txt":                                                 "multipart/mixed(text/plain application/riscos[clock.bmp])",
	"mime-python/msg_27.txt":                                                 "text/plain",
	"mime-python/msg_28.txt":                                                 "multipart/digest(message/rfc822(text/plain) message/rfc822(text/plain))",
	"mime-python/msg_29.txt":                                                 "text/plain",
	"mime-python/msg_30.txt":                                                 "multipart/digest(message/rfc822(text/plain) message/rfc822(text/plain))",
	"mime-python/msg_31.txt":                                                 "multipart/mixed(text/plain text/plain)",
	"mime-python/msg_32.txt":                                                 "text/plain",
	"mime-python/msg_33.txt":                                                 "multipart/signed(text/plain text/plain)",
	"mime-python/msg_34.txt":                                                 "multipart/digest(text/plain message/rfc822(text/plain))",
	"mime-python/msg_35.txt":                                                 "text/plain",
	"mime-python/msg_36.txt":                                                 "multipart/mixed(text/plain multipart/alternative(message/external-body message/external-body[draft-ietf-mboned-mix-00.txt]))",
	"mime-python/msg_37.txt":                                                 "multipart/mixed(text/x-one text/x-two text/x-two)",
	"mime-python/msg_38.txt":                                                 "multipart/mixed(multipart/mixed(multipart/alternative(text/plain) text/plain) text/plain text/plain)",
	"mime-python/msg_39.txt":                                                 "multipart/mixed(multipart/mixed(multipart/alternative(application/octet-stream application/octet-stream) multipart/alternative(application/octet-stream application/octet-stream) multipart/alternative(application/octet-stream application/octet-stream)) text/plain)",
	"mime-python/msg_40.txt":                                                 "text/html",
	"mime-python/msg_41.txt":                                                 "multipart/alternative(text/plain)",
	"mime-python/msg_42.txt":                                                 "multipart/mixed(text/plain message/rfc822(multipart/mixed))",
	"mime-python/msg_43.txt":                                                 "multipart/report(text/plain message/delivery-status text/rfc822-headers)",
	"mime-python/msg_44.txt":                                                 "multipart/mixed(text/plain[msg.txt] text/plain[msg.txt])",
	"mime-python/msg_45.txt":                                                 "multipart/signed(text/plain application/pgp-signature[signature.asc])",
	"mime-python/msg_46.txt":                                                 "message/rfc822(text/plain)",
	"mime-python/msg_47.txt":                                                 "multipart/mixed(text/plain text/html)",
}
