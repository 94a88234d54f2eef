// Landlock: restricts the process to the granted files.

package confine

import (
	"errors"
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// newest is the newest version of Landlock that Apply uses, and that the tests
// cover. Newer kernels support it as well.
const newest = 7

// versions holds everything that each version of Landlock can restrict.
var versions = [newest + 1]landlock.Config{1: landlock.V1, landlock.V2, landlock.V3, landlock.V4, landlock.V5, landlock.V6, landlock.V7}

// rights maps each Access to the rights of Landlock. None of them permits executing.
var rights = [...]landlock.AccessFSSet{
	Read:        ll.AccessFSReadFile,
	List:        ll.AccessFSReadFile | ll.AccessFSReadDir,
	Write:       ll.AccessFSWriteFile | ll.AccessFSTruncate,
	Change:      change,
	ChangeLinks: change | ll.AccessFSMakeSym,
	Remove:      ll.AccessFSRemoveFile,
}

const change = ll.AccessFSReadFile | ll.AccessFSReadDir | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSMakeReg | ll.AccessFSRemoveFile

// ofFiles holds the rights that a rule for a single file may have.
const ofFiles landlock.AccessFSSet = ll.AccessFSReadFile | ll.AccessFSWriteFile | ll.AccessFSTruncate

// restrict applies all restrictions that the kernel's Landlock has. It fails if the
// kernel has Landlock but refuses it. Outgoing TCP connections are not restricted:
// the policy decides them by name, and it may change.
func (c *Confinement) restrict(files []Grant) {
	version, why, err := landlockVersion()
	if err != nil {
		c.landlock(Failed, err.Error())
		return
	}
	if version == 0 {
		c.landlock(Absent, why)
		return
	}
	c.restrictAs(version, files)
}

// restrictAs applies the restrictions of one version of Landlock.
func (c *Confinement) restrictAs(version int, files []Grant) {
	config := versions[version]
	config.HandledAccessNet &^= ll.AccessNetConnectTCP
	rules, err := c.rules(files, config)
	if err == nil {
		err = config.Restrict(rules...)
	}
	if err != nil {
		c.landlock(Failed, err.Error())
		c.granted, c.listed = nil, nil
		return
	}
	detail := fmt.Sprintf("Landlock %d", version)
	if version < 3 {
		detail += "; Landlock cannot forbid truncation by path before Linux 6.2"
	}
	c.add(Files, On, detail)
	c.since(TCPBind, version >= 4, "Landlock 4, Linux 6.7")
	c.since(Scopes, version >= 6, "Landlock 6, Linux 6.12 with its correction of signals")
}

// landlock adds the three steps of Landlock with the same state.
func (c *Confinement) landlock(state State, detail string) {
	for _, name := range []string{Files, TCPBind, Scopes} {
		c.add(name, state, detail)
	}
}

// since adds a step that only newer kernels support.
func (c *Confinement) since(name string, has bool, needs string) {
	if has {
		c.add(name, On, "")
		return
	}
	c.add(name, Absent, "needs "+needs)
}

// landlockVersion returns the kernel's version of Landlock, or 0 and why it has
// none. Any other result, such as EPERM from a seccomp filter, is an error.
func landlockVersion() (version int, why string, err error) {
	version, err = ll.LandlockGetABIVersion()
	switch {
	case errors.Is(err, unix.ENOSYS):
		return 0, "this kernel has no Landlock; Linux 5.13 and newer have it", nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return 0, "this kernel's Landlock is not turned on: add landlock to its lsm= parameter", nil
	case err != nil:
		return 0, "", fmt.Errorf("landlock_create_ruleset: %w: does a filter of system calls (systemd's SystemCallFilter, a container's seccomp profile) forbid landlock_*?", err)
	}
	if version >= 6 {
		// Early kernels treated signals between threads of one process as signals to
		// another process. go-landlock treats such kernels as version 5, too.
		if fixed, err := ll.LandlockGetErrata(); err != nil || fixed&2 == 0 {
			version = 5
		}
	}
	return min(version, newest), "", nil
}

// rules converts grants to rules of Landlock.
func (c *Confinement) rules(files []Grant, config landlock.Config) ([]landlock.Rule, error) {
	var out []landlock.Rule
	for _, g := range files {
		id, dir, err := identify(g.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.Path, err)
		}
		if id.root() && g.Access != Read && g.Access != List {
			return nil, fmt.Errorf("%s is the root directory: put each file that sallyport writes, like [journal] path, in a directory of its own", g.Path)
		}
		if err := c.holdProc(g.Path); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Path, err)
		}
		access := rights[g.Access] & config.HandledAccessFS
		if !dir {
			access &= ofFiles
		}
		out = append(out, landlock.PathAccess(access, g.Path))
		if g.Access != Remove && g.Access != Write {
			c.granted = append(c.granted, id)
			if g.Access != Read {
				c.listed = append(c.listed, id)
			}
		}
	}
	return out, nil
}

// holdProc keeps a path in /proc open. A rule refers to an inode, and in /proc the
// kernel may drop an unused inode and make another inode later.
func (c *Confinement) holdProc(path string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == nil {
		c.held = append(c.held, fd)
	}
	return err
}
