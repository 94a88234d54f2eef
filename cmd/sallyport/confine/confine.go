// Package confine removes privileges from the running process, once its sockets and
// files are open: capabilities, privileges gained by executing a program, and with
// Landlock most files, binding to TCP ports, and signals and abstract sockets to
// other processes. A removed privilege cannot be regained.
package confine

import _ "sallyport" // this package needs Linux

import (
	"errors"
	"fmt"
)

// A Plan lists the files, ports and capabilities that the process keeps. The zero value keeps none.
type Plan struct {
	NetAdmin bool // keep CAP_NET_ADMIN
	Files    []Grant
}

// A Grant is a file, or a directory with everything that is or will be below it.
type Grant struct {
	Path   string
	Access Access
}

// Access is the kind of use that a Grant permits.
type Access uint8

const (
	Read        Access = iota // read files
	List                      // read files and list directories
	Write                     // write existing files
	Change                    // read, list, create, write, rename and remove files
	ChangeLinks               // the same, and create symbolic links
	Remove                    // remove files
)

// State is the result of a step.
type State string

// The states of a step.
const (
	On     State = "on"
	Absent State = "absent" // the kernel does not have it
	Failed State = "failed"
	Off    State = "off" // the configuration turned it off
)

// The steps, in their order.
const (
	Capabilities = "capabilities"
	NoNewPrivs   = "no_new_privs"
	Files        = "landlock_files"
	TCPBind      = "landlock_tcp_bind"
	Scopes       = "landlock_scopes"
)

// A Step is the removal of one privilege, with its result.
type Step struct {
	Name   string `json:"step"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// String returns the step as one line.
func (s Step) String() string {
	if s.Detail == "" {
		return s.Name + " " + string(s.State)
	}
	return fmt.Sprintf("%s %s: %s", s.Name, s.State, s.Detail)
}

// A Confinement is the result of Apply. The nil Confinement means that nothing was removed.
type Confinement struct {
	Steps   []Step
	granted []identity // the files and directories that can be read, while Files is on
	listed  []identity // those of the same whose directories can be listed too
	held    []int      // open descriptors that keep granted inodes in /proc alive
}

// Apply removes every privilege that plan does not keep, on every thread. It
// continues after a failed step. Err returns the failures, and the caller decides.
func Apply(plan Plan) *Confinement {
	c := &Confinement{}
	c.dropCapabilities(plan)
	c.setNoNewPrivs()
	c.restrict(plan.Files)
	return c
}

// Skipped returns the Confinement of a process that keeps everything.
func Skipped() *Confinement {
	c := &Confinement{}
	for _, name := range []string{Capabilities, NoNewPrivs, Files, TCPBind, Scopes} {
		c.add(name, Off, "")
	}
	return c
}

// Err returns the failed steps as one error, or nil.
func (c *Confinement) Err() error {
	var errs []error
	for _, s := range c.Steps {
		if s.State == Failed {
			errs = append(errs, errors.New(s.String()))
		}
	}
	return errors.Join(errs...)
}

// State returns the state of a step; "": there is no such step.
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
