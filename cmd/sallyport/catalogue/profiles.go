// Package catalogue has the commands of the documented rules: sallyport profiles.
package catalogue

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/profile"
)

// New returns the command profiles.
func New() *cobra.Command {
	c := &cobra.Command{
		Use:   "profiles",
		Short: "List the products that sallyport has documented rules for, or print one",
		Example: `  sallyport profiles
  sallyport profiles show cyber-command
  sallyport profiles show --json endpoint-secure-onprem`,
		Args: commandline.NoArgs,
	}
	var asJSON bool
	list := &cobra.Command{Use: "list", Short: "List the profiles", Args: commandline.NoArgs}
	show := &cobra.Command{
		Use: "show NAME", Short: "Print every rule of a profile, with its source",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			profiles, _ := gateway.ShippedProfiles()
			return profileNames(profiles), cobra.ShellCompDirectiveNoFileComp
		},
	}
	for _, sub := range []*cobra.Command{c, list, show} {
		sub.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	}
	list.RunE = func(c *cobra.Command, _ []string) error {
		profiles, err := gateway.ShippedProfiles()
		if err != nil {
			return err
		}
		if asJSON {
			var out []profile.JSON
			for _, p := range profiles {
				out = append(out, profile.NewJSON(p, false))
			}
			return text.WriteJSON(c.OutOrStdout(), out, "  ")
		}
		return listProfiles(c.OutOrStdout(), profiles)
	}
	c.RunE = list.RunE
	show.RunE = func(c *cobra.Command, args []string) error {
		profiles, err := gateway.ShippedProfiles()
		if err != nil {
			return err
		}
		if len(args) != 1 {
			return commandline.Usage("profiles show takes the name of one profile; there are %s", strings.Join(profileNames(profiles), ", "))
		}
		i := slices.Index(profileNames(profiles), args[0])
		if i < 0 {
			return fmt.Errorf("there is no profile %q; there are %s", args[0], strings.Join(profileNames(profiles), ", "))
		}
		if asJSON {
			return text.WriteJSON(c.OutOrStdout(), profile.NewJSON(profiles[i], true), "  ")
		}
		return showProfile(c.OutOrStdout(), profiles[i])
	}
	c.AddCommand(list, show, newCheck(), newImport(), newExport())
	return c
}

// profileNames returns the names of profiles.
func profileNames(profiles []*rules.Profile) []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.Name
	}
	return names
}

// listProfiles writes a table of profiles.
func listProfiles(out io.Writer, profiles []*rules.Profile) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tROLES\tFEATURES\tRULES\tPRODUCT")
	for _, p := range profiles {
		var features []string
		for _, f := range p.Features {
			features = append(features, f.Name)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", p.Name, strings.Join(p.Roles, ", "), len(features), len(p.Rules), p.Product)
	}
	return w.Flush()
}

// showProfile writes a profile and a table of its rules.
func showProfile(out io.Writer, p *rules.Profile) error {
	fmt.Fprintf(out, "%s: %s\n", p.Name, p.Product)
	fmt.Fprintf(out, "document: %s", p.Document.Title)
	if p.Document.Version != "" {
		fmt.Fprintf(out, ", version %s", p.Document.Version)
	}
	if p.Document.Released != "" {
		fmt.Fprintf(out, ", released %s", p.Document.Released)
	}
	fmt.Fprintf(out, "\nroles:    %s (the first is the default)\n", strings.Join(p.Roles, ", "))
	if len(p.Binds) > 0 {
		fmt.Fprintf(out, "parties:  %s (bound in [client.addresses] or [client.profile.addresses] as well)\n", strings.Join(p.Binds, ", "))
	}
	for _, f := range p.Features {
		fmt.Fprintf(out, "feature:  %s: %s\n", f.Name, f.Meaning)
	}
	for _, port := range p.Ports {
		fmt.Fprintf(out, "port:     %s, by default %d: %s\n", port.Name, port.Default, port.Meaning)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tFROM\tTO\tPORTS\tSECTION\tONLY\tPURPOSE")
	for _, r := range p.Rules {
		for i, d := range r.To {
			if i > 0 {
				fmt.Fprintf(w, "\t\t%s\t\t\t\t\n", d)
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.From, d, portsText(p, r), r.Section, conditionText(r), r.Purpose)
		}
	}
	return w.Flush()
}

// portsText returns the ports of a rule.
func portsText(p *rules.Profile, r *rules.Rule) string {
	if r.Any {
		return "every protocol and port"
	}
	tcp, udp := p.DefaultPorts(r)
	var parts []string
	if tcp != nil {
		parts = append(parts, "tcp "+tcp.String())
	}
	if udp != nil {
		parts = append(parts, "udp "+udp.String())
	}
	return strings.Join(parts, "; ")
}

// conditionText returns the conditions of a rule.
func conditionText(r *rules.Rule) string {
	var parts []string
	if r.Local {
		parts = append(parts, "on one host")
	}
	if len(r.When) > 0 {
		parts = append(parts, "with "+strings.Join(r.When, " and "))
	}
	if r.Since != "" {
		parts = append(parts, "since "+r.Since)
	}
	if r.Until != "" {
		parts = append(parts, "below "+r.Until)
	}
	return strings.Join(parts, ", ")
}
