package oddtraffic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"rmilter/milter/miltertest"
)

// group is a family of plays.
type group struct {
	name  string
	plays []play
}

// groups makes all families; full makes more noise.
func groups(full bool, seed uint64) []group {
	random := 400
	if full {
		random = 20000
	}
	return []group{
		{"whole", wholes()},
		{"truncated", truncated()},
		{"lengths", lengths()},
		{"dropped", dropped()},
		{"duplicated", duplicated()},
		{"swapped", swapped()},
		{"NULs", nuls()},
		{"payloads", payloads()},
		{"unknown commands", unknown()},
		{"macros", oddMacros()},
		{"orders", orders()},
		{"versions", versions()},
		{"large", large()},
		{"noise", noise(random, seed)},
	}
}

func wholes() []play {
	var out []play
	for who, d := range map[string]dialogue{"Postfix": postfix(), "sendmail": sendmail(), "version 2": old()} {
		said := d[:len(d)-1] // without QUIT
		out = append(out,
			play{name: who, send: said.bytes(), end: quit, whole: said},
			play{name: who + ", half-closed", send: said.bytes(), end: halfClose, whole: said},
			play{name: who + ", byte by byte", send: said.bytes(), end: quit, slow: true, whole: said},
			play{name: who + ", byte by byte, half-closed", send: said.bytes(), end: halfClose, slow: true, whole: said},
			play{name: who + ", vanished", send: said.bytes(), end: vanish},
		)
	}
	return append(out,
		play{name: "nothing, half-closed", end: halfClose},
		play{name: "nothing, vanished", end: vanish})
}

// truncated cuts the dialogues off at every byte.
func truncated() []play {
	var out []play
	for who, b := range map[string][]byte{"Postfix": postfix().bytes(), "sendmail": sendmail().bytes(), "version 2": old().bytes()} {
		for n := range b {
			out = append(out,
				play{name: fmt.Sprintf("%s at %d", who, n), send: b[:n], end: halfClose},
				play{name: fmt.Sprintf("%s at %d, vanished", who, n), send: b[:n], end: vanish})
		}
	}
	slices.SortFunc(out, func(a, b play) int { return strings.Compare(a.name, b.name) })
	return out
}

// lengths sends packets whose length nobody can mean, for each command at each stage.
func lengths() []play {
	var out []play
	for _, at := range slices.Sorted(maps.Keys(stages())) {
		begin := stages()[at].bytes()
		for _, cmd := range []byte("ABCDEHKLMNOQRTU?") {
			for _, n := range []uint32{0, 1<<20 + 1, 0x7fffffff, 0x80000000, 0xffffffff} {
				head := append(binary.BigEndian.AppendUint32(nil, n), cmd)
				out = append(out, play{name: fmt.Sprintf("%d for %q %s", n, cmd, at), send: slices.Concat(begin, head), end: wait})
			}
		}
	}
	return out
}

func dropped() []play {
	var out []play
	for who, d := range map[string]dialogue{"Postfix": postfix(), "sendmail": sendmail(), "version 2": old()} {
		for i := range d {
			out = append(out, play{name: fmt.Sprintf("%s without packet %d, %v", who, i, d[i].cmd), send: slices.Delete(slices.Clone(d), i, i+1).bytes(), end: quit})
		}
	}
	return out
}

func duplicated() []play {
	var out []play
	for who, d := range map[string]dialogue{"Postfix": postfix(), "sendmail": sendmail(), "version 2": old()} {
		for i := range d {
			out = append(out, play{name: fmt.Sprintf("%s with packet %d, %v, twice", who, i, d[i].cmd), send: slices.Insert(slices.Clone(d), i, d[i]).bytes(), end: quit})
		}
	}
	return out
}

// swapped exchanges every two packets.
func swapped() []play {
	var out []play
	for who, d := range map[string]dialogue{"Postfix": postfix(), "sendmail": sendmail(), "version 2": old()} {
		for i := range d {
			for j := range i {
				x := slices.Clone(d)
				x[i], x[j] = x[j], x[i]
				out = append(out, play{name: fmt.Sprintf("%s with packets %d and %d exchanged", who, j, i), send: x.bytes(), end: quit})
			}
		}
	}
	slices.SortFunc(out, func(a, b play) int { return strings.Compare(a.name, b.name) })
	return out
}

// nuls puts a NUL in the place of each byte of each payload, before it, and at the end.
func nuls() []play {
	var out []play
	for i, p := range postfix() {
		for k := range len(p.payload) + 1 {
			with := []string{p.payload[:k] + "\x00" + p.payload[k:]}
			if k < len(p.payload) {
				with = append(with, p.payload[:k]+"\x00"+p.payload[k+1:], p.payload[:k]+p.payload[k+1:])
			}
			for how, payload := range with {
				d := postfix()
				d[i].payload = payload
				out = append(out, play{name: fmt.Sprintf("packet %d, %v, byte %d, way %d", i, p.cmd, k, how), send: d.bytes(), end: quit})
			}
		}
	}
	return out
}

// payloads sends every command at every stage with contents that it doesn't have.
func payloads() []play {
	var out []play
	for _, at := range slices.Sorted(maps.Keys(stages())) {
		begin := stages()[at]
		for _, cmd := range []miltertest.Command("ABCDEHKLMNOQRTU") {
			for k, payload := range []string{
				"", "\x00", "\x00\x00", "x", "x\x00", "x\x00x", "x\x00x\x00", strings.Repeat("\x00", 1000), strings.Repeat("\xff", 1000),
				"x\x004", "x\x004\x00\x19", "x\x004\x00\x19unknown\x00", "x\x006\x00\x19IPv6:\x00", "x\x00L\x00\x00/run/x\x00", "x\x00?\x00\x19y\x00",
			} {
				d := slices.Clone(begin)
				d.add(cmd, payload)
				out = append(out, play{name: fmt.Sprintf("%v %s with payload %d", cmd, at, k), send: d.bytes(), end: quit})
			}
		}
	}
	return out
}

// unknown sends every byte that is no command.
func unknown() []play {
	var out []play
	for _, at := range slices.Sorted(maps.Keys(stages())) {
		for b := range 256 {
			if bytes.IndexByte([]byte("ABCDEHKLMNOQRTU"), byte(b)) >= 0 {
				continue
			}
			d := slices.Clone(stages()[at])
			d.add(miltertest.Command(byte(b)), "x\x00"[:b%3%2*2])
			out = append(out, play{name: fmt.Sprintf("command %#x %s", b, at), send: d.bytes(), end: quit})
		}
	}
	return out
}

func oddMacros() []play {
	var out []play
	whole := postfix()
	for b := range 256 {
		d := slices.Insert(slices.Clone(whole), 5, packet{miltertest.CmdMacro, string([]byte{byte(b)}) + "i\x004A\x00"})
		out = append(out, play{name: fmt.Sprintf("for stage %#x", b), send: d.bytes(), end: quit})
	}
	for k, payload := range []string{
		"", "M", "M\x00", "Mi", "Mi\x00", "Mi\x00\x00", "M\x00x\x00", "Mi\x00x", "Mi\x00x\x00j", "Mi\x00x\x00j\x00", "M{\x00x\x00", "M{}\x00x\x00", "M{i\x00x\x00",
		"M" + strings.Repeat("\x00", 5000), "M" + strings.Repeat("x", 1<<20-2), "M" + strings.Repeat("{x}\x00y\x00", 10000),
	} {
		for _, at := range []int{1, 5, 8, 20, len(whole) - 1} {
			d := slices.Insert(slices.Clone(whole), at, packet{miltertest.CmdMacro, payload})
			out = append(out, play{name: fmt.Sprintf("payload %d before packet %d", k, at), send: d.bytes(), end: quit})
		}
	}
	return out
}

// orders are sequences that no MTA sends on purpose.
func orders() []play {
	pieces := map[byte]packet{}
	for _, d := range []dialogue{postfix(), sendmail()} {
		for _, p := range d {
			pieces[byte(p.cmd)] = p
		}
	}
	pieces['U'] = packet{miltertest.CmdUnknown, "XYZZY\x00"}
	var out []play
	for _, order := range []string{
		"OE", "OB", "ON", "OL", "OT", "OR", "OA", "OK", "OU", "OEEE", "OO", "OCOHM", "E", "A", "K", "Q", "DO",
		"OCHMRTBLNE", "OCHMRTNLBE", "OCHMRTBNE", "OCHMRTLBE", "OCHMRTE", "OCHMRE", "OCHME", "OCHE", "OCE", "OMRTLNBE",
		"OCHMRTLNBER", "OCHMRTLNBET", "OCHMRTLNBEL", "OCHMRTLNBEB", "OCHMRTLNBEE", "OCHMRTLNBRE", "OCHMRTLRNBE",
		"OCHMMRTLNBE", "OCHMRMRTLNBE", "OCHMRTLNMRTLNBE", "OCHMRTCHMRTLNBE", "OCHMRTLNBCHMRTLNBE", "OCHMHRTLNBE", "OCHMRTLHNBE",
		"OCHKCHMRTLNBE", "OCHMRKCHMRTLNBE", "OCHMRTLNBKCHMRTLNBE", "OCKKKMRTLNBE", "OCHMAMRTLNBE", "OCHMRTLNBAMRTLNBE", "OCHAAAAMRTLNBEAAA",
		"OCHMRTLNBO", "OCHMROTLNBE", "OCHMRTTTLNBE", "OCHMRTLNNNBE", "OHCMRTLNBE", "OCUHUMURUTULNBE", "OCHMTLNBE", "OCHMRTLNBEQMRTLNBE",
	} {
		var d dialogue
		for i := range len(order) {
			d = append(d, pieces[order[i]])
		}
		out = append(out,
			play{name: order, send: d.bytes(), end: quit},
			play{name: order + ", half-closed", send: d.bytes(), end: halfClose},
			play{name: order + ", byte by byte", send: d.bytes(), end: quit, slow: true},
			play{name: order + ", vanished", send: d.bytes(), end: vanish})
	}
	return out
}

// versions offers what no MTA offers, before a whole dialogue that doesn't care.
func versions() []play {
	var out []play
	for _, v := range []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7fffffff, 0x80000000, 0xffffffff} {
		for _, mask := range []uint32{0, miltertest.AllProtocol, miltertest.MaxData256K | miltertest.MaxData1M, 0xffffffff} {
			for _, more := range []string{"", "\x00", "\x00\x00\x00\x05i\x00", strings.Repeat("\xff", 100)} {
				d := postfix()
				d[0].payload = offer(v, mask, mask) + more
				out = append(out, play{name: fmt.Sprintf("version %#x, masks %#x, %d bytes more", v, mask, len(more)), send: d.bytes(), end: quit})
			}
		}
	}
	for n := range 12 {
		d := postfix()
		d[0].payload = d[0].payload[:n]
		out = append(out, play{name: fmt.Sprintf("offer of %d bytes", n), send: d.bytes(), end: quit})
	}
	return out
}

// large is much of everything, within what a packet may hold.
func large() []play {
	long := strings.Repeat("x", 1<<20-2)
	repeat := func(p packet, n int) dialogue { return slices.Repeat(dialogue{p}, n) }
	at := stages()
	plays := map[string]dialogue{
		"HELO of 1 MiB":        append(at["negotiated"], packet{miltertest.CmdHelo, long}),
		"CONNECT of 1 MiB":     append(at["negotiated"], packet{miltertest.CmdConnect, long}),
		"MAIL of 1 MiB":        append(at["negotiated"], packet{miltertest.CmdMail, long}),
		"RCPT of 1 MiB":        append(at["after MAIL"], packet{miltertest.CmdRcpt, long}),
		"header of 1 MiB":      append(at["in the header"], packet{miltertest.CmdHeader, "X\x00" + long[2:]}),
		"header name of 1 MiB": append(at["in the header"], packet{miltertest.CmdHeader, long}),
		"body of 1 MiB":        append(at["in the body"], packet{miltertest.CmdBody, long}, packet{miltertest.CmdEOM, long}),
		"EOM of 1 MiB":         append(at["in the body"], packet{miltertest.CmdEOM, long}),
		"UNKNOWN of 1 MiB":     append(at["negotiated"], packet{miltertest.CmdUnknown, long}),
		"offer of 1 MiB":       append(dialogue{}, packet{miltertest.CmdOptneg, offer(6, 0, 0) + long[12:]}),
		"50,000 parameters":    append(at["negotiated"], packet{miltertest.CmdMail, "<a@example.com>\x00" + strings.Repeat("X=1\x00", 50000)}),
		"10,000 macro packets": append(append(at["negotiated"], repeat(packet{miltertest.CmdMacro, "M{x}\x00y\x00"}, 10000)...), at["in the body"][1:]...),
		"10,000 HELO":          append(at["negotiated"], repeat(packet{miltertest.CmdHelo, "x\x00"}, 10000)...),
		"5000 CONNECT":         append(at["negotiated"], repeat(packet{miltertest.CmdConnect, "x\x00U"}, 5000)...),
		"5000 MAIL":            append(at["negotiated"], repeat(packet{miltertest.CmdMail, "<a@example.com>\x00"}, 5000)...),
		"5000 RCPT":            append(at["after MAIL"], repeat(packet{miltertest.CmdRcpt, "<a@example.com>\x00"}, 5000)...),
		"20,000 header fields": append(append(at["in the header"], repeat(packet{miltertest.CmdHeader, "X\x00 y\x00"}, 20000)...), packet{miltertest.CmdEOM, ""}),
		"20,000 pieces of 1":   append(append(at["in the body"], repeat(packet{miltertest.CmdBody, "x"}, 20000)...), packet{miltertest.CmdEOM, ""}),
		"20,000 empty pieces":  append(append(at["in the body"], repeat(packet{miltertest.CmdBody, ""}, 20000)...), packet{miltertest.CmdEOM, ""}),
		"5000 ABORT":           append(at["in the body"], repeat(packet{miltertest.CmdAbort, ""}, 5000)...),
		"5000 QUIT_NC":         append(at["in the body"], repeat(packet{miltertest.CmdQuitNC, ""}, 5000)...),
		"500 messages":         append(at["negotiated"], slices.Repeat(at["after EOM"][3:], 500)...),
		"header of 50,000 folds": append(at["in the header"], packet{miltertest.CmdHeader, "X\x00" + strings.Repeat(" y\n", 50000) + " z\x00"},
			packet{miltertest.CmdEOM, ""}),
	}
	var out []play
	for _, n := range slices.Sorted(maps.Keys(plays)) {
		out = append(out,
			play{name: n, send: plays[n].bytes(), end: quit},
			play{name: n + ", half-closed", send: plays[n].bytes(), end: halfClose},
			play{name: n + ", vanished", send: plays[n].bytes(), end: vanish})
	}
	return out
}

// noise changes a few bytes of the dialogues at random.
func noise(n int, seed uint64) []play {
	rng := rand.New(rand.NewPCG(seed, 9))
	whole := [][]byte{postfix().bytes(), sendmail().bytes(), old().bytes()}
	var out []play
	for i := range n {
		b := bytes.Clone(whole[rng.IntN(len(whole))])
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(b))
			switch rng.IntN(3) {
			case 0:
				b[at] = byte(rng.Uint32())
			case 1:
				b = slices.Insert(b, at, byte(rng.Uint32()))
			case 2:
				b = slices.Delete(b, at, at+1)
			}
		}
		out = append(out, play{name: fmt.Sprintf("seed %d number %d", seed, i), send: b, end: halfClose})
	}
	return out
}
