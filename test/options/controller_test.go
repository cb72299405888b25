package options

import (
	"fmt"
	"net/http"
	"strings"
)

// controllerEntries are about the HTTP servers.
func controllerEntries() []entry {
	const section = `worker "controller" `
	return []entry{
		{path: section + "bind_socket", value: `"127.0.0.1:11335", "*:11336", "$DIR/http.sock"`, probe: httpSockets, room: true,
			before: "127.0.0.1:11334: pong\n127.0.0.1:11335: -\n127.0.0.2:11335: -\n127.0.0.2:11336: -\n[::1]:11336: -\nDIR/http.sock: -",
			after:  "127.0.0.1:11334: -\n127.0.0.1:11335: pong\n127.0.0.2:11335: -\n127.0.0.2:11336: pong\n[::1]:11336: pong\nDIR/http.sock: pong"},
		{path: section + "bind_socket", value: "[]", probe: httpSockets, room: true,
			before: "127.0.0.1:11334: pong\n127.0.0.1:11335: -\n127.0.0.2:11335: -\n127.0.0.2:11336: -\n[::1]:11336: -\nDIR/http.sock: -",
			after:  "127.0.0.1:11334: -\n127.0.0.1:11335: -\n127.0.0.2:11335: -\n127.0.0.2:11336: -\n[::1]:11336: -\nDIR/http.sock: -"},
		{path: section + "password", value: `"open sesame"`, probe: rights("open sesame", "other"),
			before: "without a password: status 200, reload 403\nopen sesame: status 200, reload 403\nother: status 200, reload 403",
			after:  "without a password: status 401, reload 401\nopen sesame: status 200, reload 200\nother: status 401, reload 401"},
		{path: section + "enable_password", value: "sesame", with: section + "{ password = reader; }", probe: rights("reader", "sesame"),
			before: "without a password: status 401, reload 401\nreader: status 200, reload 200\nsesame: status 401, reload 401",
			after:  "without a password: status 401, reload 401\nreader: status 200, reload 403\nsesame: status 200, reload 200"},
		{path: section + "enable_password", value: "sesame", probe: rights("sesame"),
			before: "without a password: status 200, reload 403\nsesame: status 200, reload 403",
			after:  "without a password: status 401, reload 401\nsesame: status 200, reload 200"},
		{path: section + "secure_ip", value: "127.0.0.0/8", with: section + "{ password = secret; }", probe: rights("secret"),
			before: "without a password: status 401, reload 401\nsecret: status 200, reload 200",
			after:  "without a password: status 200, reload 200\nsecret: status 200, reload 200"},
		{path: section + "secure_ip", value: "localhost", probe: rights(),
			before: "without a password: status 200, reload 403", after: "without a password: status 200, reload 200"},
		{path: `worker "normal" bind_socket`, value: `"127.0.0.1:11337", "*:11338", "$DIR/scan.sock"`, probe: scanSockets, room: true,
			before: "127.0.0.1:11333: scanned\n127.0.0.1:11337: -\n127.0.0.2:11337: -\n127.0.0.2:11338: -\n[::1]:11338: -\nDIR/scan.sock: -",
			after:  "127.0.0.1:11333: -\n127.0.0.1:11337: scanned\n127.0.0.2:11337: -\n127.0.0.2:11338: scanned\n[::1]:11338: scanned\nDIR/scan.sock: scanned"},
		{path: `worker "normal" bind_socket`, value: "[]", probe: scanSockets, room: true,
			before: "127.0.0.1:11333: scanned\n127.0.0.1:11337: -\n127.0.0.2:11337: -\n127.0.0.2:11338: -\n[::1]:11338: -\nDIR/scan.sock: -",
			after:  "127.0.0.1:11333: -\n127.0.0.1:11337: -\n127.0.0.2:11337: -\n127.0.0.2:11338: -\n[::1]:11338: -\nDIR/scan.sock: -"},
	}
}

// scanSockets looks where mail may be had judged by HTTP.
func scanSockets(d *daemon) string {
	var seen []string
	for _, at := range []string{"127.0.0.1:11333", "127.0.0.1:11337", "127.0.0.2:11337", "127.0.0.2:11338", "[::1]:11338", d.path("scan.sock")} {
		said := "-"
		switch a := d.ask(at, request{method: "POST", path: "/symbols"}); {
		case a.code == 0:
		case strings.HasPrefix(a.body, `{"default":{"action":"no action",`):
			said = "scanned"
		default:
			said = fmt.Sprintf("%d %s", a.code, a.body)
		}
		seen = append(seen, at+": "+said)
	}
	return d.plain(strings.Join(seen, "\n"))
}

// httpSockets looks where the controller answers.
func httpSockets(d *daemon) string {
	var seen []string
	for _, at := range []string{"127.0.0.1:11334", "127.0.0.1:11335", "127.0.0.2:11335", "127.0.0.2:11336", "[::1]:11336", d.path("http.sock")} {
		said := "-"
		if a := d.ask(at, request{path: "/ping"}); a.code != 0 {
			said = strings.TrimSpace(a.body)
		}
		seen = append(seen, at+": "+said)
	}
	return d.plain(strings.Join(seen, "\n"))
}

// rights returns a probe that asks on TCP, without a password and with each of some, for
// something that only reads and for something that changes something.
func rights(passwords ...string) probe {
	return func(d *daemon) string {
		at := d.controller()
		ask := func(who, password string) string {
			status := d.ask(at, request{path: "/status", password: password})
			ready := d.Said("READY=1") + 1
			reload := d.ask(at, request{method: "POST", path: "/reload", password: password})
			if reload.code == http.StatusOK { // or a later reload takes this one's word for its own
				d.must(d.WaitSaid("READY=1", ready))
			}
			return fmt.Sprintf("%s: status %d, reload %d", who, status.code, reload.code)
		}
		seen := []string{ask("without a password", "")}
		for _, p := range passwords {
			seen = append(seen, ask(p, p))
		}
		return strings.Join(seen, "\n")
	}
}
