// Privilege: the capabilities of every thread, and no_new_privs.

package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// dropCapabilities empties all five sets. With plan.NetAdmin one capability stays
// permitted and effective. An ambient capability must be inheritable, so the
// ambient set becomes empty with the inheritable set. Emptying the bounding set
// needs CAP_SETPCAP; without it no_new_privs makes that set meaningless.
func (c *Confinement) dropCapabilities(plan Plan) {
	overrode := overrides()
	detail := "none is left"
	keep := cap.NewSet()
	if plan.NetAdmin {
		detail = "CAP_NET_ADMIN is left, for --live-sets"
		if err := errors.Join(keep.SetFlag(cap.Permitted, true, cap.NET_ADMIN), keep.SetFlag(cap.Effective, true, cap.NET_ADMIN)); err != nil {
			c.result(Capabilities, err, "")
			return
		}
	}
	if err := dropBound(); err != nil {
		c.result(Capabilities, fmt.Errorf("bounding set: %w", err), "")
		return
	}
	if err := keep.SetProc(); err != nil {
		c.result(Capabilities, err, "")
		return
	}
	want := uint64(0)
	if plan.NetAdmin {
		want = 1 << unix.CAP_NET_ADMIN
	}
	err := verify(map[string]uint64{"CapInh": 0, "CapPrm": want, "CapEff": want, "CapAmb": 0})
	if err == nil && overrode {
		err = unreachable(plan.Files)
	}
	if os.Geteuid() == 0 {
		detail += "; the user is root and keeps access to the files of root"
	}
	c.result(Capabilities, err, detail)
}

// dropBound empties the bounding set if this process may.
func dropBound() error {
	may, err := cap.GetProc().GetFlag(cap.Effective, cap.SETPCAP)
	if err != nil || !may {
		return err
	}
	var all []cap.Value
	for v := range cap.MaxBits() {
		all = append(all, v)
	}
	return cap.DropBound(all...)
}

// overrides reports whether this process can still ignore permissions of files.
func overrides() bool {
	now := cap.GetProc()
	for _, v := range []cap.Value{cap.DAC_OVERRIDE, cap.DAC_READ_SEARCH} {
		if has, err := now.GetFlag(cap.Effective, v); has || err != nil {
			return true
		}
	}
	return false
}

// unreachable returns an error for a granted file that needed a capability. This way
// the start fails, and not the first rotation or reload.
func unreachable(files []Grant) error {
	for _, g := range files {
		mode := uint32(unix.R_OK)
		if st, err := os.Stat(g.Path); err != nil {
			continue
		} else if st.IsDir() {
			mode = unix.X_OK
		}
		switch g.Access {
		case Write:
			mode &^= unix.R_OK
			mode |= unix.W_OK
		case Change, ChangeLinks, Remove:
			mode |= unix.W_OK
		}
		if err := unix.Faccessat(unix.AT_FDCWD, g.Path, mode, unix.AT_EACCESS); errors.Is(err, unix.EACCES) {
			return fmt.Errorf("without capabilities this user cannot use %s, which belongs to %s: run sallyport as that user, or change its owner to this user", g.Path, owner(g.Path))
		}
	}
	return nil
}

// owner returns the user that a file belongs to.
func owner(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "another"
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// setNoNewPrivs sets no_new_privs on every thread: neither it nor its children can
// gain privileges by executing a program.
func (c *Confinement) setNoNewPrivs() {
	_, _, errno := psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	var err error
	if errno != 0 {
		err = os.NewSyscallError("prctl", syscall.Errno(errno))
	} else {
		err = verify(map[string]uint64{"NoNewPrivs": 1})
	}
	c.result(NoNewPrivs, err, "")
}

// verify checks in /proc that the changes hold for every thread. Without /proc
// it relies on the results of the system calls.
func verify(want map[string]uint64) error {
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			return err
		}
		if err := hold(string(status), want); err != nil {
			return fmt.Errorf("%s: %w", thread, err)
		}
	}
	return nil
}

// hold compares a /proc/…/status with the expected values.
func hold(status string, want map[string]uint64) error {
	for line := range strings.Lines(status) {
		key, text, _ := strings.Cut(line, ":")
		should, asked := want[key]
		if !asked {
			continue
		}
		if is, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64); err != nil || is != should {
			return fmt.Errorf("%s is %s, not %#x", key, strings.TrimSpace(text), should)
		}
	}
	return nil
}
