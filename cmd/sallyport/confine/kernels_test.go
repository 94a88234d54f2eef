//go:build linux

// Tests of older kernels, and of plans that cannot be applied.

package confine

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// A kernel without Landlock is reported and is not a failure. A seccomp filter that
// refuses the call is a failure. In both cases the other steps are applied.
func TestWithoutLandlock(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		errno syscall.Errno
		state State
		text  string
	}{
		{syscall.ENOSYS, Absent, "this kernel has no Landlock"},
		{syscall.EOPNOTSUPP, Absent, "lsm="},
		{syscall.EPERM, Failed, "SystemCallFilter"},
		{syscall.EINVAL, Failed, "invalid argument"},
	} {
		before, r := confined(t, 0, func(o *order) { o.Errno = c.errno })
		for _, name := range []string{Files, TCPBind, Scopes} {
			if before.State(name) != c.state {
				t.Errorf("%v: %v", c.errno, before.Steps)
			}
		}
		if step := before.Steps[2].String(); !strings.Contains(step, c.text) {
			t.Errorf("%v: the step reads %q", c.errno, step)
		}
		if err := (&Confinement{Steps: before.Steps}).Err(); (err != nil) != (c.state == Failed) {
			t.Errorf("%v: %v", c.errno, err)
		}
		checkTries(t, r, false)
		checkStatus(t, r, "CapPrm:"+zero, "CapEff:"+zero, "CapBnd:"+zero, "NoNewPrivs:1")
	}
}

// An older Landlock is used as far as possible. The step reports what it cannot
// restrict.
func TestOlderLandlock(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	for version := 1; version < newest; version++ {
		before, r := confined(t, 0, func(o *order) { o.As = version })
		for _, c := range []struct {
			step, try string
			since     int
		}{
			{Files, "create an ungranted file", 1},
			{Files, "execute a program", 1},
			{Files, "move a file to an ungranted directory", 1},
			{Files, "truncate an ungranted file", 3},
			{TCPBind, "listen on TCP", 4},
			{Scopes, "signal the parent", 6},
		} {
			state := Absent
			if version >= c.since || c.step == Files {
				state = On
			}
			if prevented := r.Tries[c.try] != ""; before.State(c.step) != state || prevented != (version >= c.since) {
				t.Errorf("Landlock %d: %s: %q; %v", version, c.try, r.Tries[c.try], before.Steps)
			}
		}
		for _, name := range works {
			if e := r.Tries[name]; e != "" {
				t.Errorf("Landlock %d: %s: %s", version, name, e)
			}
		}
		if text := before.Steps[2].String(); strings.Contains(text, "truncation by path") != (version < 3) {
			t.Errorf("Landlock %d: the step reads %q", version, text)
		}
	}
}

// A plan that cannot be applied is a failure. The process does not run unconfined.
func TestPlansThatFail(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	for _, c := range []struct {
		what, step, text string
		change           func(*order)
	}{
		{"the root directory is granted for writing", Files, "a directory of its own", func(o *order) { o.Plan.Files = append(o.Plan.Files, Grant{"/", Change}) }},
		{"a directory does not exist", Files, "no such file", func(o *order) { o.Plan.Files = append(o.Plan.Files, Grant{"/no/such", Change}) }},
		{"a directory of another user", Capabilities, "belongs to nobody", func(o *order) {
			if err := os.Chown(o.Inside, 65534, 65534); err != nil {
				panic(err)
			}
		}},
	} {
		before, _ := confined(t, 0, c.change)
		err := (&Confinement{Steps: before.Steps}).Err()
		if before.State(c.step) != Failed || err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.what, before.Steps)
		}
	}
}
