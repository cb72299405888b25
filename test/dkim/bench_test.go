package dkim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rmilter/dkim"
	"rmilter/internal/dns/dnstest"
	"rmilter/milter/miltertest"
	"rmilter/scan"
	"rmilter/scan/checks"
	"rmilter/test/e2e"
	"rmilter/test/mta"
)

const (
	benchMessages = 400  // different ones
	benchTurn     = 1200 // messages that each program gets in a turn
)

// Clients of the messages: strangers, whose mail is verified, and ours, whose mail is
// signed.
const (
	strangers = "198.51.100.0/24"
	ours      = "192.0.2.0/24"
)

// benchConf is what all daemons of the benchmark have: what is not about DKIM, and no check,
// is off.
const benchConf = "our_networks = " + ours + ";\nauthserv_id = mx.example.com;\nhostname = mx.example.com;\n" +
	"greylisting { enable = no; }\nlimits { enable = no; }\nreplies { enable = no; }\n"

// A contestant is a program that gets the messages.
type contestant struct {
	name   string
	milter string // its socket
	pid    int
	costs  []float64 // CPU time of each message in ms, by turn
}

// A field is what a program has to give to this share of the messages.
type field struct {
	name  string
	share float64
}

// BenchmarkOpenDKIM compares the CPU time for each message with that of OpenDKIM's milter:
// verifying generated mail with a signature of RSA-2048, signing such mail of our own, and
// over real mail. The same messages go to the programs in turns, and each turn has its
// ratio, so that what else the machine does counts for all alike. One operation is a turn
// of all.
//
// rmilter does here what OpenDKIM does, and "checks" is rmilter with all its checks.
// OpenDKIM logs nothing and has the keys in its memory; rmilter writes its log line and has
// asked a server for the keys. All listen on Unix sockets: on others OpenDKIM's answers wait
// for the kernel's delayed acknowledgements.
func BenchmarkOpenDKIM(b *testing.B) {
	mta.Need(b, "opendkim")
	program, driver, k := binary(b), buildDriver(b), newKeys(b)[0]
	server := dnstest.Start(b, fmt.Sprintf("%s TXT %s\nexample.com TXT \"v=spf1 ip4:%s -all\"\n_dmarc.example.com TXT \"v=DMARC1; p=none\"\n",
		dkim.RecordName(k.Domain, k.Selector), quoted(k.Key.Record()), strangers))
	names := fmt.Sprintf("dns { nameserver = %q; }\n", server.Addr())
	var off strings.Builder
	for _, c := range checks.All() {
		if name := scan.Describe(c).Name; name != checks.DKIM.Name {
			fmt.Fprintf(&off, "%s { enabled = no; }\n", name)
		}
	}
	sockets := b.TempDir()
	start := func(name, more string) contestant {
		milter := filepath.Join(sockets, name)
		return contestant{name: name, milter: milter, pid: launch(b, program, fmt.Sprintf("bind_socket = %q;\n", "unix:"+milter)+benchConf+names+more).pid}
	}
	rmilter, checked := start("rmilter", off.String()+signed([]key{k})), start("checks", "")
	other := startOpenDKIM(b, k, filepath.Join(sockets, "opendkim"))
	plain := generate(b, driver)

	b.Run("verify", func(b *testing.B) {
		dir := b.TempDir()
		for name, text := range plain {
			write(b, filepath.Join(dir, name), sign(b, text, k, dkim.Relaxed, dkim.Relaxed))
		}
		all := []contestant{other, rmilter, checked}
		for _, c := range all {
			mustVerify(b, c, dir)
		}
		compete(b, driver, all, field{"Authentication-Results", 1}, "-dir", dir, "-clients", strangers, "-from", "joe@example.com")
	})
	b.Run("sign", func(b *testing.B) {
		dir := b.TempDir()
		for name, text := range plain {
			write(b, filepath.Join(dir, name), text)
		}
		all := []contestant{other, rmilter}
		for _, c := range all {
			mustSign(b, c, dir, k)
		}
		compete(b, driver, all, field{"DKIM-Signature", 1}, "-dir", dir, "-clients", ours, "-from", "joe@example.com")
	})
	b.Run("corpus", func(b *testing.B) {
		dir := sample(b)
		// OpenDKIM lets broken headers pass without a word, and of a broken signature it
		// tells in a form that MTAs don't take.
		compete(b, driver, []contestant{other, rmilter, checked}, field{"Authentication-Results", 0.75}, "-dir", dir, "-clients", strangers)
	})
}

// quoted is a text as strings of a TXT record.
func quoted(text string) string {
	var all []string
	for piece := range slices.Chunk([]byte(text), 255) {
		all = append(all, strconv.Quote(string(piece)))
	}
	return strings.Join(all, " ")
}

func buildDriver(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "milterload")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "rmilter/test/milterload").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return path
}

// generate returns generated messages by file name, from joe@example.com and without
// signatures.
func generate(b *testing.B, driver string) map[string][]byte {
	b.Helper()
	dir := b.TempDir()
	if out, err := exec.CommandContext(b.Context(), driver, "-write", dir, "-corpus", strconv.Itoa(benchMessages)).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	all := map[string][]byte{}
	for name, m := range read(b, dir) {
		m.Header = slices.DeleteFunc(m.Header, func(f miltertest.Field) bool { return f.Name == "DKIM-Signature" })
		for i, f := range m.Header {
			if f.Name == "From" {
				m.Header[i].Value = " Joe <joe@example.com>"
			}
		}
		all[name] = m.Bytes()
	}
	return all
}

// read returns the messages of a folder by file name.
func read(b *testing.B, dir string) map[string]miltertest.Message {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) == 0 {
		b.Fatalf("%d messages, %v", len(files), err)
	}
	all := map[string]miltertest.Message{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		all[filepath.Base(file)] = miltertest.ParseMessage(text)
	}
	return all
}

// sample copies a part of the corpus that RMILTER_CORPUS names to a folder, as many
// messages as a turn has.
func sample(b *testing.B) string {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("RMILTER_CORPUS"), "*", "*.eml"))
	if err != nil || os.Getenv("RMILTER_CORPUS") == "" || len(files) == 0 {
		b.Skip("RMILTER_CORPUS doesn't name a folder with ham/*.eml and spam/*.eml")
	}
	dir := b.TempDir()
	for i, which := range rand.New(rand.NewPCG(6, 6)).Perm(len(files))[:min(benchTurn, len(files))] {
		text, err := os.ReadFile(files[which])
		if err != nil {
			b.Fatal(err)
		}
		write(b, filepath.Join(dir, fmt.Sprintf("%05d.eml", i)), text)
	}
	return dir
}

// startOpenDKIM starts OpenDKIM's milter with a key, to verify and to sign.
func startOpenDKIM(b *testing.B, k key, milter string) contestant {
	b.Helper()
	dir := b.TempDir()
	write(b, filepath.Join(dir, "internal"), []byte(ours+"\n"))
	write(b, filepath.Join(dir, "records"), []byte(dkim.RecordName(k.Domain, k.Selector)+" "+k.Key.Record()+"\n"))
	conf := filepath.Join(dir, "opendkim.conf")
	write(b, conf, fmt.Appendf(nil, "Mode sv\nSocket local:%s\nDomain %s\nSelector %s\nKeyFile %s\nCanonicalization relaxed/relaxed\n"+
		"InternalHosts %s/internal\nTestDNSData %s/records\nAuthservID mx.example.com\nAlwaysAddARHeader yes\nBackground no\nAutoRestart no\nRequireSafeKeys no\nUserID root\n",
		milter, k.Domain, k.Selector, k.path, dir, dir))
	cmd := exec.Command("opendkim", "-f", "-x", conf)
	log := new(e2e.Log)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if !e2e.Eventually(func() bool {
		c, err := net.Dial("unix", milter)
		if err == nil {
			c.Close()
		}
		return err == nil
	}) {
		b.Fatalf("OpenDKIM doesn't start: %s", log)
	}
	return contestant{name: "opendkim", milter: milter, pid: cmd.Process.Pid}
}

// deliver gives a program all messages of a folder, and found each with its edits.
func deliver(b *testing.B, c contestant, dir, client string, found func(name string, edits []miltertest.Edit, after []byte)) {
	b.Helper()
	for name, m := range read(b, dir) {
		conn, err := miltertest.Dial("unix", c.milter)
		if err != nil {
			b.Fatal(err)
		}
		if err := conn.Negotiate(6, miltertest.AllActions, miltertest.AllProtocol); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Connect("client.example.com", miltertest.Inet, 4000, client); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Helo("client.example.com"); err != nil {
			b.Fatal(err)
		}
		d := miltertest.Delivery{From: miltertest.Path{Addr: "<joe@example.com>"}, Rcpts: []miltertest.Path{{Addr: "<alice@example.org>"}}, Message: m}
		o, err := conn.Deliver(d, miltertest.Options{})
		if err != nil || !o.Reply.Continues() {
			b.Fatalf("%s: %s: %v, %v", c.name, name, o.Reply, err)
		}
		found(name, o.Reply.Edits, d.Apply(o.Reply.Edits, conn.Protocol()&miltertest.LeadSpace != 0).Message.Bytes())
		if err := conn.Quit(); err != nil {
			b.Fatal(err)
		}
	}
}

// mustVerify sees that a program finds all signatures valid.
func mustVerify(b *testing.B, c contestant, dir string) {
	b.Helper()
	deliver(b, c, dir, "198.51.100.7", func(name string, edits []miltertest.Edit, _ []byte) {
		if !slices.ContainsFunc(edits, func(e miltertest.Edit) bool {
			return e.Name == "Authentication-Results" && strings.Contains(e.Value, "dkim=pass")
		}) {
			b.Fatalf("%s: %s: got the edits %v, want dkim=pass", c.name, name, edits)
		}
	})
}

// mustSign sees that a program signs all messages and that the signatures are valid.
func mustSign(b *testing.B, c contestant, dir string, k key) {
	b.Helper()
	deliver(b, c, dir, "192.0.2.7", func(name string, _ []miltertest.Edit, after []byte) {
		if got, want := verify(b, after, records([]key{k})), []string{"rsa-sha256 pass"}; !slices.Equal(got, want) {
			b.Fatalf("%s: %s: got %q, want %q", c.name, name, got, want)
		}
	})
}

// compete has the programs take the same messages in turns, and reports the medians. The
// first program is what the others are compared with.
func compete(b *testing.B, driver string, all []contestant, want field, args ...string) {
	for _, c := range all {
		spend(b, driver, c, want, benchTurn/4, args) // so that all is warm
	}
	turn := 0
	for b.Loop() {
		turn++
		for i := range all {
			c := &all[(i+turn)%len(all)]
			c.costs = append(c.costs, spend(b, driver, *c, want, benchTurn, append(args, "-seed", strconv.Itoa(turn))))
		}
	}
	for i, c := range all {
		b.ReportMetric(median(c.costs), c.name+"-ms/msg")
		if i == 0 {
			continue
		}
		ratios := make([]float64, turn)
		for t := range ratios {
			ratios[t] = c.costs[t] / all[0].costs[t]
		}
		b.ReportMetric(median(ratios), c.name+"/"+all[0].name)
		b.Logf("%s: ratio in each turn %.2f", c.name, ratios)
	}
}

// spend sends messages to a program and returns the CPU time in ms that it took for each.
func spend(b *testing.B, driver string, c contestant, want field, n int, args []string) float64 {
	b.Helper()
	// Where it has found errors its exit code is not 0, but they are in the report.
	out, failed := exec.Command(driver, append([]string{"-addr", c.milter, "-pid", strconv.Itoa(c.pid), "-n", strconv.Itoa(n), "-json"}, args...)...).Output()
	var report struct {
		Messages int
		Edits    map[string]int
		Process  struct {
			CPU float64 `json:"cpu_ms_per_message"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || float64(report.Messages) < want.share*float64(n) {
		b.Fatalf("%s: %v, %v: %s", c.name, failed, err, out)
	}
	if got := report.Edits["insert header "+want.name] + report.Edits["add header "+want.name]; float64(got) < want.share*float64(n) {
		b.Fatalf("%s: %d of %d messages got %s, want a share of %v: %s", c.name, got, n, want.name, want.share, out)
	}
	return report.Process.CPU
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
