package ucl

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxBucket is the largest burst and the largest rate.
const maxBucket = 1e9

// A Bucket is a limit: at most Burst messages at once, and Rate of them again in
// each second. In the file it is BURST:RATE as in 20:0.0166, or "NUMBER / TIME" as
// in "100 / 1h", which is a burst of 100 and the rate of 100 in an hour, or rspamd's
// block { burst = 20; rate = "1 / 1min" }. The zero Bucket is off.
type Bucket struct {
	Burst float64 // messages, 0 or at least 1
	Rate  float64 // messages in a second
}

// Off tells whether the bucket limits nothing: its burst or its rate is 0.
func (b Bucket) Off() bool { return b.Burst == 0 || b.Rate == 0 }

// IsBlock returns true: the value may be a block.
func (b *Bucket) IsBlock() bool { return true }

// Set implements Value.
func (b *Bucket) Set(n *Node, _ bool) error {
	read := readBucket
	if n.Kind == BlockKind {
		read = bucketBlock
	}
	v, err := read(n)
	if err != nil {
		return err
	}
	if v.Burst > 0 && v.Burst < 1 {
		return n.Errorf("a burst of %v lets no message through; expected 1 or more, or 0 for no limit", v.Burst)
	}
	*b = v
	return nil
}

// readBucket reads "20:0.0166" and "100 / 1h".
func readBucket(n *Node) (Bucket, error) {
	text, err := n.Word()
	if err != nil {
		return Bucket{}, err
	}
	if number, length, ok := strings.Cut(text, "/"); ok {
		burst, err := amount(n, strings.TrimSpace(number), text)
		if err != nil {
			return Bucket{}, err
		}
		seconds, err := period(n, strings.TrimSpace(length))
		if err == nil && burst/seconds > maxBucket {
			err = n.Errorf("%s is a rate of %.0f in a second; expected at most %.0f", quoteFor(text), burst/seconds, maxBucket)
		}
		return Bucket{burst, burst / seconds}, err
	}
	first, second, ok := strings.Cut(text, ":")
	if !ok {
		return Bucket{}, notBucket(n, text)
	}
	burst, err := amount(n, strings.TrimSpace(first), text)
	if err != nil {
		return Bucket{}, err
	}
	rate, err := amount(n, strings.TrimSpace(second), text)
	return Bucket{burst, rate}, err
}

// bucketBlock reads { burst = 20; rate = "1 / 1min" }; the rate may be a number for
// each second, too.
func bucketBlock(n *Node) (Bucket, error) {
	var b Bucket
	seen := map[string]bool{}
	for _, d := range n.Block.Directives {
		text, err := d.Value.Word()
		switch {
		case err != nil:
		case seen[d.Name]:
			err = d.Value.Errorf("a second %s; expected one", d.Name)
		case d.Name == "burst":
			b.Burst, err = amount(d.Value, text, text)
		case d.Name == "rate" && strings.Contains(text, "/"):
			var r Bucket
			r, err = readBucket(d.Value)
			b.Rate = r.Rate
		case d.Name == "rate":
			b.Rate, err = amount(d.Value, text, text)
		default:
			err = d.Value.Errorf("unknown word %s; expected burst and rate", quoteFor(d.Name))
		}
		if err != nil {
			return Bucket{}, err
		}
		seen[d.Name] = true
	}
	if !seen["burst"] || !seen["rate"] {
		return Bucket{}, n.Errorf("a limit without burst or rate; expected both")
	}
	return b, nil
}

// amount reads a burst or a rate, which is a part of the text of n.
func amount(n *Node, number, text string) (float64, error) {
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case !plain(number):
		return 0, notBucket(n, text)
	case err != nil || v > maxBucket:
		return 0, n.Errorf("%s is too large; expected at most %.0f", quoteFor(number), maxBucket)
	}
	return v, nil
}

func notBucket(n *Node, text string) error {
	return n.Errorf(`%s is not a limit; expected BURST:RATE as in 20:0.0166, or a number in a time as in "100 / 1h"`, quoteFor(text))
}

// period reads the time of "100 / 1h" and returns its seconds.
func period(n *Node, text string) (float64, error) {
	var d Duration
	if err := d.Set(&Node{Pos: n.Pos, Text: text}, false); err != nil {
		return 1, err
	}
	if d == 0 {
		return 1, n.Errorf("a limit in no time; expected a time such as 1h after the /")
	}
	return d.Std().Seconds(), nil
}

// String returns "NUMBER / TIME" where that is exact for a time in whole seconds,
// otherwise BURST:RATE.
func (b Bucket) String() string {
	burst := strconv.FormatFloat(b.Burst, 'f', -1, 64)
	if !b.Off() {
		if s := math.Round(b.Burst / b.Rate); s >= 1 && s < math.MaxInt64/1e9 && b.Burst/s == b.Rate {
			return fmt.Sprintf(`"%s / %s"`, burst, Duration(s*float64(time.Second)))
		}
	}
	return burst + ":" + strconv.FormatFloat(b.Rate, 'f', -1, 64)
}
