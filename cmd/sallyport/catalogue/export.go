// Profiles export: the command that writes a policy for other enforcers.

package catalogue

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/export"
)

// exportOptions are the flags of profiles export.
type exportOptions struct {
	as, config, client, role, version, output string
	features                                  []string
	options                                   export.Options
}

func newExport() *cobra.Command {
	var o exportOptions
	c := &cobra.Command{
		Use:   "export [NAME] --as FORMAT",
		Short: "Write a policy for another enforcer: Squid, Unbound, RPZ, nft, a firewall's list, Cilium, PAC, CSV",
		Long: `export writes what a client may reach in the format of another enforcer. Comments
name the rule, the document and the section of each line.

Without --config it writes a profile: NAME is a shipped profile or a file. --role,
--features and --version choose as a [[client]] does. With --config it writes the
policy of a client of the site, with its bindings, ports and own rules. Then NAME
may be left out; with NAME, rules of the client's other profiles are left out.

An export permits nothing that the policy denies, except what its first lines and
standard error list as "wider". "left out" lists what the format cannot say:

` + formatTable() + `
A wildcard *.x has the names below x, at any depth, and not x itself. Each format
keeps this meaning or lists the difference. An export is a copy: after a change of
the policy, export again.

Exit status: 0; 1 if the policy cannot be read; 2 if the command line is wrong.`,
		Example: `  sallyport profiles export cyber-command --as squid
  sallyport profiles export endpoint-secure-onprem --as rpz --features neural-x
  sallyport profiles export --config site.toml --client es-agent --as nft --output es-agent.nft
  sallyport profiles export vendor.toml --as pac --proxy proxy.corp.example:3128`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			profiles, _ := gateway.ShippedProfiles()
			return profileNames(profiles), cobra.ShellCompDirectiveDefault
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return commandline.Usage("profiles export takes the name of one profile")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.as, "as", "", "the `FORMAT`: "+joined(export.Formats()))
	f.StringVarP(&o.config, "config", "c", "", "write the policy of a client of the configuration `FILE`")
	_ = c.MarkFlagFilename("config", "toml")
	f.StringVar(&o.client, "client", "", "with --config: the [[client]] `NAME`")
	f.StringVar(&o.role, "role", "", "without --config: the `ROLE`; the profile's first one by default")
	f.StringSliceVar(&o.features, "features", nil, "without --config: `FEATURES` that are on")
	f.StringVar(&o.version, "version", "", "without --config: the `VERSION` of the product")
	f.StringVar(&o.options.Proxy, "proxy", "", "with --as pac: `HOST:PORT` of the proxy for what is permitted; without it, directly")
	f.BoolVar(&o.options.Addresses, "addresses", false, "with --as edl: the list of addresses instead of the list of names")
	f.StringVarP(&o.output, "output", "o", "", "write to `FILE` instead of standard output")
	_ = c.RegisterFlagCompletionFunc("as", cobra.FixedCompletions(strings.Split(joined(export.Formats()), ", "), cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, args []string) error {
		name := ""
		if len(args) == 1 {
			name = args[0]
		}
		return o.run(name, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// formatTable returns what each format can say.
func formatTable() string {
	var b strings.Builder
	for _, f := range export.Formats() {
		fmt.Fprintf(&b, "  %-8s %s\n", f, f.Says())
	}
	return b.String()
}

// run writes the export, and lists the differences on errs.
func (o *exportOptions) run(name string, in io.Reader, out, errs io.Writer) error {
	if err := o.check(name); err != nil {
		return err
	}
	p, err := o.policy(name, in)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	diffs, err := export.Write(&b, export.Format(o.as), p, o.options)
	if err != nil {
		return err
	}
	if o.output == "" {
		_, err = out.Write(b.Bytes())
	} else {
		err = replaceFile(o.output, b.Bytes())
	}
	if err != nil {
		return err
	}
	for _, d := range diffs {
		fmt.Fprintf(errs, "sallyport: %s\n", d)
	}
	return nil
}

// check refuses flags that do not belong together.
func (o *exportOptions) check(name string) error {
	known := export.Formats()
	switch {
	case o.as == "":
		return commandline.Usage("profiles export needs --as with one of %s", joined(known))
	case !slices.Contains(known, export.Format(o.as)):
		return commandline.Usage("profiles export needs --as with one of %s; not %q", joined(known), o.as)
	case name == "" && o.config == "":
		return commandline.Usage("profiles export needs the name of a profile, or --config FILE")
	case o.config != "" && (o.role != "" || o.version != "" || len(o.features) > 0):
		return commandline.Usage("--role, --features and --version belong to a profile: with --config the [[client]] has them")
	case o.config == "" && o.client != "":
		return commandline.Usage("--client needs --config FILE")
	case o.options.Proxy != "" && o.as != string(export.PAC):
		return commandline.Usage("--proxy is for --as pac")
	case o.options.Addresses && o.as != string(export.EDL):
		return commandline.Usage("--addresses is for --as edl")
	}
	if o.options.Proxy != "" {
		a, err := rules.ParseAuthority(o.options.Proxy, 0)
		if err != nil || a.Port == 0 {
			return commandline.Usage("--proxy %q is not HOST:PORT", o.options.Proxy)
		}
	}
	return nil
}

// policy returns the policy to write.
func (o *exportOptions) policy(name string, in io.Reader) (*export.Policy, error) {
	if o.config == "" {
		p, err := readProfile(name, nil)
		if err != nil {
			return nil, err
		}
		cp, err := choose(p, o.role, o.version, o.features)
		if err != nil {
			return nil, err
		}
		return export.OfProfile(cp, time.Now()), nil
	}
	cfg, compiled, _, err := gateway.LoadPolicy(o.config, in)
	if err != nil {
		return nil, gateway.StillRuns(err)
	}
	client, err := exportClient(cfg.Clients, o.client, name)
	if err != nil {
		return nil, err
	}
	p, err := export.OfClient(&cfg.Spec, compiled, client, name)
	resolver := o.as == string(export.Unbound) || o.as == string(export.RPZ)
	if err == nil && resolver && len(cfg.Hosts)+len(cfg.Zones) > 0 {
		p.Left = append(p.Left, export.Difference{What: "the answers of [hosts] and the upstreams of [[dns.zone]]: give them to the resolver too"})
	}
	return p, err
}

// exportClient returns the named client, else the only one that has the profile.
func exportClient(clients []*rules.Client, name, profile string) (*rules.Client, error) {
	var found []*rules.Client
	var names, all []string
	for _, c := range clients {
		all = append(all, c.Name)
		has := profile == "" || slices.ContainsFunc(c.Profiles, func(cp rules.ClientProfile) bool { return cp.Profile.Name == profile })
		if name == "" && has || name == c.Name {
			found, names = append(found, c), append(names, c.Name)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case name != "":
		return nil, fmt.Errorf("there is no client %q; the clients are %s", name, strings.Join(all, ", "))
	case len(found) == 0:
		return nil, fmt.Errorf("no client has the profile %q", profile)
	}
	return nil, fmt.Errorf("which client? give --client NAME; the clients are %s", strings.Join(names, ", "))
}

// choose returns a profile with the choices of the flags.
func choose(p *rules.Profile, role, version string, features []string) (rules.ClientProfile, error) {
	cp := rules.ClientProfile{Profile: p, Role: role, Version: version, Features: features}
	if role == "" {
		cp.Role = p.Roles[0]
	}
	if !slices.Contains(p.Roles, cp.Role) {
		return cp, commandline.Usage("profile %s has no role %q; its roles are %s", p.Name, role, strings.Join(p.Roles, ", "))
	}
	var known []string
	for _, f := range p.Features {
		known = append(known, f.Name)
	}
	for _, f := range features {
		if p.Feature(f) == nil {
			return cp, commandline.Usage("profile %s has no feature %q; its features are %s", p.Name, f, strings.Join(append(known, "none"), ", "))
		}
	}
	if version != "" {
		if err := rules.CheckVersion(version); err != nil {
			return cp, commandline.Usage("--version %q is not a version: %v", version, err)
		}
	}
	return cp, nil
}

// replaceFile writes a file as a whole or not at all.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
