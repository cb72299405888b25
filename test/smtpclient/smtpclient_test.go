package smtpclient_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"rmilter/test/smtpclient"
)

// serve answers one connection: with the greeting, and then with the next of the
// replies for each line that comes; without replies it hangs up. It returns the
// address, and the lines when the connection has ended.
func serve(t *testing.T, greeting string, replies ...string) (addr string, lines func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	heard := make(chan []string, 1)
	go func() {
		var all []string
		defer func() { heard <- all }()
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, greeting)
		for in := bufio.NewScanner(c); len(replies) > 0 && in.Scan(); {
			all = append(all, in.Text())
			if len(all) <= len(replies) {
				fmt.Fprint(c, replies[len(all)-1])
			}
		}
	}()
	return l.Addr().String(), func() []string { return <-heard }
}

func TestSend(t *testing.T) {
	addr, lines := serve(t, "220-two\r\n220 lines\r\n", "250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n", "250 2.1.0 Ok\r\n", "550 5.1.1 no\r\n",
		"250 2.1.5 Ok\r\n", "354 go\r\n", "", "", "", "451-4.7.1 later [0123456789]\r\n451 4.7.1 later [0123456789]\r\n", "221 bye\r\n")
	c, err := smtpclient.DialHello(addr, "client.example")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Greeting.Text(); got != "two\nlines" {
		t.Errorf("greeting %q", got)
	}
	res, err := c.Send("a@x.example SIZE=3", []string{"b@y.example", "c@y.example"}, []byte("A: b\r\n\r\n.dot"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(res.Mail, res.Rcpts, res.Data), "250 2.1.0 Ok [550 5.1.1 no 250 2.1.5 Ok] 354 go"; got != want {
		t.Errorf("replies %s, want %s", got, want)
	}
	if !res.Last().Is(451, "4.7.1") || res.Last().Is(451, "4.7.0") || res.Last().Is(450) || len(res.Last().Lines) != 2 {
		t.Errorf("last reply %v", res.Last())
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
	want := "EHLO client.example|MAIL FROM:<a@x.example> SIZE=3|RCPT TO:<b@y.example>|RCPT TO:<c@y.example>|DATA|A: b||..dot|.|QUIT"
	if got := strings.Join(lines(), "|"); got != want {
		t.Errorf("the server heard\n%s\nwant\n%s", got, want)
	}
}

func TestMalformedReplies(t *testing.T) {
	for _, greeting := range []string{"hello\r\n", "22\r\n", "220x\r\n", "220-a\r\n250 b\r\n", "554 no\r\n", "", "220", strings.Repeat("220-x\r\n", 2000)} {
		addr, _ := serve(t, greeting)
		if c, err := smtpclient.Dial(addr); err == nil {
			t.Errorf("greeting %.40q is taken", greeting)
			c.Close()
		}
	}
}

func TestStuffed(t *testing.T) {
	for in, want := range map[string]string{
		"":                  ".\r\n",
		"a":                 "a\r\n.\r\n",
		"a\r\n":             "a\r\n.\r\n",
		".\r\n..\r\nb.\r\n": "..\r\n...\r\nb.\r\n.\r\n",
	} {
		if got := string(smtpclient.Stuffed([]byte(in))); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
