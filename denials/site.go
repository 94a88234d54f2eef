// Site: a configuration that is asked about recorded denials.

package denials

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// A Source is the text of a configuration, with all that is needed to compile it.
type Source struct {
	File     string    // its name in problems
	Embedded bool      // it is inside the binary and cannot be changed
	Disk     site.Disk // the files that it names
	Text     []byte
	Profiles []*rules.Profile
	Sets     []*rules.KnownSet           // that known can name
	Own      func(site.Listen) rules.Own // the addresses of sallyport itself; nil: none
	Now      time.Time                   // decides which rules have expired, and the dates of proposed rules

	draft bool // Text has proposals that a person must still fill in
}

// filled returns the text to try. A person fills in a proposal before it is accepted; for a trial
// it counts as filled in.
func (src *Source) filled() []byte {
	if !src.draft {
		return src.Text
	}
	return bytes.ReplaceAll(src.Text, []byte(site.FillIn), []byte(strings.ReplaceAll(site.FillIn, " ", "-")))
}

// A Site is a configuration with its policy. It never changes.
type Site struct {
	Config   *site.Config
	Policy   *rules.Policy
	Problems rules.Problems // warnings
	broken   rules.Problems // the expectations that the policy breaks
	own      rules.Own
	src      Source
}

// NewSite reads and compiles a configuration.
func NewSite(src Source) (*Site, error) {
	cfg, problems := site.Parse(src.File, src.Disk, src.filled(), src.Profiles, src.Sets...)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var own rules.Own
	if src.Own != nil {
		own = src.Own(cfg.Listen)
	}
	policy, more := rules.Compile(&cfg.Spec, own, src.Now)
	problems = append(problems, more...)
	s := &Site{Config: cfg, Policy: policy, own: own, src: src}
	for _, p := range cfg.CheckExpectations(policy, src.Now) {
		if !p.Warning { // the review also asks a configuration that no gateway accepts any more
			p.Warning = true
			s.broken = append(s.broken, p)
		}
		problems = append(problems, p)
	}
	s.Problems = problems
	return s, nil
}

// with returns the site with the edits made, and its text. The error names an expectation
// that the edits break.
func (s *Site) with(list []Edit) (*Site, []byte, error) {
	text, err := ApplyEdits(s.Config, s.src.Text, list)
	if err != nil {
		return nil, nil, err
	}
	src := s.src
	src.Text, src.draft = text, true
	changed, err := NewSite(src)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range changed.broken {
		if !slices.ContainsFunc(s.broken, func(o rules.Problem) bool { return questionOf(o) == questionOf(b) }) {
			return nil, nil, fmt.Errorf("the change breaks an expectation of the site: %s:%d: %s", b.File, b.Line, b.Text)
		}
	}
	return changed, text, nil
}

// questionOf returns the question of a broken expectation. An edit moves its line, and can
// change the answer.
func questionOf(p rules.Problem) string {
	question, _, _ := strings.Cut(p.Text, ": expected ")
	return question
}

// HasText reports whether the site has the text of its configuration. Suggest
// needs the text.
func (s *Site) HasText() bool { return len(s.src.Text) > 0 }

// client returns the client with this name. It returns nil if there is none.
func (s *Site) client(name string) *rules.Client {
	for _, c := range s.Config.Clients {
		if c.Name == name {
			return c
		}
	}
	return nil
}
