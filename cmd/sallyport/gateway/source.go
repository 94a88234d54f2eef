// Source: reads a configuration at the start and at each reload.

package gateway

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A Source is where a configuration comes from: a file, standard input, or the
// binary itself; and the files that the configuration names.
type Source struct {
	file   string // the value of --config
	stdin  io.Reader
	keeper Keeper                   // found at the start: a confined process cannot read /etc/group
	denied func(error) string       // what to do about an error of a confined process; nil: it is not confined
	read   atomic.Pointer[readList] // the files that the last load read, also if it failed
}

// NewSource returns the source that a --config names.
func NewSource(file string, stdin io.Reader) *Source {
	return &Source{file: file, stdin: stdin, keeper: ThisKeeper()}
}

// loadTries is how often LoadToRun reads files that change while it reads.
const loadTries = 5

// LoadToRun reads and checks the configuration, and checks that no one else can
// change it. The problems are warnings; if there are errors, LoadToRun returns no
// configuration. All files are of one moment: if a file changes during the load,
// LoadToRun reads all again, because one half of a change can permit more than the
// whole change.
func (s *Source) LoadToRun() (*site.Config, rules.Problems, error) {
	for try := 1; ; try++ {
		list, cfg, problems, err := s.load()
		s.read.Store(&list)
		changed := list.changes(list.now())
		switch {
		case changed == "" || s.file == "-":
			return cfg, problems, err
		case try == loadTries:
			return nil, nil, fmt.Errorf("%s changed while the configuration was read, %d times: write the files first, and then reload", changed, try)
		}
	}
}

// load reads the configuration once. It returns the states that the files had before.
func (s *Source) load() (readList, *site.Config, rules.Problems, error) {
	noting := &notingFiles{denied: s.denied, list: readList{{path: s.file, state: fileState(s.file)}}}
	cfg, problems, err := surveyConfig(s.file, s.stdin, noting)
	if err != nil {
		return noting.list, nil, nil, err
	}
	if problems.Err() != nil {
		problems = problems.ToServe() // of a file that is not read, the configuration has no error then
	}
	problems = append(problems, s.keeper.RunPermissions(cfg, s.file)...)
	errs := []error{problems.Err()}
	if cfg.Secure != nil {
		errs = append(errs, cfg.Secure.Unread...)
	}
	if err := errors.Join(append(errs, readyParents(cfg, systemRoots))...); err != nil {
		return noting.list, nil, nil, err
	}
	return noting.list, cfg, problems, nil
}

// lastRead returns what the last load read.
func (s *Source) lastRead() readList {
	if l := s.read.Load(); l != nil {
		return *l
	}
	return nil
}

// notingFiles reads files of this host, and notes the state of each from before it is
// read: so a change during the load is noticed after it.
type notingFiles struct {
	hostFiles
	denied func(error) string
	list   readList
}

// Read is Read of hostFiles.
func (f *notingFiles) Read(path string, limit int) ([]byte, error) {
	f.list = append(f.list, readOnce{path: path, state: fileState(path)})
	data, err := f.hostFiles.Read(path, limit)
	return data, f.explained(err)
}

// List is List of hostFiles.
func (f *notingFiles) List(dir, suffix string) ([]string, error) {
	f.list = append(f.list, readOnce{dir, suffix, dirState(dir, suffix)})
	names, err := f.hostFiles.List(dir, suffix)
	return names, f.explained(err)
}

// explained adds to an error what to do about it if the confinement is the cause.
func (f *notingFiles) explained(err error) error {
	var at *fs.PathError
	if f.denied == nil || !errors.As(err, &at) {
		return err
	}
	cure := f.denied(err)
	if cure == "" {
		return err
	}
	return &fs.PathError{Op: at.Op, Path: at.Path, Err: errors.New(at.Err.Error() + ": " + cure)}
}
