//go:build linux

// Texts: what a message must contain.

package e2e

import (
	"fmt"
	"strings"
)

// lacks returns an error that names the first part that text does not contain.
func lacks(text string, parts ...string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return errorf("no %q", part)
		}
	}
	return nil
}

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }
