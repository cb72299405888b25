package config

import (
	"rmilter/internal/password"
	"rmilter/internal/ucl"
)

// A passwordValue is a password in plain text or in the form that rmilterctl pw prints.
type passwordValue struct{ *ucl.Secret }

// Set implements ucl.Value.
func (v *passwordValue) Set(n *ucl.Node, _ bool) error {
	text, err := n.Word()
	if err != nil {
		return err
	}
	if password.IsEncrypted(text) {
		if _, err := password.Parse(text); err != nil {
			return n.Errorf("%v", err)
		}
	}
	*v.Secret = ucl.NewSecret(text)
	return nil
}
