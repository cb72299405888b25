package dnslist_test

import (
	"net/netip"
	"slices"
	"testing"

	"rmilter/internal/dnslist"
)

// FuzzMeaning: whatever a list answers, nothing counts but what it documents, and nothing at
// all besides an answer that is none of a list's or a refusal.
func FuzzMeaning(f *testing.F) {
	f.Add(uint8(0), uint16(1), []byte{127, 0, 0, 2, 127, 255, 255, 254})
	f.Add(uint8(1), uint16(2), []byte{127, 0, 0, 10, 198, 51, 100, 1})
	f.Add(uint8(13), uint16(128), []byte{127, 0, 0, 14})
	lists := dnslist.Catalog()
	f.Fuzz(func(t *testing.T, which uint8, ask uint16, data []byte) {
		l := lists[int(which)%len(lists)]
		var addrs []netip.Addr
		foreign, refused := false, false
		for chunk := range slices.Chunk(data, 4) {
			a, _ := netip.AddrFromSlice(append(chunk[:len(chunk):len(chunk)], 0, 0, 0)[:4])
			addrs = append(addrs, a)
			if len(addrs) <= 64 {
				b := a.As4()
				foreign = foreign || b[0] != 127
				refused = refused || b[0] == 127 && b[1] == 255 && b[2] == 255
			}
		}
		if len(data) >= 16 {
			addrs = append([]netip.Addr{netip.AddrFrom16([16]byte(data))}, addrs...)
			foreign = true
		}
		hits, blocked, unknown := l.Read(dnslist.Asks(ask), addrs)
		if len(hits) > 0 && (foreign || blocked) || refused && !blocked && len(addrs) <= 64 || len(unknown) > len(addrs) {
			t.Fatalf("%s, %v: got %v, %v, %v", l.Name, addrs, hits, blocked, unknown)
		}
		for _, h := range hits {
			if h.Code.Symbol == "" || !slices.Contains(addrs, h.Answer) || !h.Code.Answer.Matches(h.Answer) ||
				h.Code.Asks != 0 && h.Code.Asks&dnslist.Asks(ask) == 0 || dnslist.Asks(ask) == dnslist.Received && h.Code.Dynamic {
				t.Fatalf("%s, %v: got %+v", l.Name, addrs, h)
			}
		}
	})
}
