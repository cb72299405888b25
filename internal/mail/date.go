package mail

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxDate bounds a date in bytes.
const maxDate = 256

var (
	errNoDate = errors.New("no date")
	errZone   = errors.New("no known time zone")
)

// ParseDate reads a date as RFC 5322, section 3.3 has it, with the obsolete forms of
// section 4.3 (years of two digits, zones by name) and comments. Of other forms that
// are seen (asctime, ISO 8601, a missing or unknown zone) it returns the time, taken
// as UTC where the zone isn't known, together with an error; of what is no date an
// error alone.
func ParseDate(s string) (time.Time, error) {
	s = s[:min(len(s), maxDate)]
	words := dateWords(s)
	if len(words) == 0 {
		return time.Time{}, errNoDate
	}
	d := dateParser{words: words}
	t, err := d.standard()
	if err == nil || !t.IsZero() {
		return t, err
	}
	for _, layout := range [...]string{
		"Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 MST 2006", "Mon Jan 2 15:04:05 -0700 2006",
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05",
	} {
		if t, e := time.Parse(layout, strings.Join(words, " ")); e == nil {
			return t, fmt.Errorf("not a date of RFC 5322: %w", err)
		}
	}
	return time.Time{}, err
}

// dateWords splits a date at white space and commas, without comments.
func dateWords(s string) []string {
	if strings.IndexByte(s, '(') >= 0 {
		head, b := s, []byte(nil)
		for i := strings.IndexByte(head, '('); i >= 0; i = strings.IndexByte(head, '(') {
			b = append(append(b, head[:i]...), ' ')
			head = skipComment(head[i:])
		}
		s = string(append(b, head...))
	}
	words := make([]string, 0, 8)
	for n := 0; n < maxDate; n++ {
		s = strings.TrimLeft(s, " \t,\r\n")
		if s == "" {
			break
		}
		i := strings.IndexAny(s, " \t,\r\n")
		if i < 0 {
			i = len(s)
		}
		words, s = append(words, s[:i]), s[i:]
	}
	return words
}

// A dateParser reads the words of a date.
type dateParser struct{ words []string }

func (d *dateParser) next() string {
	if len(d.words) == 0 {
		return ""
	}
	w := d.words[0]
	d.words = d.words[1:]
	return w
}

// standard reads "[day-of-week,] day month year hour:minute[:second] zone".
func (d *dateParser) standard() (time.Time, error) {
	w := d.next()
	day, ok := digits(w, 1, 2)
	if !ok {
		if !isWeekday(w) {
			return time.Time{}, fmt.Errorf("%q is no day", clean(w))
		}
		if day, ok = digits(d.next(), 1, 2); !ok {
			return time.Time{}, errors.New("no day of the month")
		}
	}
	month := monthNumber(d.next())
	if month == 0 {
		return time.Time{}, errors.New("no month")
	}
	w = d.next()
	year, ok := digits(w, 2, 4)
	if !ok {
		return time.Time{}, errors.New("no year")
	}
	// RFC 5322, section 4.3.
	switch {
	case len(w) == 2 && year < 50:
		year += 2000
	case len(w) < 4:
		year += 1900
	}
	hour, minute, second, ok := clock(d.next())
	if !ok {
		return time.Time{}, errors.New("no time of the day")
	}
	offset, zoneErr := zone(d.next())
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.FixedZone("", offset))
	if day == 0 || t.Day() != day && second < 60 {
		return time.Time{}, fmt.Errorf("the month has no day %d", day)
	}
	if zoneErr == nil && len(d.words) > 0 {
		zoneErr = fmt.Errorf("text behind the date: %q", clean(d.words[0]))
	}
	return t, zoneErr
}

// digits reads a number of at least low and at most high digits.
func digits(s string, low, high int) (n int, ok bool) {
	if len(s) < low || len(s) > high {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func isWeekday(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) < 3 {
		return false
	}
	switch LowerASCII(s[:3]) {
	case "mon", "tue", "wed", "thu", "fri", "sat", "sun":
		return true
	}
	return false
}

// monthNumber returns the month that a name begins with, 0 if none.
func monthNumber(s string) int {
	if len(s) < 3 {
		return 0
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", LowerASCII(s[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}

// clock reads "15:04" and "15:04:05"; a second may be a leap second.
func clock(s string) (hour, minute, second int, ok bool) {
	h, rest, ok := strings.Cut(s, ":")
	if !ok {
		return 0, 0, 0, false
	}
	m, sec, three := strings.Cut(rest, ":")
	if !three {
		sec = "0"
	}
	hour, ok1 := digits(h, 1, 2)
	minute, ok2 := digits(m, 1, 2)
	second, ok3 := digits(sec, 1, 2)
	return hour, minute, second, ok1 && ok2 && ok3 && hour < 24 && minute < 60 && second < 61
}

// zone returns the seconds east of UTC. One that isn't known is UTC, with an error
// unless it is a single letter (RFC 5322, section 4.3).
func zone(s string) (int, error) {
	if len(s) == 5 && (s[0] == '+' || s[0] == '-') {
		n, ok := digits(s[1:], 4, 4)
		if !ok || n%100 > 59 || n > 2359 {
			return 0, errZone
		}
		seconds := (n/100*60 + n%100) * 60
		if s[0] == '-' {
			seconds = -seconds
		}
		return seconds, nil
	}
	switch strings.ToUpper(s) {
	case "UT", "GMT", "UTC":
		return 0, nil
	case "EST", "CDT":
		return -5 * 3600, nil
	case "EDT":
		return -4 * 3600, nil
	case "CST", "MDT":
		return -6 * 3600, nil
	case "MST", "PDT":
		return -7 * 3600, nil
	case "PST":
		return -8 * 3600, nil
	}
	if len(s) == 1 && s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' && s[0]|0x20 != 'j' {
		return 0, nil
	}
	return 0, errZone
}
