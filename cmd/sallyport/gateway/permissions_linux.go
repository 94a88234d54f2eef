// Permissions: whether others than root and the user of sallyport can change its
// configuration, or read its secrets. It is what sshd's StrictModes asks.

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

// A Keeper is the user whose files are believed, as root's are.
type Keeper struct {
	uid     int
	group   uint32 // nobody else is in it, where private is true
	private bool
}

// ThisKeeper is the user of this process. A group with the name of its only
// user, as Debian and others make one for each, is no others: what its members
// can write the user can write.
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

// CheckPermissions holds the files of a configuration against what others may
// do with them. Each is an error, with its cure.
func (k Keeper) CheckPermissions(cfg *site.Config, file string) rules.Problems {
	out := k.RunPermissions(cfg, file)
	for i := range out {
		out[i].Warning = false
	}
	return out
}

// RunPermissions is checkPermissions for a start and a reload: what others may
// do with a file itself is an error, what they may do with a directory on the
// way to it is a warning. A gateway that does not start after an upgrade, for
// the mode of a directory that it never looked at before, helps an attacker too.
func (k Keeper) RunPermissions(cfg *site.Config, file string) rules.Problems {
	var out rules.Problems
	for _, f := range []struct {
		key, path string
		secret    bool
	}{
		{"", file, false},
		{"[admin] token_file: ", cfg.Admin.TokenFile, true},
		{"[admin] tls_key: ", cfg.Admin.TLSKey, true},
		{"[admin] tls_cert: ", cfg.Admin.TLSCert, false},
	} {
		if f.path == "" || f.path == "-" {
			continue
		}
		own := k.ownFaults(f.path, f.secret)
		for _, text := range k.faults(f.path, f.secret) {
			out = append(out, rules.Problem{File: cfg.File, Text: f.key + text, Warning: !slices.Contains(own, text)})
		}
	}
	return out
}

// faults says, each once, what others can do with a file, and with the
// directories and links on the way to it. Only a regular file has faults: a pipe
// is prepared by another process. A file that cannot be found is reported by the
// code that opens it.
func (k Keeper) faults(path string, secret bool) []string {
	way, err := wayToFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	return k.faultsOf(way, secret)
}

// ownFaults is faults without those of the way to the file.
func (k Keeper) ownFaults(path string, secret bool) []string {
	way, err := wayToFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	return k.faultsOf(way[max(0, len(way)-1):], secret)
}

// wayToFile is wayTo for a regular file, and empty for anything else.
func wayToFile(path string) ([]step, error) {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return nil, nil
	}
	return wayTo(path)
}

// faultsOf says what others can do on a way, each fault once.
func (k Keeper) faultsOf(way []step, secret bool) (out []string) {
	defer func() {
		slices.Sort(out)
		out = slices.Compact(out)
	}()
	open := false // the step before is a directory in which everybody may make files, and nobody may remove another's
	for i, s := range way {
		switch mode := s.info.Mode(); {
		case s.mounted:
		case mode&fs.ModeSymlink != 0:
			if open { // elsewhere the directory decides
				out = append(out, k.owner(s)...)
			}
		case mode.IsDir():
			open = mode&fs.ModeSticky != 0
			out = append(out, k.owner(s)...)
			if who := k.writers(s); who != "" && !open {
				out = append(out, fmt.Sprintf("%s can put another file in its place, as %s has mode %04o: chmod go-w %[2]s", who, s.path, mode.Perm()))
			}
		default:
			out = append(out, k.owner(s)...)
			if who := k.writers(s); who != "" {
				out = append(out, fmt.Sprintf("%s can write it, as %s has mode %04o: chmod go-w %[2]s", who, s.path, mode.Perm()))
			}
		}
		if mode := s.info.Mode(); secret && i == len(way)-1 && mode&0o004 != 0 {
			out = append(out, fmt.Sprintf("everybody on this host can read this secret, as %s has mode %04o: chmod o-rwx %[1]s; in Kubernetes, defaultMode: 0440 and an fsGroup", s.path, mode.Perm()))
		}
	}
	return out
}

// writers says who, beside the owner, may write it; "": nobody.
func (k Keeper) writers(s step) string {
	switch mode := s.info.Mode(); {
	case mode&0o002 != 0:
		return "everybody on this host"
	case mode&0o020 != 0 && !(k.private && s.gid == k.group):
		return fmt.Sprintf("the group %s", groupName(s.gid))
	}
	return ""
}

// owner says that it belongs to somebody else.
func (k Keeper) owner(s step) []string {
	if s.uid == 0 || int(s.uid) == k.uid {
		return nil
	}
	whose := "root's"
	if k.uid != 0 {
		whose = fmt.Sprintf("root's or user %d's", k.uid)
	}
	return []string{fmt.Sprintf("%s is user %s's to change, and must be %s: chown root %[1]s, or mount it read-only in a container", s.path, userName(s.uid), whose)}
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

// A step is one directory, link or file on the way to a file.
type step struct {
	path     string
	info     fs.FileInfo
	uid, gid uint32
	mounted  bool // into this container, read-only: whoever runs that answers for it
}

// mostLinks is how many links the kernel follows on one way (path_resolution(7)).
const mostLinks = 40

// wayTo lists all that leads to a file, from the root: what of it another could
// put in a place decides what is read.
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
		at, rest = filepath.Join(at, rest[0]), rest[1:] // ".." too: at has no link in it
	}
}

func stepAt(path string) (step, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return step{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return step{}, errors.New(path + ": nobody says whose it is")
	}
	return step{path: path, info: info, uid: st.Uid, gid: st.Gid, mounted: mountedReadOnly(path)}, nil
}

// mountedReadOnly tells whether path is in what was mounted read-only at a place
// of its own, as runtimes of containers mount configurations: their modes and
// owners are those of a host that cannot be seen from here. What systemd makes
// read-only for a service (systemd.exec(5), ProtectSystem, ProtectHome) is
// writable outside of it, and does not count.
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
