// Profiles: the profiles that a configuration reads from files, beside those of the
// binary.

package site

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/tomldoc"
)

// The limits of profile files.
const (
	maxProfile      = profile.MaxSize
	maxProfiles     = 1000 // files
	maxProfileBytes = 64 << 20
)

// profilesKey is the key that names the files.
const profilesKey = "[profiles] paths"

// profileSuffix is the end of the name of every profile file.
const profileSuffix = ".toml"

// A profileReader gathers the profiles of a configuration.
type profileReader struct {
	c        *Config
	disk     Disk
	t        *tomldoc.Table
	shipped  []*rules.Profile
	files    []string // read so far
	bytes    int
	found    []*rules.Profile // from files
	unread   []*unread        // files with errors, whose profile is not among found
	problems rules.Problems   // the problems of the files
}

// readProfiles reads [profiles] and sets c.Profiles: profiles from files take the place of
// the shipped profiles that they replace, and the other profiles follow. It returns the
// problems of the files.
func (c *Config) readProfiles(t *tomldoc.Table, disk Disk, shipped []*rules.Profile) rules.Problems {
	r := &profileReader{c: c, disk: disk, t: t, shipped: shipped}
	for _, path := range t.Strs("paths") {
		line := t.LineOf("paths", path)
		switch {
		case path == "" || path == "-":
			t.Doc.Errorf(line, "paths: %q is not a path: name a directory with profiles, or a file that ends in %s", path, profileSuffix)
		case strings.HasSuffix(path, profileSuffix):
			r.readFile(path, line)
		default:
			r.readDirectory(path, line)
		}
	}
	t.Done()
	c.Profiles, c.unread = slices.Clone(shipped), r.unread
	for _, p := range r.found {
		i := slices.Index(c.Profiles, p.Replaced)
		if p.Replaced == nil || i < 0 {
			c.Profiles = append(c.Profiles, p)
			continue
		}
		c.Profiles[i] = p
	}
	return r.problems
}

// readDirectory reads every profile file of a directory. It ignores other files,
// hidden files, and directories below it.
func (r *profileReader) readDirectory(name string, line int) {
	path, names, err := r.c.list(r.disk, Input{Key: profilesKey, Line: line, Path: name}, profileSuffix)
	if err != nil {
		r.t.Doc.Errorf(line, "paths: %s: %v", path, err)
		return
	}
	if len(names) == 0 {
		r.t.Doc.Errorf(line, "paths: %s: there is no profile in this directory: put a file that ends in %s there, or remove the path", path, profileSuffix)
	}
	for _, file := range names {
		r.readFile(filepath.Join(name, file), line)
	}
}

// readFile reads one profile file. line is the line of the path in the
// configuration.
func (r *profileReader) readFile(name string, line int) {
	if full := filepath.Clean(under(r.disk.Dir, name)); slices.Contains(r.files, full) {
		r.t.Doc.Errorf(line, "paths: %s is listed already: remove one of the two paths to it", full)
		return
	} else if r.files = append(r.files, full); len(r.files) == maxProfiles+1 {
		r.t.Doc.Errorf(line, "paths: there are more than %d profile files", maxProfiles)
	}
	if len(r.files) > maxProfiles || r.bytes > maxProfileBytes {
		return
	}
	path, data, err := r.c.read(r.disk, Input{Key: profilesKey, Line: line, Path: name}, maxProfile)
	if err != nil {
		r.t.Doc.Errorf(line, "paths: %s: %v", path, err)
		r.unread = append(r.unread, &unread{file: path})
		return
	}
	if r.bytes += len(data); r.bytes > maxProfileBytes {
		r.t.Doc.Errorf(line, "paths: the profile files have more than %d MiB together", maxProfileBytes>>20)
		return
	}
	p, problems := profile.Read(path, data)
	r.problems = append(r.problems, problems...)
	if p == nil || p.Name == "" {
		r.unread = append(r.unread, &unread{file: path, name: nameOf(data)})
		return
	}
	r.add(p)
}

// add adds the profile of a file, and finds the shipped profile that it replaces.
func (r *profileReader) add(p *rules.Profile) {
	named := func(o *rules.Profile) bool { return o.Name == p.Name }
	if i := slices.IndexFunc(r.found, named); i >= 0 {
		r.problems = append(r.problems, rules.Problem{File: p.File, Line: p.Line,
			Text: fmt.Sprintf("name: the profile %q is also in %s, on line %d: remove one of the two, or rename it", p.Name, r.found[i].File, r.found[i].Line)})
		return
	}
	old, problems := profile.Replaced(p, r.shipped)
	r.problems = append(r.problems, problems...)
	p.Origin = "profile revision " + p.Revision
	if old != nil {
		p.Replaced, p.Origin = old, p.Origin+", in place of the shipped "+profile.Identity(old)
	}
	for _, rule := range p.Rules {
		rule.Origin = p.Origin
	}
	if len(p.Roles) == 0 {
		r.unread = append(r.unread, &unread{file: p.File, name: p.Name})
		return
	}
	r.found = append(r.found, p)
}
