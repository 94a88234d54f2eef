// Source: reads a configuration at the start and at each reload.

package gateway

import (
	"io"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A Source is where a configuration comes from: a file, standard input, or the
// binary itself.
type Source struct {
	file   string // the value of --config
	stdin  io.Reader
	state  string // fileState of file before the first read
	keeper Keeper // found at the start: a confined process cannot read /etc/group
}

// NewSource returns the source that a --config names.
func NewSource(file string, stdin io.Reader) *Source {
	return &Source{file: file, stdin: stdin, state: fileState(file), keeper: ThisKeeper()}
}

// LoadToRun reads and checks the configuration, and checks that no one else can
// change it. The problems are warnings; if there are errors, LoadToRun returns no
// configuration.
func (s *Source) LoadToRun() (*site.Config, rules.Problems, error) {
	cfg, problems, err := LoadConfig(s.file, s.stdin)
	if err != nil {
		return nil, nil, err
	}
	exposed := s.keeper.RunPermissions(cfg, s.file)
	if err := exposed.Err(); err != nil {
		return nil, nil, err
	}
	return cfg, append(problems, exposed...), nil
}
