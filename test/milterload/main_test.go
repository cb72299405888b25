package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"rmilter/milter/miltertest"
)

// serve lets a filter answer on a socket until the test ends, and gives its address.
func serve(t *testing.T, network, addr string, f *miltertest.Filter) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go f.Serve(nc)
		}
	}()
	return l.Addr().String()
}

// invoke runs the program and reads its report.
func invoke(t *testing.T, wantExit int, args ...string) report {
	t.Helper()
	var out, errOut bytes.Buffer
	if exit := run(t.Context(), append(args, "-json"), &out, &errOut); exit != wantExit {
		t.Fatalf("exit %d, want %d; stderr %s stdout %s", exit, wantExit, &errOut, &out)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("report %q: %v", &out, err)
	}
	return r
}

func TestDrive(t *testing.T) {
	var heads, macros, aborts atomic.Int64
	f := &miltertest.Filter{
		Actions:  miltertest.AllActions,
		Protocol: miltertest.NRHeader | miltertest.NRBody | miltertest.NREOH | miltertest.NRHelo | miltertest.NRConnect | miltertest.LeadSpace,
		Answer: func(cmd miltertest.Command, b []byte) []miltertest.Packet {
			switch cmd {
			case miltertest.CmdHeader:
				heads.Add(1)
			case miltertest.CmdAbort:
				aborts.Add(1)
			case miltertest.CmdMacro:
				if b[0] == byte(miltertest.CmdHeader) {
					macros.Add(1)
				}
			case miltertest.CmdRcpt:
				if bytes.HasPrefix(b, []byte("<bob@")) {
					return []miltertest.Packet{{Code: miltertest.ReplyCode, Payload: []byte("451 4.7.1 later\x00")}}
				}
			case miltertest.CmdEOM:
				return []miltertest.Packet{{Code: miltertest.EditAddHeader, Payload: []byte("X-Spam\x00 yes\x00")}, {Code: miltertest.ReplyAccept}}
			}
			return nil
		},
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			heads.Store(0)
			macros.Store(0)
			aborts.Store(0)
			where := "127.0.0.1:0"
			if network == "unix" {
				where = t.TempDir() + "/m"
			}
			addr := serve(t, network, where, f)
			results := filepath.Join(t.TempDir(), "results")
			r := invoke(t, 0, "-addr", addr, "-n", "40", "-warmup", "5", "-c", "3", "-per-conn", "4", "-corpus", "20",
				"-rcpt", "alice@example.com,bob@example.com", "-results", results, "-pid", fmt.Sprint(os.Getpid()))
			if r.Messages != 40 || r.Errors != 0 || r.Finals["accept"] != 40 || r.Stages["eom"] != 40 || r.Refused != 40 || r.Edits["add header X-Spam"] != 40 {
				t.Errorf("got %+v, want 40 messages accepted with one edit and one refused recipient each", r)
			}
			if r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.P99 || r.EOM.Max > r.Latency.Max || r.Rate <= 0 || r.MBRate <= 0 {
				t.Errorf("got latency %+v, EOM %+v, %v messages/s", r.Latency, r.EOM, r.Rate)
			}
			if r.Process == nil || r.Process.Processes < 1 || r.Process.RSSMB <= 0 || r.Process.PeakRSSMB < r.Process.RSSMB {
				t.Errorf("got process %+v", r.Process)
			}
			if want := "version 6, actions 0x1ff, protocol 0x1c3080"; r.Negotiated != want {
				t.Errorf("negotiated %q, want %q", r.Negotiated, want)
			}
			if h, m := heads.Load(), macros.Load(); h == 0 || h != m {
				t.Errorf("%d headers with %d macros, want as many, as Postfix does", h, m)
			}
			if n := aborts.Load(); n != 45 {
				t.Errorf("%d ABORTs, want one after each of 45 messages, as Postfix does", n)
			}
			b, err := os.ReadFile(results)
			if n := bytes.Count(b, []byte{'\n'}); err != nil || n != 45 {
				t.Errorf("%d lines of results, error %v, want 45", n, err)
			}
		})
	}
}

func TestDriveVariants(t *testing.T) {
	var eoms, dataCommands, authenticated atomic.Int64
	f := &miltertest.Filter{Answer: func(cmd miltertest.Command, b []byte) []miltertest.Packet {
		switch cmd {
		case miltertest.CmdEOM:
			eoms.Add(1)
			return []miltertest.Packet{{Code: miltertest.ReplyCode, Payload: []byte("554 5.7.1 spam\x00")}}
		case miltertest.CmdData:
			dataCommands.Add(1)
		case miltertest.CmdMacro:
			if bytes.Contains(b, []byte("{auth_authen}")) {
				authenticated.Add(1)
			}
		}
		return nil
	}}
	addr := serve(t, "tcp", "127.0.0.1:0", f)
	for _, tt := range []struct {
		name             string
		args             string
		final            string
		eoms, data, auth int64
	}{
		{"rejected", "-n 10", "554 5.7.1", 10, 10, 0},
		{"aborted", "-n 10 -abort 1", "aborted", 0, 10, 0},
		{"version 2", "-n 10 -version 2", "554 5.7.1", 10, 0, 0},
		{"open loop", "-n 10 -rate 1000", "554 5.7.1", 10, 10, 0},
		{"sendmail, all authenticated", "-n 10 -mta sendmail -auth 1 -chunk 1000", "554 5.7.1", 10, 10, 10},
		{"bounded by time", "-n 0 -d 50ms", "554 5.7.1", -1, -1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eoms.Store(0)
			dataCommands.Store(0)
			authenticated.Store(0)
			r := invoke(t, 0, append([]string{"-addr", addr, "-corpus", "5", "-c", "2"}, strings.Fields(tt.args)...)...)
			if r.Messages == 0 || r.Finals[tt.final] != r.Messages {
				t.Errorf("got %d messages, finals %v, want all %q", r.Messages, r.Finals, tt.final)
			}
			if tt.eoms >= 0 && (eoms.Load() != tt.eoms || dataCommands.Load() != tt.data || authenticated.Load() != tt.auth) {
				t.Errorf("filter saw %d EOM, %d DATA, %d authenticated, want %d, %d, %d", eoms.Load(), dataCommands.Load(), authenticated.Load(), tt.eoms, tt.data, tt.auth)
			}
		})
	}
}

func TestErrorsAreCounted(t *testing.T) {
	f := &miltertest.Filter{Answer: func(cmd miltertest.Command, _ []byte) []miltertest.Packet {
		if cmd == miltertest.CmdEOM {
			return []miltertest.Packet{{Code: miltertest.EditAddHeader, Payload: []byte("X-Spam\x00 yes\x00")}, {Code: miltertest.ReplyAccept}}
		}
		return nil
	}}
	addr := serve(t, "tcp", "127.0.0.1:0", f)
	r := invoke(t, 1, "-addr", addr, "-n", "6", "-c", "2", "-corpus", "2")
	if want := "eom: violation: add header without action 0x1 having been negotiated"; r.Errors != 6 || r.ErrorKinds[want] != 6 || r.Messages != 0 {
		t.Errorf("got %d errors %v, want 6 of %q", r.Errors, r.ErrorKinds, want)
	}

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r = invoke(t, 1, "-addr", l.Addr().String(), "-n", "3", "-c", "1", "-corpus", "2")
	if r.ErrorKinds["connect: connection refused"] != 3 {
		t.Errorf("got errors %v, want connection refused three times", r.ErrorKinds)
	}
}

func TestIdle(t *testing.T) {
	var open atomic.Int64
	f := &miltertest.Filter{Answer: func(cmd miltertest.Command, _ []byte) []miltertest.Packet {
		if cmd == miltertest.CmdOptneg {
			open.Add(1)
		}
		return nil
	}}
	addr := serve(t, "tcp", "127.0.0.1:0", f)
	for _, after := range []string{"optneg", "helo", "message"} {
		open.Store(0)
		r := invoke(t, 0, "-addr", addr, "-idle", "20", "-idle-after", after, "-pid", fmt.Sprint(os.Getpid()), "-corpus", "3")
		if r.Idle == nil || r.Idle.Connections != 20 || r.Idle.After != after || r.Idle.OpenMB <= 0 || open.Load() != 20 {
			t.Errorf("%s: got %+v with %d opened, want 20", after, r.Idle, open.Load())
		}
	}
}

func TestTextReport(t *testing.T) {
	addr := serve(t, "tcp", "127.0.0.1:0", &miltertest.Filter{})
	var out, errOut bytes.Buffer
	if exit := run(t.Context(), []string{"-addr", addr, "-n", "5", "-corpus", "2"}, &out, &errOut); exit != 0 {
		t.Fatalf("exit %d: %s", exit, &errOut)
	}
	for _, want := range []string{"messages  5 in ", "latency   EOM..final", "finals    continue: 5\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, &out)
		}
	}
}
