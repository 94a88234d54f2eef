// Disk: how Parse reads the files that a configuration names, and the list of what it read.

package site

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// A Disk holds the files that a configuration names: profiles and lists. The zero Disk has
// no files, and relative paths stay as they are.
type Disk struct {
	Dir   string // the directory of relative paths: the one of the configuration
	Files Files  // nil: a configuration that names files is refused
}

// Files reads files. Paths are absolute, or relative to the working directory.
type Files interface {
	// Read returns the content of a regular file. A file of more than limit bytes, and
	// anything that is not a regular file, is an error.
	Read(path string, limit int) ([]byte, error)
	// List returns the names of the files in a directory that end with suffix, sorted.
	// Names that begin with a dot are hidden, and not among them.
	List(dir, suffix string) ([]string, error)
}

// ErrTooLarge is the error of a file with more bytes than its limit.
var ErrTooLarge = errors.New("the file is too large")

// An Input is a file or a directory that a configuration names. Who can change an input
// changes the policy, or who may see the pages of the admin listener.
type Input struct {
	Key    string // the key that names it, as in "[profiles] paths"
	Line   int    // of that key
	Path   string // absolute, or relative to the working directory
	Dir    bool   // the directory itself: the names of its files
	Secret bool   // other users of the host must not read it
}

// read reads a file that a key of the configuration names, and adds it to c.Inputs: use it
// for every such file. The Path of in is as the configuration has it; read returns the path as
// problems give it. The error has no path, and says what to do.
func (c *Config) read(disk Disk, in Input, limit int) (path string, data []byte, err error) {
	in.Path = under(disk.Dir, in.Path)
	path = in.Path
	c.Inputs = append(c.Inputs, in)
	if disk.Files == nil {
		return path, nil, errNoFiles
	}
	if data, err = disk.Files.Read(path, limit); err != nil {
		return path, nil, diskError(err, limit)
	}
	c.inputs = append(c.inputs, digestOf(data))
	return path, data, nil
}

// pieceSize is the number of octets of a file that are copied or hashed between two pauses.
// The runtime cannot stop a goroutine that copies or hashes. The garbage collector waits for
// that goroutine, and keeps the other processors busy meanwhile: a whole file at once would
// delay requests of clients by a tenth of a second.
const pieceSize = 64 << 10

// digestOf returns the SHA-256 of the content of a file.
func digestOf(data []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	for piece := range slices.Chunk(data, pieceSize) {
		h.Write(piece) // a hash returns no errors
		runtime.Gosched()
	}
	h.Sum(sum[:0])
	return sum
}

// textOf returns the content of a file as text.
func textOf(data []byte) string {
	var b strings.Builder
	b.Grow(len(data))
	for piece := range slices.Chunk(data, pieceSize) {
		b.Write(piece)
		runtime.Gosched()
	}
	return b.String()
}

// list is like read for a directory. It returns the names of the files in it.
func (c *Config) list(disk Disk, in Input, suffix string) (path string, names []string, err error) {
	in.Path, in.Dir = under(disk.Dir, in.Path), true
	path = in.Path
	c.Inputs = append(c.Inputs, in)
	if disk.Files == nil {
		return path, nil, errNoFiles
	}
	names, err = disk.Files.List(path, suffix)
	if errors.Is(err, syscall.ENOTDIR) {
		return path, nil, fmt.Errorf("is not a directory, and the path of a file ends in %s", suffix)
	}
	if err != nil {
		return path, nil, diskError(err, 0)
	}
	return path, names, nil
}

// errNoFiles is the error of a Disk without files.
var errNoFiles = errors.New("files are not read here")

// diskError returns the error of a Disk without the path, and with what to do.
func diskError(err error, limit int) error {
	why := err
	var at *fs.PathError
	if errors.As(err, &at) {
		why = at.Err
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("the file is larger than %d MiB: divide it, or remove what is not needed", limit>>20)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: create it, or correct the path; relative paths begin at the directory of the configuration", why)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the user of sallyport must be able to read it", why)
	}
	return why
}

// revision returns the name of a configuration's text and of the content of its inputs.
func (c *Config) revision(data []byte) string {
	digest := sha256.Sum256(data)
	if len(c.inputs) > 0 {
		h := sha256.New()
		h.Write(digest[:])
		for _, d := range c.inputs {
			h.Write(d[:])
		}
		h.Sum(digest[:0])
	}
	return hex.EncodeToString(digest[:6])
}
