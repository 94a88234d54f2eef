// Tests of what a server's answer to a hello says.

package hello

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// However a server's first bytes come, they say the same.
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
