package options

import (
	"fmt"
	"strings"
)

// controllerEntries are about the HTTP server.
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
	}
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
			return fmt.Sprintf("%s: status %d, reload %d", who,
				d.ask(at, request{path: "/status", password: password}).code,
				d.ask(at, request{method: "POST", path: "/reload", password: password}).code)
		}
		seen := []string{ask("without a password", "")}
		for _, p := range passwords {
			seen = append(seen, ask(p, p))
		}
		return strings.Join(seen, "\n")
	}
}
