// Tests of the warnings about permitted destinations that do not answer.

package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// A parent that fails, fails for every destination: one warning names it, and what to do.
func TestUnreachedNamesTheParent(t *testing.T) {
	var log bytes.Buffer
	m := newMetrics()
	u := newUnreached(func(rules.Close) {}, m.unreached, func() time.Time { return time.Unix(0, 0) }, slog.New(slog.NewTextHandler(&log, nil)))
	for port := range uint16(3) {
		a := rules.Attempt{Parent: &rules.Parent{Name: "corporate"}, Dest: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 443+port)}
		u.closed(rules.Close{Attempt: a, Cause: rules.ParentAuth, Why: "parent corporate: parent_auth", Help: "correct auth_file"})
		u.closed(rules.Close{Attempt: a, Cause: rules.ParentRefused})
	}
	if n := strings.Count(log.String(), "fault=parent_auth"); n != 1 || !strings.Contains(log.String(), `destination=192.0.2.1 port=443 fault=parent_auth via="" client="" parent=corporate error="parent corporate: parent_auth" do="correct auth_file"`) {
		t.Errorf("%d warnings about the login:\n%s", n, &log)
	}
	if n := strings.Count(log.String(), "fault=parent_refused"); n != 3 {
		t.Errorf("%d warnings about refusals, want one for each destination:\n%s", n, &log)
	}
	if n := dialFailures(t, m, "parent_auth"); n != 3 {
		t.Errorf("%v faults are counted", n)
	}
}

func TestUnreachedIsCountedAndSaid(t *testing.T) {
	var log bytes.Buffer
	now, told := time.Unix(0, 0), 0
	m := newMetrics()
	u := newUnreached(func(rules.Close) { told++ }, m.unreached, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	end := func(host string, cause rules.Cause) {
		a := rules.Attempt{Dest: netip.MustParseAddrPort("192.0.2.1:443")}
		if host != "" {
			name, err := rules.ParseName(host)
			if err != nil {
				t.Fatal(err)
			}
			a.Authority = name
		}
		u.closed(rules.Close{Attempt: a, Cause: cause})
	}
	warnings := func() int { return strings.Count(log.String(), "level=WARN") }

	end("a.example", rules.EndIdle)
	end("a.example", rules.EndClean)
	if warnings() != 0 {
		t.Errorf("flows that were connected are warned of:\n%s", &log)
	}
	for range 5 {
		end("a.example", rules.DialRefused)
	}
	end("a.example", rules.DialTimedOut)
	end("b.example", rules.DialRefused)
	end("", rules.DialRefused)
	if warnings() != 4 {
		t.Errorf("%d warnings, want one for each destination and fault:\n%s", warnings(), &log)
	}
	now = now.Add(unreachedEvery)
	end("a.example", rules.DialRefused)
	if warnings() != 5 || !strings.Contains(log.String(), "since_last=4") {
		t.Errorf("after a minute it is said again, with how often:\n%s", &log)
	}
	if !strings.Contains(log.String(), "destination=192.0.2.1 port=443") {
		t.Errorf("a destination without a name goes by its address:\n%s", &log)
	}
	end("a.example", rules.EndNoAnswer)
	end("a.example", rules.EndNoAnswer)
	if warnings() != 6 || strings.Count(log.String(), `"a permitted destination gave no valid answer to a request" destination=a.example port=443 fault=no_answer`) != 1 {
		t.Errorf("a destination that does not answer is said once:\n%s", &log)
	}
	if n := dialFailures(t, m, "refused"); n != 8 {
		t.Errorf("%v refusals are counted, want 8", n)
	}
	if n := dialFailures(t, m, "unreachable"); n != 0 {
		t.Errorf("%v of a fault that did not happen", n)
	}
	if told != 13 {
		t.Errorf("the recorder was told %d times, want 13", told)
	}
}

// If very many destinations fail, few are remembered and few are logged.
func TestUnreachedIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMetrics()
	u := newUnreached(func(rules.Close) {}, m.unreached, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	said := 0
	for i := range 3 * unreachedMost {
		if _, due := u.due(unreachedKey{host: fmt.Sprint(i)}); due {
			said++
		}
	}
	if said != unreachedMost || len(u.warned) != unreachedMost {
		t.Errorf("%d said, %d remembered", said, len(u.warned))
	}
	now = now.Add(unreachedEvery)
	if _, due := u.due(unreachedKey{host: "another"}); !due || len(u.warned) != 1 {
		t.Errorf("a minute later there is room again: %v, %d", due, len(u.warned))
	}
}

// dialFailures returns the value of the metric; -1 if it lacks the fault.
func dialFailures(t *testing.T, m *metrics, fault string) float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sallyport_dial_failures_total" && m.GetLabel()[0].GetValue() == fault {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}
