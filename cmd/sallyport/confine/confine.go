// Package confine takes from the running process what it needs no more once
// its sockets and files are open: capabilities, privileges by executing, and
// with Landlock most files, binding to TCP ports, and reaching other processes by
// signals and abstract sockets. What is given up does not come back.
package confine

import (
	"errors"
	"fmt"
)

// A Plan is what the process keeps. The zero value keeps nothing.
type Plan struct {
	NetAdmin bool // CAP_NET_ADMIN stays
	Files    []Grant
}

// A Grant is a directory, with all that is or will be below it, or a file.
type Grant struct {
	Path   string
	Access Access
}

// Access is what is permitted below a path.
type Access uint8

const (
	Read        Access = iota // files are read
	List                      // and directories listed
	Write                     // files are written that are there
	Change                    // files are read, listed, made, written, renamed and removed
	ChangeLinks               // and so are symbolic links
	Remove                    // files are removed
)

// State is how a step ended.
type State string

const (
	On     State = "on"
	Absent State = "absent" // the kernel does not have it
	Failed State = "failed"
	Off    State = "off" // the configuration says so
)

// The steps, in their order.
const (
	Capabilities = "capabilities"
	NoNewPrivs   = "no_new_privs"
	Files        = "landlock_files"
	TCPBind      = "landlock_tcp_bind"
	Scopes       = "landlock_scopes"
)

// A Step is one thing that was given up, or why it was not.
type Step struct {
	Name   string `json:"step"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

func (s Step) String() string {
	if s.Detail == "" {
		return s.Name + " " + string(s.State)
	}
	return fmt.Sprintf("%s %s: %s", s.Name, s.State, s.Detail)
}

// A Confinement is what Apply did. The nil Confinement did nothing.
type Confinement struct {
	Steps   []Step
	granted []identity // while Files is on
	held    []int      // descriptors that keep what was granted alive
}

// Apply gives up everything that plan does not keep, on every thread. It goes
// on after a step that failed: Err tells, and the caller decides.
func Apply(plan Plan) *Confinement {
	c := &Confinement{}
	c.dropCapabilities(plan)
	c.setNoNewPrivs()
	c.restrict(plan.Files)
	return c
}

// Skipped is the Confinement of a process that gives nothing up.
func Skipped() *Confinement {
	c := &Confinement{}
	for _, name := range []string{Capabilities, NoNewPrivs, Files, TCPBind, Scopes} {
		c.add(name, Off, "")
	}
	return c
}

// Err tells which steps failed; nil: none.
func (c *Confinement) Err() error {
	var errs []error
	for _, s := range c.Steps {
		if s.State == Failed {
			errs = append(errs, errors.New(s.String()))
		}
	}
	return errors.Join(errs...)
}

// State returns how a step ended; "": there was no such step.
func (c *Confinement) State(name string) State {
	if c != nil {
		for _, s := range c.Steps {
			if s.Name == name {
				return s.State
			}
		}
	}
	return ""
}

func (c *Confinement) add(name string, state State, detail string) {
	c.Steps = append(c.Steps, Step{name, state, detail})
}

// result adds a step that is on, or failed with err.
func (c *Confinement) result(name string, err error, detail string) {
	if err != nil {
		c.add(name, Failed, err.Error())
		return
	}
	c.add(name, On, detail)
}
