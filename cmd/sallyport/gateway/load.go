// Load: reads a --config, checks it and compiles its policy.

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

	"sallyport/cmd/sallyport/nftables"
	"sallyport/configs"
	"sallyport/rules"
	"sallyport/rules/site"
)

// embedded is the name of the embedded configuration in reports.
const embedded = "sallyport.toml (embedded)"

// maxConfig is the size limit of a configuration file.
const maxConfig = 16 << 20

// nameOf returns the name of a --config in reports.
func nameOf(file string) string {
	switch file {
	case "":
		return embedded
	case "-":
		return "standard input"
	}
	return file
}

// ReadConfig returns the text of a --config, its name in reports, and the directory
// for its relative paths.
func ReadConfig(file string, stdin io.Reader) (name, dir string, data []byte, err error) {
	name, dir = nameOf(file), "."
	switch file {
	case "":
		return name, dir, configs.Default(), nil
	case "-":
		data, err = io.ReadAll(io.LimitReader(stdin, maxConfig+1))
	default:
		dir = filepath.Dir(file)
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
		return name, dir, nil, fmt.Errorf("%s: the file is larger than %d MiB", name, maxConfig>>20)
	case len(data) == 0: // an editor may empty a file before it writes; an empty file would deny every client
		return name, dir, nil, fmt.Errorf("%s: the file is empty; is it being written? without --config, sallyport uses its embedded configuration", name)
	}
	return name, dir, data, nil
}

// LoadConfig reads and checks a --config. If it has errors, or if its policy breaks an
// [[expect]], LoadConfig returns no configuration, the problems, and one error that joins
// the errors. Otherwise the problems are warnings.
func LoadConfig(file string, stdin io.Reader) (*site.Config, rules.Problems, error) {
	return loadConfig(file, stdin, hostFiles{})
}

// loadConfig is LoadConfig with the files that the configuration names.
func loadConfig(file string, stdin io.Reader, files site.Files) (*site.Config, rules.Problems, error) {
	cfg, problems, err := surveyConfig(file, stdin, files)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, problems, err
	}
	return cfg, problems, nil
}

// surveyConfig is loadConfig for reports: an error among the problems is no error of it, and it
// returns what site.Survey does. It returns an error if it cannot read the configuration itself.
func surveyConfig(file string, stdin io.Reader, files site.Files) (*site.Config, rules.Problems, error) {
	cfg, problems, err := parseConfig(file, stdin, files)
	if err != nil || problems.Err() != nil || len(cfg.Expect) == 0 {
		return cfg, problems, err
	}
	now := time.Now()
	policy, _ := rules.Compile(&cfg.Spec, ownOf(cfg.Listen), now)
	return cfg, append(problems, cfg.CheckExpectations(policy, now)...), nil
}

// parseConfig reads and checks a --config as site.Survey does, and asks its policy nothing.
func parseConfig(file string, stdin io.Reader, files site.Files) (*site.Config, rules.Problems, error) {
	profiles, err := ShippedProfiles()
	if err != nil {
		return nil, nil, err
	}
	name, dir, data, err := ReadConfig(file, stdin)
	if err != nil {
		return nil, nil, err
	}
	sets, err := ShippedSets()
	if err != nil {
		return nil, nil, err
	}
	cfg, problems := site.Survey(name, site.Disk{Dir: dir, Files: files}, data, profiles, sets...)
	if problems.Err() != nil {
		return cfg, problems, nil
	}
	problems = append(problems, cfg.CheckDates(time.Now())...)
	if l := cfg.Listen; len(l.HTTP)+len(l.HTTPS)+len(l.SOCKS5)+len(l.DNS) == 0 && !l.Redirected() {
		problems = append(problems, rules.Problem{File: cfg.File, Warning: true,
			Text: `[listen] has no http, https, socks5, dns, transparent or tproxy: no client is served; the usual value is http = ["127.0.0.1:3128"]`})
	}
	return cfg, problems, nil
}

// JournalPath returns the path of the journal of a --config, for commands that
// only read the journal, and the configuration. If the configuration has errors
// elsewhere, JournalPath writes them to warn and returns the path alone.
func JournalPath(file string, stdin io.Reader, warn io.Writer) (string, *site.Config, error) {
	profiles, err := ShippedProfiles()
	if err != nil {
		return "", nil, err
	}
	name, dir, data, err := ReadConfig(file, stdin)
	if err != nil {
		return "", nil, fmt.Errorf("%w; to read a journal without a configuration: --file FILE", err)
	}
	sets, err := ShippedSets()
	if err != nil {
		return "", nil, err
	}
	cfg, problems := site.Parse(name, hostDisk(dir), data, profiles, sets...)
	if cfg != nil {
		return cfg.Journal.Path, cfg, nil
	}
	path, err := site.JournalOf(name, dir, data)
	if err != nil {
		return "", nil, fmt.Errorf("%w\nto name the journal itself: --file FILE", err)
	}
	for line := range strings.SplitSeq(problems.Error(), "\n") {
		fmt.Fprintln(warn, "sallyport: warning:", line)
	}
	fmt.Fprintf(warn, "sallyport: warning: sallyport could not start with this configuration; reading the journal that this configuration names, %s (for another journal: --file FILE)\n", path)
	return path, nil, nil
}

// CheckJournal warns about a journal that this user could not write on this host.
// It returns warnings, because sallyport may run as another user or on another
// host.
func CheckJournal(cfg *site.Config) rules.Problems {
	var out rules.Problems
	for _, file := range []struct{ key, path string }{{"path", cfg.Journal.Path}, {"flows", cfg.Journal.Flows}} {
		if file.path == "" || file.path == "-" {
			continue
		}
		if dir, err := filepath.Abs(filepath.Dir(file.path)); err == nil && dir == "/" && cfg.Process.Hardening == "required" {
			out = append(out, rules.Problem{File: cfg.File, Warning: true,
				Text: fmt.Sprintf("[journal] %s: on a kernel with Landlock, run refuses %s, because sallyport may write to every file below the journal's directory; put the journal in a directory of its own", file.key, file.path)})
		}
		target := file.path
		if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
			target = filepath.Dir(target)
		}
		if err := syscall.Access(target, accessWrite); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w: create it for the user of sallyport: install -d -o USER -g USER -m 0750 %s", err, target)
			}
			out = append(out, rules.Problem{File: cfg.File, Warning: true,
				Text: fmt.Sprintf("[journal] %s: run could not write %s as this user on this host: %s: %v", file.key, file.path, target, err)})
		}
	}
	return out
}

// accessWrite is W_OK of access(2).
const accessWrite = 2

// ownOf returns what leads back to this host, if sallyport listens as l says.
func ownOf(l site.Listen) rules.Own {
	own := OwnAddresses(l, IsLocal)
	own.Routed = nftables.LeadsHere
	return own
}

// OwnAddresses returns the addresses of sallyport's own listeners. local reports
// whether an address is one of this host.
func OwnAddresses(l site.Listen, local func(netip.Addr) bool) rules.Own {
	own := rules.Own{Local: local}
	for _, list := range [][]netip.AddrPort{l.HTTP, l.HTTPS, l.SOCKS5, l.DNS, l.Transparent, l.TPROXY} {
		own.Listeners = append(own.Listeners, list...)
	}
	if a, err := netip.ParseAddrPort(l.Admin); err == nil {
		own.Listeners = append(own.Listeners, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	return own
}

// LoadPolicy returns the configuration and its policy as of now, for commands that
// only ask the policy. It takes the addresses of this host for the addresses of
// the gateway. It does not use the network. On errors, and if the policy breaks an
// [[expect]], it returns the problems and one error that joins the errors.
func LoadPolicy(file string, stdin io.Reader) (*site.Config, *rules.Policy, rules.Problems, error) {
	cfg, policy, problems, err := loadPolicy(file, stdin)
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, nil, problems, err
	}
	return cfg, policy, problems, nil
}

// LoadToCheck is LoadPolicy for the command that reports everything: an error among the problems
// is no error of it. If the configuration has errors, the policy is nil, and the configuration is
// what site.Survey returns.
func LoadToCheck(file string, stdin io.Reader) (*site.Config, *rules.Policy, rules.Problems, error) {
	cfg, policy, problems, err := loadPolicy(file, stdin)
	if problems.Err() != nil {
		policy = nil
	}
	return cfg, policy, problems, err
}

// LoadToExplain is LoadPolicy for the command that shows why a policy breaks an [[expect]]:
// then it writes the problem to warn, and still returns the policy.
func LoadToExplain(file string, stdin io.Reader, warn io.Writer) (*site.Config, *rules.Policy, error) {
	cfg, policy, problems, err := loadPolicy(file, stdin)
	if err == nil && policy == nil {
		err = problems.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, p := range problems {
		if !p.Warning {
			fmt.Fprintln(warn, "sallyport: warning: no gateway accepts this configuration:", p)
		}
	}
	return cfg, policy, nil
}

// loadPolicy compiles the policy of a --config and asks it every [[expect]]. The broken ones
// are among the problems, and no error. If the configuration itself has errors, the policy is nil.
func loadPolicy(file string, stdin io.Reader) (*site.Config, *rules.Policy, rules.Problems, error) {
	cfg, problems, err := parseConfig(file, stdin, hostFiles{})
	if err != nil || problems.Err() != nil {
		return cfg, nil, problems, err
	}
	now := time.Now()
	policy, warnings := rules.Compile(&cfg.Spec, ownOf(cfg.Listen), now)
	return cfg, policy, append(append(problems, warnings...), cfg.CheckExpectations(policy, now)...), nil
}
