// Permissions: checks that only root and the user of sallyport can change its
// configuration and read its secrets, like StrictModes of sshd.

package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A Keeper is the user whose files are trusted like the files of root.
type Keeper struct {
	uid     int
	group   uint32 // where private is true, the user is its only member
	private bool
}

// ThisKeeper returns the user of this process. Debian and others create for each
// user a group with the same name. If the user is its only member, the group adds
// no other writers.
func ThisKeeper() Keeper {
	k := Keeper{uid: os.Geteuid()}
	me, err := user.LookupId(strconv.Itoa(k.uid))
	if err != nil || k.uid == 0 || me.Gid != strconv.Itoa(os.Getegid()) {
		return k
	}
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		return k
	}
	k.group = uint32(os.Getegid())
	for line := range strings.Lines(string(groups)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 4 && f[2] == me.Gid {
			k.private = f[0] == me.Username && (f[3] == "" || f[3] == me.Username)
		}
	}
	return k
}

// CheckPermissions returns an error, with its remedy and the line that names the file, for
// each file of a configuration that others can change, and for each secret that others can
// read. The configuration may have other errors (see site.Survey).
func (k Keeper) CheckPermissions(cfg *site.Config, file string) rules.Problems {
	out := k.RunPermissions(cfg, file)
	for i := range out {
		out[i].Warning = false
	}
	return out
}

// RunPermissions is CheckPermissions for a start and a reload: a fault of a file
// is an error, a fault of a directory on its path is a warning. A gateway that does
// not start after an upgrade, because of a directory that was never checked
// before, would help an attacker too.
func (k Keeper) RunPermissions(cfg *site.Config, file string) rules.Problems {
	var found []fault
	for _, in := range append([]site.Input{{Path: file}}, cfg.Inputs...) {
		if in.Path == "" || in.Path == "-" {
			continue
		}
		own := k.ownFaults(in.Path, in.Dir, in.Secret)
		for _, text := range k.faults(in.Path, in.Dir, in.Secret) {
			found = withFault(found, fault{[]string{in.Key}, in.Line, text, slices.Contains(own, text)})
		}
	}
	var out rules.Problems
	for _, f := range found {
		out = append(out, rules.Problem{File: cfg.File, Line: f.line, Text: f.prefix() + f.text, Warning: !f.own})
	}
	return out.Sorted()
}

// faults returns the ways in which others can read or change a file, or the
// directories and links on its path. Only a regular file has faults: another
// process prepares a pipe. The code that opens the file reports a missing file.
// With dir, path is a directory whose files are read.
func (k Keeper) faults(path string, dir, secret bool) []string {
	way, err := wayToFile(path, dir)
	if err != nil {
		return []string{err.Error()}
	}
	return k.faultsOf(way, secret)
}

// ownFaults is like faults, but omits the faults of the path to the file.
func (k Keeper) ownFaults(path string, dir, secret bool) []string {
	way, err := wayToFile(path, dir)
	if err != nil {
		return []string{err.Error()}
	}
	return k.faultsOf(way[max(0, len(way)-1):], secret)
}

// wayToFile is wayTo for a regular file, or with dir for a directory; for anything else
// it returns no steps.
func wayToFile(path string, dir bool) ([]step, error) {
	if st, err := os.Stat(path); err != nil || st.IsDir() != dir || !dir && !st.Mode().IsRegular() {
		return nil, nil
	}
	return wayTo(path)
}

// faultsOf returns each fault of the steps to a file once.
func (k Keeper) faultsOf(way []step, secret bool) (out []string) {
	defer func() {
		slices.Sort(out)
		out = slices.Compact(out)
	}()
	open := false // the step before is a directory where all users may create files, and only the owner may remove one
	for i, s := range way {
		switch mode := s.info.Mode(); {
		case s.mounted:
		case mode&fs.ModeSymlink != 0:
			if open { // elsewhere the mode of the directory decides
				out = append(out, k.owner(s)...)
			}
		case mode.IsDir():
			open = mode&fs.ModeSticky != 0
			out = append(out, k.owner(s)...)
			who := k.writers(s)
			if who != "" && i == len(way)-1 {
				out = append(out, fmt.Sprintf("%s can put files there, as %s has mode %04o: chmod go-w %[2]s", who, s.path, mode.Perm()))
			} else if who != "" && !open {
				out = append(out, fmt.Sprintf("%s can replace it, because %s has mode %04o: chmod go-w %[2]s", who, s.path, mode.Perm()))
			}
		default:
			out = append(out, k.owner(s)...)
			if who := k.writers(s); who != "" {
				out = append(out, fmt.Sprintf("%s can write it, because %s has mode %04o: chmod go-w %[2]s", who, s.path, mode.Perm()))
			}
		}
		if mode := s.info.Mode(); secret && i == len(way)-1 && mode&0o004 != 0 {
			out = append(out, fmt.Sprintf("every user of this host can read this secret, because %s has mode %04o: chmod o-rwx %[1]s; in Kubernetes, defaultMode: 0440 and an fsGroup", s.path, mode.Perm()))
		}
	}
	return out
}

// writers returns who can write a file beside its owner; "" if only the owner can.
func (k Keeper) writers(s step) string {
	switch mode := s.info.Mode(); {
	case mode&0o002 != 0:
		return "every user of this host"
	case mode&0o020 != 0 && !(k.private && s.gid == k.group):
		return fmt.Sprintf("the group %s", groupName(s.gid))
	}
	return ""
}

// owner returns a fault if the owner is neither root nor the keeper.
func (k Keeper) owner(s step) []string {
	if s.uid == 0 || int(s.uid) == k.uid {
		return nil
	}
	whose := "root's"
	if k.uid != 0 {
		whose = fmt.Sprintf("root's or user %d's", k.uid)
	}
	return []string{fmt.Sprintf("%s belongs to user %s, and must be %s: chown root %[1]s, or mount it read-only in a container", s.path, userName(s.uid), whose)}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// A step is one directory, link or file on the path to a file.
type step struct {
	path     string
	info     fs.FileInfo
	uid, gid uint32
	mounted  bool // read-only into this container: the container's host is responsible for it
}

// mostLinks is how many links the kernel follows on one path (path_resolution(7)).
const mostLinks = 40

// wayTo returns every directory and link on the path to a file, from the root, and
// the file. A user who can replace one of them decides which file is read.
func wayTo(path string) (way []step, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	rest, links := strings.Split(path, "/")[1:], 0
	at := "/"
	for {
		s, err := stepAt(at)
		if err != nil {
			return nil, err
		}
		way = append(way, s)
		if s.info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(at)
			if err != nil {
				return nil, err
			}
			if links++; links > mostLinks {
				return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
			}
			if rest = append(strings.Split(to, "/"), rest...); filepath.IsAbs(to) {
				at = "/"
				continue
			}
			at = filepath.Dir(at)
		}
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return way, nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:] // ".." is safe here, because the path in at contains no link
	}
}

func stepAt(path string) (step, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return step{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return step{}, errors.New(path + ": its owner is unknown")
	}
	return step{path: path, info: info, uid: st.Uid, gid: st.Gid, mounted: mountedReadOnly(path)}, nil
}

// mountedReadOnly reports whether path is in a read-only mount, such as the mount
// with which a container gets its configuration: the modes and owners there belong
// to a host that this process cannot see. Directories that systemd makes read-only
// for a service (systemd.exec(5), ProtectSystem, ProtectHome) are writable outside
// of the service, so they do not count.
func mountedReadOnly(path string) bool {
	for ; path != "/"; path = filepath.Dir(path) {
		if slices.Contains([]string{"/usr", "/boot", "/efi", "/etc", "/home", "/root", "/run/user"}, path) {
			continue
		}
		var x unix.Statx_t
		if unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &x) != nil || x.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
			continue
		}
		var mount unix.Statfs_t
		return unix.Statfs(path, &mount) == nil && mount.Flags&unix.ST_RDONLY != 0
	}
	return false
}
