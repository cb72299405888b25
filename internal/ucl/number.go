package ucl

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Size is a number of bytes. In the file it has an optional suffix k, m or g of
// either case, which counts in 1024; "10M", "10MB" and "10MiB" are the same.
type Size int64

// Set implements Value.
func (s *Size) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	num, unit := splitNumber(text)
	shift, ok := sizeUnit(unit)
	v, err := strconv.ParseFloat(num, 64)
	if !ok || err != nil || !plain(num) {
		return n.Errorf("%s is not a size; expected a number of bytes, or one with k, m or g as in 10M", quoteFor(text))
	}
	v = math.Round(v * float64(int64(1)<<shift))
	if v >= math.MaxInt64 {
		return n.Errorf("%s is too large; expected less than 8388608t", quoteFor(text))
	}
	*s = Size(v)
	return nil
}

// sizeUnit returns the power of two that a unit stands for.
func sizeUnit(name string) (shift uint, ok bool) {
	switch strings.ToLower(name) {
	case "", "b":
		return 0, true
	case "k", "kb", "kib":
		return 10, true
	case "m", "mb", "mib":
		return 20, true
	case "g", "gb", "gib":
		return 30, true
	case "t", "tb", "tib":
		return 40, true
	}
	return 0, false
}

// String returns the size with the largest suffix that leaves a whole number.
func (s Size) String() string {
	for _, u := range []struct {
		size Size
		name string
	}{{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "k"}} {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// A Duration is a length of time. In the file it is a number with the unit ms, s,
// m or min, h, d or w. A number without unit is refused, except 0.
type Duration time.Duration

// durationUnit returns the length of a unit.
func durationUnit(name string) (time.Duration, bool) {
	switch strings.ToLower(name) {
	case "ms":
		return time.Millisecond, true
	case "s", "sec":
		return time.Second, true
	case "m", "min":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	case "w":
		return 7 * 24 * time.Hour, true
	case "y": // rspamd's
		return 365 * 24 * time.Hour, true
	}
	return 0, false
}

// Set implements Value.
func (d *Duration) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	num, unit := splitNumber(text)
	v, err := strconv.ParseFloat(num, 64)
	if err != nil || !plain(num) {
		return n.Errorf("%s is not a time; expected a number with ms, s, m, h, d or w as in 30s", quoteFor(text))
	}
	if unit == "" {
		if v != 0 {
			return n.Errorf("the time %s has no unit; expected ms, s, m, h, d or w: did you mean %ss?", num, num)
		}
		*d = 0
		return nil
	}
	u, ok := durationUnit(unit)
	if strings.ContainsAny(unit, "0123456789") {
		return n.Errorf("%s is not a time; expected one number with one unit as in 90s", quoteFor(text))
	}
	if !ok {
		return n.Errorf("%s is not a unit of time; expected ms, s, m, h, d or w", quoteFor(unit))
	}
	v = math.Round(v * float64(u))
	if v >= math.MaxInt64 {
		return n.Errorf("%s is too long; expected less than 290 years", quoteFor(text))
	}
	*d = Duration(v)
	return nil
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the duration with the largest unit up to days that leaves a whole
// number, for example "5m", "90s" or "3d".
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	for _, u := range []struct {
		len  time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if time.Duration(d)%u.len == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/u.len), 10) + u.name
		}
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + "ms"
}

// A Float is a decimal number.
type Float float64

// Set implements Value.
func (f *Float) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !plain(strings.TrimPrefix(text, "-")) {
		return n.Errorf("%s is not a number; expected one as in 4.5", quoteFor(text))
	}
	*f = Float(v)
	return nil
}

// String returns the shortest form of the number.
func (f Float) String() string { return strconv.FormatFloat(float64(f), 'f', -1, 64) }

// An Int is a whole number.
type Int int64

// Set implements Value.
func (i *Int) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return n.Errorf("%s has too many digits; expected at most 18", quoteFor(text))
	}
	if err != nil {
		return n.Errorf("%s is not a whole number; expected digits only", quoteFor(text))
	}
	*i = Int(v)
	return nil
}

// String returns the number in decimal digits.
func (i Int) String() string { return strconv.FormatInt(int64(i), 10) }

// A Flag is yes or no. In the file it is yes, no, true, false, on, off, 1 or 0 in
// any case.
type Flag bool

// Set implements Value.
func (f *Flag) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	switch strings.ToLower(text) {
	case "yes", "true", "on", "1":
		*f = true
	case "no", "false", "off", "0":
		*f = false
	default:
		return n.Errorf("%s is not a flag; expected yes or no", quoteFor(text))
	}
	return nil
}

// String returns "yes" or "no".
func (f Flag) String() string {
	if f {
		return "yes"
	}
	return "no"
}

// A Mode is the permission bits of a file, written in octal digits.
type Mode fs.FileMode

// Set implements Value.
func (m *Mode) Set(n *Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	v, err := strconv.ParseUint(text, 8, 32)
	if err != nil || v > 0o777 {
		return n.Errorf("%s is not a file mode; expected octal digits as in 0600", quoteFor(text))
	}
	*m = Mode(v)
	return nil
}

// String returns four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// fraction tells whether two texts may be a number with a comma between them.
func fraction(whole, rest string) bool {
	if len(rest) == 3 && strings.Trim(rest, "0123456789") == "" {
		return false // 2,000
	}
	return whole != "" && len(whole) < 20 && strings.Trim(whole, "0123456789:.") == "" && rest != "" && strings.IndexByte("0123456789", rest[0]) >= 0
}

// splitNumber cuts text after its leading digits and dots.
func splitNumber(text string) (num, rest string) {
	i := 0
	for i < len(text) && (text[i] == '.' || text[i] >= '0' && text[i] <= '9') {
		i++
	}
	return text[:i], strings.TrimLeft(text[i:], " ")
}

// plain tells whether num is digits with at most one dot among them. ParseFloat
// knows more forms (exponents, hexadecimal, Inf), which nobody means here.
func plain(num string) bool {
	dots := 0
	for i := range len(num) {
		switch {
		case num[i] == '.':
			dots++
		case num[i] < '0' || num[i] > '9':
			return false
		}
	}
	return dots <= 1 && len(num) > dots
}

// Within returns a Value which sets *p and refuses what is below min or above max.
func Within[T Size | Duration | Float | Int, P interface {
	*T
	Value
}](p P, min, max T) Value {
	return &within[T, P]{p: p, min: min, max: max}
}

type within[T Size | Duration | Float | Int, P interface {
	*T
	Value
}] struct {
	p        P
	min, max T
}

func (w *within[T, P]) Set(n *Node, add bool) error {
	var v T
	if err := P(&v).Set(n, add); err != nil {
		return err
	}
	if v < w.min || v > w.max {
		return n.Errorf("%s is out of range; expected %s to %s", P(&v), P(&w.min), P(&w.max))
	}
	*w.p = v
	return nil
}

func (w *within[T, P]) String() string { return w.p.String() }
