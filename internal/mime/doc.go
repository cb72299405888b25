// Package mime undoes what MIME does to bytes: transfer encodings and character sets.
//
// It knows nothing of messages and header fields. Its input is hostile: nothing here
// fails, everything takes linear time, and what is broken is read as mail programs
// read it and counted, so that the caller can tell. The encodings are those of RFC
// 2045 (base64, quoted-printable), RFC 2047 (Q) and uuencode; the character sets are
// those of the WHATWG and IANA indexes, UTF-7 (RFC 2152), ISO-2022-KR (RFC 1557) and
// a guess where the declared one is missing or wrong.
package mime
