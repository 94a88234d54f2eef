// Package site reads the configuration of a site from strict TOML: the policy
// part, which rules.Compile takes, and the settings of the daemon. It reports all
// errors at once, each with its line.
package site

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"sallyport/rules"
	"sallyport/rules/tomldoc"
)

// A Config is one configuration file, checked. Its paths are absolute, or relative to the
// working directory.
type Config struct {
	rules.Spec // what the policy is compiled from

	Audit     bool // mode = "audit"
	Listen    Listen
	Secure    *Secure // what [listen] https works with; nil: it has no address
	DNS       DNS
	Journal   Journal
	Admin     Admin
	Process   Process
	Limits    Limits
	Expect    []Expectation
	Passwords map[string]rules.Hash // of the users of every users_file
	Inputs    []Input               // what the configuration was read from, beside its own file, in the order of reading

	lines            map[string]int          // lines of the keys of [listen]
	asksCertificates bool                    // client_ca is there: if it has an error, that error is the cause
	known            *known                  // while the configuration is read
	lists            map[string]*rules.List  // by the paths of their files; while the configuration is read
	users            map[string]*rules.Users // by the paths of their files; while the configuration is read
	inputs           [][sha256.Size]byte     // a hash of the content of each file among Inputs
	unread           []*unread               // profile files with errors, whose profile is not among Profiles
}

// ListenLine returns the line of a key of [listen], for problems that are found later. It
// is 0 if the file does not have the key.
func (c *Config) ListenLine(key string) int { return c.lines[key] }

// Parse parses a configuration. disk has the files that it names; shipped are the profiles
// that clients can have beside those from files, and sets the known denials that known can name.
// The problems include warnings. If there is
// an error among them, the Config is nil.
func Parse(file string, disk Disk, data []byte, shipped []*rules.Profile, sets ...*rules.KnownSet) (*Config, rules.Problems) {
	c, problems := Survey(file, disk, data, shipped, sets...)
	if problems.Err() != nil {
		return nil, problems
	}
	return c, problems
}

// Survey is Parse for reports: it never returns nil. A configuration with errors has its files,
// its listeners and the sources of its clients, so that their faults are reported together with
// the errors. It has no rule and no profile, so it permits nothing. It must not be served.
func Survey(file string, disk Disk, data []byte, shipped []*rules.Profile, sets ...*rules.KnownSet) (*Config, rules.Problems) {
	none := &Config{Spec: rules.Spec{File: file}}
	doc, top := tomldoc.Parse(file, data)
	if top == nil {
		return none, doc.Problems()
	}
	if isProfile(top) {
		doc.Errorf(0, "this is a profile, not a configuration; to check it: sallyport profiles check %s", file)
		return none, doc.Problems()
	}
	c := &Config{
		Spec: rules.Spec{
			File:              file,
			StrictDestination: top.Bool("strict_destination"),
			ECHDeny:           top.Choice("ech", "outer", "deny") == "deny",
		},
		Audit: top.Choice("mode", "enforce", "audit") == "audit",
		known: newKnown(),
	}
	c.readListen(top.Sub("listen"))
	c.readSecure(top.Sub("listen"), disk)
	c.readParents(top, disk)
	ofFiles := c.readProfiles(top.Sub("profiles"), disk, shipped)
	for _, t := range top.Subs("client") {
		if cl := c.readClient(t, disk); cl != nil {
			c.readKnownSets(t, cl.Name, sets)
			t.Done()
			c.Clients = append(c.Clients, cl)
		}
	}
	for _, t := range top.Subs("rule") {
		c.Rules = append(c.Rules, c.readSiteRule(t, disk))
	}
	for _, t := range top.Subs("expect") {
		c.Expect = append(c.Expect, c.readExpectation(t))
	}
	c.readKnown(top, sets)
	c.KnownSets = sets
	c.warnOfUnion(doc)
	c.warnOfBalancers(doc)
	c.readHosts(top.Sub("hosts"))
	c.readDNS(top.Sub("dns"), disk)
	c.readResolve(top.Sub("resolve"))
	c.readJournal(top.Sub("journal"), disk.Dir)
	c.readSinks(top, disk)
	c.readAdmin(top, disk.Dir)
	c.readProcess(top.Sub("process"))
	c.readLimits(top.Sub("limits"))
	c.checkSynthetic(top)
	top.Done()
	if len(c.Clients) == 0 {
		doc.Warnf(0, "no [[client]]: every request is denied as unknown_client")
	}
	c.Revision = c.revision(data)
	c.known, c.lists, c.users = nil, nil, nil
	problems := append(ofFiles.Sorted(), doc.Problems()...) // causes first
	if problems.Err() != nil {
		for _, cl := range c.Clients {
			none.Clients = append(none.Clients, &rules.Client{Name: cl.Name, Sources: cl.Sources, Line: cl.Line})
		}
		c.Spec, c.Secure, c.Passwords, c.Expect = none.Spec, nil, nil, nil
	}
	return c, problems
}

// WithNAT64 returns the configuration with discovered prefixes behind those that
// it lists. It returns c itself if c asks for no discovery, or if found is empty.
func (c *Config) WithNAT64(found []netip.Prefix) *Config {
	if !c.NAT64Discover || len(found) == 0 {
		return c
	}
	with := *c
	with.NAT64 = slices.Concat(c.NAT64, found)
	return &with
}
