//go:build !linux

package embedded

import "errors"

func childFills(string) error { return errors.New("only Linux mounts like this") }
