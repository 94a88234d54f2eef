// Paths: the grants for files that are read or written repeatedly, and the check
// whether a path is covered by a grant.

package confine

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// An identity identifies a file or directory independently of its name.
type identity struct{ dev, ino uint64 }

// identify returns the identity of the file or directory at a path.
func identify(path string) (id identity, dir bool, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return identity{}, false, err
	}
	return identity{st.Dev, st.Ino}, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// root reports whether id is the root directory.
func (id identity) root() bool {
	top, _, err := identify("/")
	return err == nil && id == top
}

// Covers reports whether the grants permit reading the file at a path, or listing the
// directory there. It does not check the permissions of the file.
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
	grants := c.granted
	if _, dir, err := identify(path); err == nil && dir {
		grants = c.listed
	}
	for {
		if id, _, err := identify(path); err == nil {
			for _, g := range grants {
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

// ReadAgain returns the grants for a file that is read more than once. It grants
// the directories of the file and of the links to it, because editors and tools
// replace a file instead of writing to it. If a link leads to one version of a
// directory, it also grants the directory that has the other versions. It never
// grants the root directory, but only the file in it. A file that does not exist
// yet may be created later.
//
// If a link is changed later to a directory elsewhere, it leads outside of the
// grants. The grants are fixed before the process serves, and never cover the whole
// disk.
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

// ListAgain returns the grants for a directory that is listed more than once, and whose files
// are read. Like ReadAgain, it also grants the directories that a link on the path may be
// changed to, and never the root directory.
func ListAgain(dir string) []Grant {
	file := filepath.Join(dir, "any")
	var out []Grant
	for _, dir := range append(places(file), siblings(file)...) {
		if dir != "/" {
			out = append(out, Grant{dir, List})
		}
	}
	return out
}

// WriteAgain returns the grants for a file that is written, renamed and created again.
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

// writeThere returns the grants for a pipe or a device. A named pipe may be replaced.
// A pipe without a name, such as standard output, needs no grant.
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

// device reports whether a path is below /dev, /proc or /sys.
func device(path string) bool {
	path, _ = filepath.Abs(path)
	return strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/dev/shm/") || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}

// siblings returns the directories with the other versions that a link in a path may
// be changed to: if "current" leads to "releases/5", it returns "releases". Such a
// directory must be the directory of the link or below it, and not a directory of
// the system such as /etc.
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

// places returns the directories that lead to a file: its own, and for each symbolic
// link the directory that the link leads to. It omits directories that do not exist.
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

// RemoveLater returns the grant to remove a socket when the process ends.
func RemoveLater(path string) []Grant {
	var out []Grant
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil && dir != "/" {
		out = append(out, Grant{dir, Remove}) // a socket in "/" stays; the next start removes it
	}
	return out
}
