package state

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"rmilter/test/redisd"
)

// Rules of the benchmark: some generated mail is doubtful, and what is told to come again
// never passes while it runs.
const benchRules = `
regexp "DOUBTFUL" { re = '/[aeiou]{2}.*[aeiou]{2}.*[aeiou]{2}/i'; where = subject; score = 5; }
`

// Everything that keeps state.
const allState = `
greylisting { warmup = 0s; }
limits { user = "1000000 / 1h"; limit_to = "1000000 / 1h"; limit_to_ip = "1000000 / 1h"; limit_to_ip_from = "1000000 / 1h"; }
`

// noState turns off all of it.
const noState = "greylisting { enable = no; }\nlimits { enable = no; }\nreplies { enable = no; }\n"

// BenchmarkState tells what state costs: the daemon's CPU time for each message, without
// state, with all of it in its own store and with all of it in Redis. The same load goes to
// the three in turns, and each turn has its ratio, so that what else the machine does
// counts for all alike. One operation is a turn of all three.
func BenchmarkState(b *testing.B) {
	driver := filepath.Join(b.TempDir(), "milterload")
	if out, err := exec.Command("go", "build", "-o", driver, "rmilter/test/milterload").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	s := redisd.Single(b, redisd.Options{})
	daemons := []*daemon{
		startDaemon(b, "", benchRules+noState),
		startDaemon(b, "", benchRules+allState),
		startDaemon(b, "", benchRules+allState+fmt.Sprintf("redis { servers = %q; }\n", s.Address())),
	}
	for i, d := range daemons {
		spent(b, driver, d, 500, 1000+i) // so that all is warm
	}
	var costs [3][]float64
	turn := 0
	for b.Loop() {
		turn++
		for i := range daemons {
			which := (i + turn) % len(daemons)
			costs[which] = append(costs[which], spent(b, driver, daemons[which], 2000, turn))
		}
	}
	counts := daemons[1].status().Total
	b.ReportMetric(100*float64(counts.Greylist.Deferred)/float64(counts.Messages), "%deferred")
	b.ReportMetric(median(costs[0]), "none-ms/msg")
	for i, name := range []string{"embedded", "redis"} {
		ratios := make([]float64, turn)
		for t := range ratios {
			ratios[t] = costs[i+1][t] / costs[0][t]
		}
		b.ReportMetric(median(costs[i+1]), name+"-ms/msg")
		b.ReportMetric(median(ratios), name+"/none")
		b.Logf("%s: ratio in each turn %.2f", name, ratios)
	}
}

// spent sends messages to a daemon and returns the CPU time in ms that it took for each.
func spent(b *testing.B, driver string, d *daemon, messages, seed int) float64 {
	b.Helper()
	out, err := exec.Command(driver, "-addr", d.Addr(0).String(), "-pid", strconv.Itoa(d.Pid()), "-n", strconv.Itoa(messages), "-c", "8",
		"-per-conn", "4", "-auth", "0.2", "-nrcpt", "2", "-clients", "198.51.100.0/24,203.0.113.0/24", "-seed", strconv.Itoa(seed), "-json").CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	var report struct {
		Messages int
		Errors   int
		Process  struct {
			CPU float64 `json:"cpu_ms_per_message"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Errors > 0 || report.Messages != messages {
		b.Fatalf("%v: %s", err, out)
	}
	return report.Process.CPU
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}
