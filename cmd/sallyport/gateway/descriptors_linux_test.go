// Tests of the limit of open files.

package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sallyport/rules/site"
)

func TestDescriptorsNeeded(t *testing.T) {
	for _, c := range []struct {
		connections   int
		need, fitting uint64
	}{
		{16384, 69120, 16384},
		{1, 3588, 1},
	} {
		need := neededDescriptors(site.Limits{Connections: c.connections})
		if need != c.need || fitting(need) != c.fitting {
			t.Errorf("%d connections need %d, which is enough for %d", c.connections, need, fitting(need))
		}
	}
	if fitting(64) != 1 {
		t.Errorf("64 files are enough for %d", fitting(64))
	}
}

// A start with too few descriptors logs the numbers and the remedy. A start with
// enough descriptors logs nothing, also where Go left one descriptor below the
// hard limit.
func TestDescriptorsWarning(t *testing.T) {
	for _, c := range []struct {
		files uint64
		warns bool
		says  string
	}{
		{0, false, ""}, // unknown
		{69121, false, ""},
		{69120, false, ""},
		{69119, false, ""}, // a hard limit of 69120 and a lower soft one
		{69118, true, "open_files=69118 needed=69120 connections=16384"},
		{20000, true, "LimitNOFILE=69120 (systemd), --ulimit nofile=69120 (container), or connections = 4104"},
		{math.MaxUint64, false, ""}, // no limit
	} {
		var b bytes.Buffer
		warnOfDescriptors(slog.New(slog.NewTextHandler(&b, nil)), c.files, site.Limits{Connections: 16384})
		if got := b.String(); c.warns != strings.Contains(got, "level=WARN") || !c.warns && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%d files: %q, want %q", c.files, got, c.says)
		}
	}
}

// softLimitChild marks the process that TestDescriptorsAreRaised starts.
const softLimitChild = "SALLYPORT_TEST_SOFT_LIMIT"

// The soft limit at the start does not matter. An ordinary login has a soft limit
// of 1024, far below the hard limit, and sallyport gets the hard limit, minus one
// at most.
func TestDescriptorsAreRaised(t *testing.T) {
	if hard := os.Getenv(softLimitChild); hard != "" {
		fmt.Printf("hard %s may open %d\n", hard, openFiles())
		return
	}
	for _, limits := range []string{"ulimit -Sn 64", "ulimit -n 300", "true"} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", limits+` && exec env "$1=$(ulimit -Hn)" "$0" -test.run='^TestDescriptorsAreRaised$'`, os.Args[0], softLimitChild)
		out, err := cmd.CombinedOutput()
		var hard, got uint64
		if _, scan := fmt.Sscanf(string(out), "hard %d may open %d", &hard, &got); scan != nil && !strings.Contains(string(out), "hard unlimited") || err != nil {
			t.Errorf("%s: %v %v\n%s", limits, err, scan, out)
		} else if got+1 < hard {
			t.Errorf("%s: may open %d of %d", limits, got, hard)
		}
	}
}
