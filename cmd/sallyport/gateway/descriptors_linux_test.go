// Tests of the limit of open files.

package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"net"
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
		warnOfDescriptors(slog.New(slog.NewTextHandler(&b, nil)), c.files, site.Limits{Connections: 16384}, false)
		if got := b.String(); c.warns != strings.Contains(got, "level=WARN") || !c.warns && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%d files: %q, want %q", c.files, got, c.says)
		}
	}
}

// A first try on one host is not frightened by limits that only a gateway for many hosts needs. Too few
// files for one host stay a warning.
func TestDescriptorsOfAFirstTry(t *testing.T) {
	for _, c := range []struct {
		files uint64
		level string
		says  string
	}{
		{20000, "level=INFO", "open_files=20000 connections=4104"},
		{7584, "level=INFO", "connections=1000"},
		{7583, "level=WARN", "connections = 999"},
		{69120, "", ""},
	} {
		var b bytes.Buffer
		warnOfDescriptors(slog.New(slog.NewTextHandler(&b, nil)), c.files, site.Limits{Connections: 16384}, true)
		if got := b.String(); !strings.Contains(got, c.level) || c.level == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%d files: %q, want %s %q", c.files, got, c.level, c.says)
		}
	}
	at := func(name, ip string) boundListener {
		return boundListener{name, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
	}
	for _, c := range []struct {
		listeners []boundListener
		want      bool
	}{
		{[]boundListener{at("http", "127.0.0.1"), at("admin", "::1")}, true},
		{[]boundListener{at("http", "127.0.0.1"), at("dns", "0.0.0.0")}, false},
		{[]boundListener{at("socks5", "10.0.0.1")}, false},
		{[]boundListener{at("tproxy", "127.0.0.1")}, false},
		{[]boundListener{at("transparent", "127.0.0.1")}, false},
	} {
		if got := onlyThisHost(c.listeners); got != c.want {
			t.Errorf("%v: %v", c.listeners, got)
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
