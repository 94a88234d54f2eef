// Tests of a server's answer to a ClientHello.

package hello

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// The result does not depend on how the server's first bytes are cut.
func TestAnswerInPieces(t *testing.T) {
	for want, answer := range map[bool]string{true: serverHello(strings.Repeat("r", 32)), false: serverHello(retryRandom)} {
		for n := 1; n <= len(answer); n++ {
			var s Answer
			for piece := range slices.Chunk([]byte(answer), n) {
				s.Feed(bytes.Clone(piece))
			}
			if s.Settled() != want {
				t.Errorf("in pieces of %d: settled %t, want %t", n, s.Settled(), want)
			}
		}
	}
}
