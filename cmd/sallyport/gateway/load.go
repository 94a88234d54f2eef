// Load: from a --config to a checked configuration and its policy.

package gateway

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sallyport/configs"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// embedded is how problems name the configuration inside the binary.
const embedded = "sallyport.toml (embedded)"

// maxConfig bounds a configuration file; a larger one is a mistake.
const maxConfig = 16 << 20

// ShippedProfiles parses the profiles inside the binary.
func ShippedProfiles() ([]*rules.Profile, error) {
	dir := configs.Profiles()
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		return nil, err
	}
	var profiles []*rules.Profile
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		p, err := profile.Parse(name, data)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// ReadConfig returns the text of a --config, the name to report it by, and the
// directory that its relative paths are relative to.
func ReadConfig(file string, stdin io.Reader) (name, dir string, data []byte, err error) {
	switch file {
	case "":
		return embedded, ".", configs.Default(), nil
	case "-":
		name, dir = "standard input", "."
		data, err = io.ReadAll(io.LimitReader(stdin, maxConfig+1))
	default:
		name, dir = file, filepath.Dir(file)
		var f *os.File
		if f, err = os.Open(file); err != nil {
			return name, dir, nil, fmt.Errorf("cannot read the configuration: %w", err)
		}
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, maxConfig+1))
	}
	if err != nil {
		return name, dir, nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	switch {
	case len(data) > maxConfig:
		return name, dir, nil, fmt.Errorf("%s: is larger than %d MiB", name, maxConfig>>20)
	case len(data) == 0: // an editor empties a file before it writes; and not everybody is to be denied by accident
		return name, dir, nil, fmt.Errorf("%s: is empty: is it being written? sallyport without --config has a configuration to begin with", name)
	}
	return name, dir, data, nil
}

// LoadConfig reads and checks a --config. The problems hold the warnings too;
// err says why there is no configuration.
func LoadConfig(file string, stdin io.Reader) (*site.Config, rules.Problems, error) {
	profiles, err := ShippedProfiles()
	if err != nil {
		return nil, nil, err
	}
	name, dir, data, err := ReadConfig(file, stdin)
	if err != nil {
		return nil, nil, err
	}
	cfg, problems := site.Parse(name, dir, data, profiles)
	if err := problems.Err(); err != nil {
		return nil, problems, err
	}
	if l := cfg.Listen; len(l.HTTP)+len(l.SOCKS5)+len(l.DNS)+len(l.Transparent) == 0 {
		problems = append(problems, rules.Problem{File: cfg.File, Warning: true,
			Text: `[listen] has no http, socks5, dns or transparent: nobody is served; usual is http = ["127.0.0.1:3128"]`})
	}
	return cfg, problems, nil
}

// JournalPath finds the journal of a --config, for those who only read it. A
// mistake elsewhere in the file is said, and no reason not to; then there is no
// configuration to return.
func JournalPath(file string, stdin io.Reader, warn io.Writer) (string, *site.Config, error) {
	profiles, err := ShippedProfiles()
	if err != nil {
		return "", nil, err
	}
	name, dir, data, err := ReadConfig(file, stdin)
	if err != nil {
		return "", nil, fmt.Errorf("%w; a journal can be read without it: --file FILE", err)
	}
	cfg, problems := site.Parse(name, dir, data, profiles)
	if cfg != nil {
		return cfg.Journal.Path, cfg, nil
	}
	path, err := site.JournalOf(name, dir, data)
	if err != nil {
		return "", nil, fmt.Errorf("%w\nname the journal itself: --file FILE", err)
	}
	for line := range strings.SplitSeq(problems.Error(), "\n") {
		fmt.Fprintln(warn, "sallyport: warning:", line)
	}
	fmt.Fprintf(warn, "sallyport: warning: this configuration could not start; reading the journal that it names, %s (another one: --file FILE)\n", path)
	return path, nil, nil
}

// CheckJournal warns of a journal that this user could not write here. It may
// be another host and user that runs sallyport, so it is no error.
func CheckJournal(cfg *site.Config) rules.Problems {
	var out rules.Problems
	for _, file := range []struct{ key, path string }{{"path", cfg.Journal.Path}, {"flows", cfg.Journal.Flows}} {
		if file.path == "" || file.path == "-" {
			continue
		}
		if dir, err := filepath.Abs(filepath.Dir(file.path)); err == nil && dir == "/" && cfg.Process.Hardening == "required" {
			out = append(out, rules.Problem{File: cfg.File, Warning: true,
				Text: fmt.Sprintf("[journal] %s: run refuses %s where the kernel has Landlock: it is to write below the journal's directory only, and that would be everywhere; give it a directory of its own", file.key, file.path)})
		}
		target := file.path
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			target = filepath.Dir(target)
		}
		if err := syscall.Access(target, accessWrite); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w: make it, for the user of sallyport: install -d -o USER -g USER -m 0750 %s", err, target)
			}
			out = append(out, rules.Problem{File: cfg.File, Warning: true,
				Text: fmt.Sprintf("[journal] %s: run could not write %s as this user on this host: %s: %v", file.key, file.path, target, err)})
		}
	}
	return out
}

// accessWrite is W_OK of access(2).
const accessWrite = 2

// OwnAddresses tells which destinations are sallyport itself.
func OwnAddresses(l site.Listen, local func(netip.Addr) bool) rules.Own {
	own := rules.Own{Local: local}
	for _, list := range [][]netip.AddrPort{l.HTTP, l.SOCKS5, l.DNS, l.Transparent} {
		own.Listeners = append(own.Listeners, list...)
	}
	if a, err := netip.ParseAddrPort(l.Admin); err == nil {
		own.Listeners = append(own.Listeners, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return own
}

// LoadPolicy is what the commands that only ask need: configuration and policy
// as of now, which takes the addresses of this host's interfaces for the
// gateway's. It touches no network.
func LoadPolicy(file string, stdin io.Reader) (*site.Config, *rules.Policy, rules.Problems, error) {
	cfg, problems, err := LoadConfig(file, stdin)
	if err != nil {
		return nil, nil, problems, err
	}
	policy, warnings := rules.Compile(&cfg.Spec, OwnAddresses(cfg.Listen, IsLocal), time.Now())
	return cfg, policy, append(problems, warnings...), nil
}

// ClientAddress finds an address to ask from: that of the named client, or the
// given one, or that of the only client there is.
func ClientAddress(cfg *site.Config, policy *rules.Policy, name, from string) (netip.Addr, error) {
	if name != "" && from != "" {
		return netip.Addr{}, errors.New("--client and --from exclude each other")
	}
	if from != "" {
		a, err := netip.ParseAddr(from)
		if err != nil || a.Zone() != "" {
			return netip.Addr{}, fmt.Errorf("--from %q is not an address", from)
		}
		return a.Unmap(), nil
	}
	var names []string
	for _, c := range cfg.Clients {
		names = append(names, c.Name)
		if name != "" && c.Name != name || name == "" && len(cfg.Clients) > 1 {
			continue
		}
		for _, p := range c.Sources {
			if policy.ClientOf(p.Addr()) == c {
				return p.Addr(), nil
			}
			if last := lastAddr(p); policy.ClientOf(last) == c {
				return last, nil
			}
		}
		return netip.Addr{}, fmt.Errorf("client %q shares its sources with others: ask with --from ADDRESS", c.Name)
	}
	if name != "" {
		return netip.Addr{}, fmt.Errorf("there is no client %q; there are %s", name, strings.Join(names, ", "))
	}
	if len(names) == 0 {
		return netip.Addr{}, errors.New("the configuration has no [[client]]: ask with --from ADDRESS")
	}
	return netip.Addr{}, fmt.Errorf("which client asks? say --client NAME or --from ADDRESS; there are %s", strings.Join(names, ", "))
}

// lastAddr returns the last address of a prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
