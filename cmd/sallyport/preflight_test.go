// Preflight's exit status: the number that scripts and monitors act on.

package main

import (
	"errors"
	"strings"
	"testing"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/preflight"
)

func TestPreflightStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		report preflight.Report
		code   int
	}{
		{"all work", preflight.Report{Summary: preflight.Summary{OK: 3, NotTried: 2}}, 0},
		{"warnings", preflight.Report{Summary: preflight.Summary{OK: 1, Warning: 1}}, 0},
		{"warnings only", preflight.Report{Summary: preflight.Summary{Warning: 1}}, 0},
		{"one fails", preflight.Report{Summary: preflight.Summary{OK: 30, Failed: 1}}, 1},
		{"clients of the TLS listener are refused", preflight.Report{Summary: preflight.Summary{OK: 3}, Listener: &preflight.Listener{Status: preflight.Failed}}, 1},
		{"the TLS listener has a warning", preflight.Report{Summary: preflight.Summary{OK: 3}, Listener: &preflight.Listener{Status: preflight.Warning}}, 0},
		{"interrupted", preflight.Report{Interrupted: true, Summary: preflight.Summary{OK: 3, Unfinished: 1}}, 2},
		{"interrupted after a failure", preflight.Report{Interrupted: true, Summary: preflight.Summary{Failed: 1, Unfinished: 1}}, 1},
		{"nothing to try", preflight.Report{Summary: preflight.Summary{NotTried: 4}}, 2},
	} {
		err := preflightStatus(&c.report)
		var exit *commandline.ExitError
		if errors.As(err, &exit) != (c.code != 0) || exit != nil && exit.Code != c.code {
			t.Errorf("%s: %v, want exit %d", c.name, err, c.code)
		}
	}
}

// A wrong command line and a destination that fails have different exit statuses.
func TestPreflightCannotBeAsked(t *testing.T) {
	for _, args := range [][]string{
		{"--config", "/nonexistent.toml"}, {"--client", "nobody"}, {"--host", "[a"}, {"--host", "nothing.*"},
		{"--timeout", "1ms"}, {"--parallel", "1000"}, {"argument"}, {"--unknown"},
	} {
		if code, out, diag := command(t, "", append([]string{"preflight"}, args...)...); code != 2 || out != "" || !strings.HasPrefix(diag, "sallyport: ") {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, diag)
		}
	}
}
