//go:build linux

// Reach, redirected: clients that know of no proxy reach every documented TCP
// destination of every profile, by name and by address, over IPv4 and IPv6. No
// other packet leaves.

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestRedirectedReachEveryDocumentedDestination(t *testing.T) {
	need(t, "curl")
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		s.mustHaveCapabilities(t, "0000000000000000")
		mark := s.rec.mark(t)
		total := 0
		for _, c := range fleet {
			var all []trip
			for _, d := range documentedDestinations() {
				if d.client.name == c.name {
					all = append(all, s.directTrips(d)...)
				}
			}
			if len(all) > 0 {
				s.become(t, c)
				s.browse(t, all)
			}
			total += len(all)
		}
		if ds := s.g.journal().denials(0); len(ds) > 0 {
			t.Errorf("the journal has %d denials, among them\n%s", len(ds), ds[0].line)
		}
		s.onlyDocumented(t, s.rec.since(t, mark))
		t.Logf("%d transfers to %d destinations", total, len(documentedDestinations()))
	})
}

// directTrips lists the ways to one destination: over each family that it has,
// and with each protocol that its port may carry.
func (s *scene) directTrips(d destination) (ts []trip) {
	schemes := map[uint16][]string{80: {"http"}, 443: {"https"}}[d.port]
	if schemes == nil {
		schemes = []string{"https", "http"}
	}
	for _, v6 := range []bool{false, true} {
		if !slices.ContainsFunc(s.addressesOf(d.host), func(a netip.Addr) bool { return a.Is6() == v6 }) {
			continue
		}
		for _, scheme := range schemes {
			ts = append(ts, trip{destination: d, scheme: scheme, v6: v6})
		}
	}
	return ts
}

// browse makes all trips in one curl and checks which origin answered each
// trip.
func (s *scene) browse(t *testing.T, all []trip) {
	t.Helper()
	out := t.TempDir()
	if err := os.Chown(out, clientUser, clientUser); err != nil {
		t.Fatal(err)
	}
	var sections []string
	for i, tr := range all {
		family := "ipv4"
		if tr.v6 {
			family = "ipv6"
		}
		sections = append(sections, fmt.Sprintf("url = %q\n%s\noutput = %q\ncacert = %q\nmax-time = 20\nsilent\n"+
			"write-out = \"%d %%{http_code} %%{exitcode} %%{errormsg}\\n\"\n", tr.url(), family, filepath.Join(out, fmt.Sprint(i)), s.ca.file, i))
	}
	r := s.user(t, strings.Join(sections, "next\n"), "curl", "--disable", "--no-progress-meter", "--parallel", "--parallel-max", "8", "--config", "-")
	failed := 0
	for i, tr := range all {
		body, _ := os.ReadFile(filepath.Join(out, fmt.Sprint(i)))
		if !s.answeredBy(string(body), tr) {
			if failed++; failed <= 10 {
				report := regexp.MustCompile(fmt.Sprintf(`(?m)^%d .*`, i)).FindString(r.stdout)
				t.Errorf("%s from %s (v6=%t): curl says %q, body %q", tr.url(), tr.client.name, tr.v6, report, body)
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d transfers failed; curl: exit %d %s", failed, len(all), r.code, r.stderr)
	}
}

// mustHaveCapabilities checks every thread of the running process by the kernel's
// own data: its user, and that it has these capabilities and can get no other.
func (s *scene) mustHaveCapabilities(t *testing.T, set string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.g.cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("threads %q: %v", threads, err)
	}
	uid, none := fmt.Sprint(sallyportUser), fmt.Sprintf("%016x", 0)
	for _, thread := range threads {
		b, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Uid:\t" + uid + "\t" + uid + "\t" + uid, "CapInh:\t" + none, "CapPrm:\t" + set, "CapEff:\t" + set, "CapAmb:\t" + none, "NoNewPrivs:\t1"}
		if err := lacks(string(b), want...); err != nil {
			t.Errorf("%s: sallyport has other privileges: %v\n%s", thread, err, b)
		}
	}
}
