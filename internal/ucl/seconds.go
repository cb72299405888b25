package ucl

import "strings"

// Seconds returns a Value which sets *d and takes a bare number for seconds, as the
// error_time of old files has them.
func Seconds(d *Duration) Value { return &seconds{d} }

type seconds struct{ *Duration }

// Set implements Value.
func (s *seconds) Set(n *Node, add bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if text != "" && strings.Trim(text, "0123456789") == "" {
		text += "s"
	}
	return s.Duration.Set(&Node{Pos: n.Pos, Text: text}, add)
}
