package controller

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"rmilter/internal/spool"
)

// pack compresses data with some options.
func pack(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testScans(t testing.TB, limit int64) *scans {
	s := newScans(nil, spool.New(t.TempDir(), limit), discard())
	t.Cleanup(func() {
		if used := s.spool.Used(); used != 0 {
			t.Errorf("%d bytes are left in the spool", used)
		}
	})
	return s
}

// TestReadBody is about messages in all sizes and forms.
func TestReadBody(t *testing.T) {
	const limit = 3 << 20
	noise := make([]byte, limit+1)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	for _, c := range []struct {
		name string
		body []byte
		q    request
		want []byte
		code int // of the failure
	}{
		{name: "empty"},
		{name: "small", body: []byte("mail"), want: []byte("mail")},
		{name: "to a file", body: noise[:spool.InMemory+1], want: noise[:spool.InMemory+1]},
		{name: "the largest", body: noise[:limit], want: noise[:limit]},
		{name: "too large", body: noise, code: 413},
		{name: "raw", body: []byte("mail"), q: request{raw: true}, want: []byte("\r\nmail")},
		{name: "raw with subject", body: []byte("mail"), q: request{raw: true, subject: "hi"}, want: []byte("Subject: hi\r\n\r\nmail")},
		{name: "packed", body: pack(t, []byte("mail")), q: request{zstd: true}, want: []byte("mail")},
		{name: "packed raw", body: pack(t, []byte("mail")), q: request{zstd: true, raw: true}, want: []byte("\r\nmail")},
		{name: "packed, nothing", body: nil, q: request{zstd: true}},
		{name: "packed, the largest", body: pack(t, noise[:limit-100]), q: request{zstd: true}, want: noise[:limit-100]},
		{name: "several frames", body: append(pack(t, []byte("ma")), pack(t, []byte("il"), zstd.WithEncoderCRC(false))...), q: request{zstd: true}, want: []byte("mail")},
		{name: "bomb", body: pack(t, make([]byte, 100<<20), zstd.WithEncoderLevel(zstd.SpeedBestCompression)), q: request{zstd: true}, code: 413},
		{name: "large window", body: pack(t, noise[:limit-100], zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false)), q: request{zstd: true}, code: 400},
		{name: "no zstd", body: []byte("mail"), q: request{zstd: true}, code: 400},
		{name: "half", body: pack(t, noise[:1000])[:500], q: request{zstd: true}, code: 400},
		{name: "trailing garbage", body: append(pack(t, []byte("mail")), "more"...), q: request{zstd: true}, code: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testScans(t, 64<<20)
			r := httptest.NewRequest(http.MethodPost, "/checkv2", bytes.NewReader(c.body))
			buf, err := s.readBody(httptest.NewRecorder(), r, &c.q, limit)
			t.Cleanup(buf.Close) // before that of the spool
			if f, ok := err.(*failure); c.code != 0 && (!ok || f.code != c.code) || c.code == 0 && err != nil {
				t.Fatalf("got %v, want code %d", err, c.code)
			}
			if err != nil {
				return
			}
			got, err := buf.Bytes()
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(c.want))
			}
		})
	}
}

// A brokenBody is one that doesn't come to its end.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestReadBodyFails(t *testing.T) {
	t.Run("spool full", func(t *testing.T) {
		s := testScans(t, 1000)
		for _, q := range []request{{}, {zstd: true}} {
			body := strings.Repeat("x", 2000)
			if q.zstd {
				body = string(pack(t, []byte(body)))
			}
			buf, err := s.readBody(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)), &q, 1<<20)
			buf.Close()
			if f, ok := err.(*failure); !ok || f.code != http.StatusServiceUnavailable {
				t.Errorf("zstd %t: got %v, want 503", q.zstd, err)
			}
		}
	})
	t.Run("broken off", func(t *testing.T) {
		s := testScans(t, 1<<20)
		buf, err := s.readBody(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", brokenBody{}), &request{}, 1<<20)
		buf.Close()
		if f, ok := err.(*failure); !ok || f.code != http.StatusBadRequest {
			t.Errorf("got %v, want 400", err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		s := newScans(nil, spool.New("/nonexistent", 1<<20), discard())
		buf, err := s.readBody(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", spool.InMemory+1))), &request{}, 1<<20)
		buf.Close()
		if _, ok := err.(*failure); ok || err == nil {
			t.Errorf("got %v, want an error of our own", err)
		}
	})
}

// FuzzUnpack wants what is unpacked to stay within the limit, whatever the data says.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, []byte("mail")))
	f.Add(pack(f, make([]byte, 1<<20)))
	f.Add(pack(f, []byte("mail"), zstd.WithSingleSegment(true)))
	f.Add([]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0}) // a skippable frame
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 64 << 10
		var out bytes.Buffer
		err := unpack(&out, data, limit)
		if out.Len() > limit+1 {
			t.Fatalf("%d bytes came out", out.Len())
		}
		if f, ok := err.(*failure); err != nil && (!ok || f.code < 400 || f.code > 499) {
			t.Errorf("got %v, want a failure of the client", err)
		}
	})
}
