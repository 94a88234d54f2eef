// Disk: reads the files that a configuration names, from the file system of this host.

package gateway

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"sallyport/rules/site"
)

// hostFiles reads files of this host.
type hostFiles struct{}

// hostDisk returns the disk of a configuration in a directory of this host.
func hostDisk(dir string) site.Disk { return site.Disk{Dir: dir, Files: hostFiles{}} }

// errIrregular is the error of a path that leads to no regular file.
var errIrregular = errors.New("is neither a file nor a link to one")

// pieceSize is the number of octets that are read at once. A read of a whole list keeps its
// processor from other goroutines until the runtime notices.
const pieceSize = 1 << 20

// Read reads a regular file. It never waits for the other end of a pipe.
func (hostFiles) Read(path string, limit int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errIrregular}
	case st.Size() > int64(limit):
		return nil, &fs.PathError{Op: "read", Path: path, Err: site.ErrTooLarge}
	}
	data := make([]byte, 0, st.Size()+1) // one more: a file of the size that it said is read without growing
	for {
		n, err := f.Read(data[len(data):min(cap(data), len(data)+pieceSize)])
		data = data[:len(data)+n]
		switch {
		case len(data) > limit:
			return nil, &fs.PathError{Op: "read", Path: path, Err: site.ErrTooLarge}
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case len(data) == cap(data):
			data = slices.Grow(data, min(len(data), limit)+1)
		}
	}
}

// List lists the names in a directory that end with suffix and are not hidden.
func (hostFiles) List(dir, suffix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, suffix) && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}
