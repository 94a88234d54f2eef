// Paths: which grants a file needs that is read or written again and again,
// and whether a path is within them.

package confine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// An identity is one file or directory, whatever it is called.
type identity struct{ dev, ino uint64 }

// identify returns what a path leads to.
func identify(path string) (id identity, dir bool, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return identity{}, false, err
	}
	return identity{st.Dev, st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// root tells whether it is the root of all files.
func (id identity) root() bool {
	top, _, err := identify("/")
	return err == nil && id == top
}

// Covers tells whether what a path leads to may be read as far as Apply is
// concerned. Its permissions are another matter.
func (c *Confinement) Covers(path string) bool {
	if c.State(Files) != On {
		return true
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for {
		if id, _, err := identify(path); err == nil {
			for _, g := range c.granted {
				if g == id {
					return true
				}
			}
		}
		if path == "/" {
			return false
		}
		path = filepath.Dir(path)
	}
}

// ReadAgain grants a file that is read more than once: with the directories
// that it and the links to it are in, as editors and tools do not write a file
// but put another one in its place; and with those that hold the other versions
// of a directory that a link leads to. Where that would be the root directory,
// only the file as it is. A file that is not there is granted for when it is.
//
// A link that is turned to a directory elsewhere leads to nothing granted: what
// may be read is settled before anything is served, and is never the whole disk.
func ReadAgain(path string) []Grant {
	var out []Grant
	for _, dir := range append(places(path), siblings(path)...) {
		if dir != "/" {
			out = append(out, Grant{dir, Read})
		}
	}
	if exists(path) {
		out = append(out, Grant{path, Read})
	}
	return out
}

// WriteAgain grants a file that is written, renamed away and made anew.
func WriteAgain(path string) []Grant {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() || device(path) {
		return writeThere(path, st)
	}
	access := Change
	if st, err := os.Lstat(path); err == nil && st.Mode()&fs.ModeSymlink != 0 {
		access = ChangeLinks
	}
	var out []Grant
	for _, dir := range places(path) {
		out = append(out, Grant{dir, access})
	}
	return out
}

// writeThere grants a pipe or a device. A pipe may be made anew beside the old
// one; a pipe without a name, such as standard output's, needs no grant.
func writeThere(path string, st fs.FileInfo) []Grant {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	if dir := filepath.Dir(real); st != nil && st.Mode()&fs.ModeNamedPipe != 0 && !device(real) && dir != "/" {
		return []Grant{{dir, Write}}
	}
	return []Grant{{real, Write}}
}

// device tells whether a path is in a directory of devices or of the kernel.
func device(path string) bool {
	path, _ = filepath.Abs(path)
	return strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/dev/shm/") || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

// siblings lists the directories that hold what a link on the way to a file can
// be turned to: where "current" leads to "releases/5", it is "releases". It must
// be the directory of the link or one below it, so that whoever arranged them
// meant them to be together, and not one of the system's, such as /etc.
func siblings(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var out []string
	for link := filepath.Dir(path); link != "/"; link = filepath.Dir(link) {
		st, err := os.Lstat(link)
		if err != nil || st.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		to, err := filepath.EvalSymlinks(link)
		if err != nil {
			continue
		}
		among, err := filepath.EvalSymlinks(filepath.Dir(link))
		holds := filepath.Dir(to)
		if err == nil && (holds == among || strings.HasPrefix(holds, among+"/")) && strings.Count(holds, "/") > 1 {
			out = append(out, holds)
		}
	}
	return out
}

// places lists the directories that lead to a file: its own, and after each
// symbolic link the one that the link leads to. Those that are not there are
// left out.
func places(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	var out []string
	for range 40 { // as many links as the kernel follows
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return out
		}
		out = append(out, dir)
		to, err := os.Readlink(path)
		if err != nil {
			return out
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(dir, to)
		}
		path = to
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// RemoveLater grants that a socket is removed at the end.
func RemoveLater(path string) []Grant {
	var out []Grant
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && dir != "/" {
		out = append(out, Grant{dir, Remove}) // in "/" it stays, and the next start removes it
	}
	return out
}
