// Descriptors tests.

package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

func TestDescriptorsNeeded(t *testing.T) {
	for _, c := range []struct {
		connections   int
		need, fitting uint64
	}{
		{16384, 68096, 16384},
		{1, 2564, 1},
	} {
		need := neededDescriptors(rules.Limits{Connections: c.connections})
		if need != c.need || fitting(need) != c.fitting {
			t.Errorf("%d connections need %d, which is enough for %d", c.connections, need, fitting(need))
		}
	}
	if fitting(64) != 1 {
		t.Errorf("64 files are enough for %d", fitting(64))
	}
}

// A start with too few says so, with the numbers and the cure; one with enough
// says nothing. The soft limit is the hard one already.
func TestDescriptorsWarning(t *testing.T) {
	var has unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &has); err != nil {
		t.Fatal(err)
	}
	if has.Cur != has.Max {
		t.Errorf("soft limit %d, hard limit %d", has.Cur, has.Max)
	}
	said := func(connections int) string {
		var b bytes.Buffer
		warnOfDescriptors(slog.New(slog.NewTextHandler(&b, nil)), rules.Limits{Connections: connections})
		return b.String()
	}
	if got := said(1); got != "" {
		t.Errorf("enough: %q", got)
	}
	if has.Max > 1<<40 {
		t.Skip("no limit")
	}
	if got := said(int(has.Max)); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "LimitNOFILE=") || !strings.Contains(got, "needed=") {
		t.Errorf("too few: %q", got)
	}
}
