// Package catalogue has the commands of the documented rules: sallyport profiles.
package catalogue

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

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
		Short: "List the profiles, or print the rules of one profile",
		Long: `profiles lists the profiles inside the binary. With --config it lists the profiles
that the clients of a configuration can have. Profiles from the files of [profiles]
paths are among them, and a file may replace a shipped profile.

If a document is older than two years, profiles prints a warning: the vendor may have
a newer document.`,
		Example: `  sallyport profiles
  sallyport profiles list --config /etc/sallyport/sallyport.toml
  sallyport profiles show cyber-command
  sallyport profiles show backup --config /etc/sallyport/sallyport.toml
  sallyport profiles show ./backup.toml
  sallyport profiles show --json endpoint-secure-onprem`,
		Args: refuse,
	}
	var asJSON bool
	var config string
	list := &cobra.Command{Use: "list", Short: "List the profiles", Args: commandline.NoArgs}
	show := &cobra.Command{
		Use: "show {NAME | FILE}", Short: "Print every rule of a profile, with its source",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			profiles, _ := profilesOf(config, strings.NewReader(""))
			return profileNames(profiles), cobra.ShellCompDirectiveDefault
		},
	}
	for _, sub := range []*cobra.Command{c, list, show} {
		sub.Flags().BoolVar(&asJSON, "json", false, "print JSON")
		sub.Flags().StringVarP(&config, "config", "c", "", "the profiles of this configuration `FILE`; without it, the profiles inside the binary")
		_ = sub.MarkFlagFilename("config", "toml")
	}
	list.RunE = func(c *cobra.Command, _ []string) error {
		profiles, err := profilesOf(config, c.InOrStdin())
		if err != nil {
			return err
		}
		return printList(c.OutOrStdout(), c.ErrOrStderr(), profiles, asJSON, time.Now())
	}
	c.RunE = list.RunE
	show.RunE = func(c *cobra.Command, args []string) error {
		profiles, err := profilesOf(config, c.InOrStdin())
		if err != nil {
			return err
		}
		if len(args) != 1 {
			return commandline.Usage("profiles show takes the name of one profile; the profiles are %s", strings.Join(profileNames(profiles), ", "))
		}
		p, err := readProfile(args[0], profiles)
		if err != nil {
			return err
		}
		if asJSON {
			return text.WriteJSON(c.OutOrStdout(), profile.NewJSON(p, true, time.Now()), "  ")
		}
		return showProfile(c.OutOrStdout(), p, time.Now())
	}
	c.AddCommand(list, show, newCheck(), newImport(), newDecide(), newMerge(), newStart(), newDiff(), newExport())
	return c
}

// refuse refuses arguments. The name of a profile is one for show.
func refuse(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if shipped, err := gateway.ShippedProfiles(); err == nil && slices.Contains(profileNames(shipped), args[0]) {
		return commandline.Usage("%s has no command %q; did you mean: %[1]s show %[2]s?", c.CommandPath(), args[0])
	}
	return commandline.NoCommand(c, args[0])
}

// profilesOf returns the profiles of a --config; without one, the shipped ones.
func profilesOf(config string, stdin io.Reader) ([]*rules.Profile, error) {
	if config == "" {
		return gateway.ShippedProfiles()
	}
	cfg, _, err := gateway.LoadConfig(config, stdin)
	if err != nil {
		return nil, gateway.StillRuns(err)
	}
	return cfg.Profiles, nil
}

// profileNames returns the names of profiles.
func profileNames(profiles []*rules.Profile) []string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.Name
	}
	return names
}

// printList writes the list of profiles, and to warn each document that is old.
func printList(out, warn io.Writer, profiles []*rules.Profile, asJSON bool, now time.Time) error {
	if asJSON {
		list := []profile.JSON{}
		for _, p := range profiles {
			list = append(list, profile.NewJSON(p, false, now))
		}
		return text.WriteJSON(out, list, "  ")
	}
	if err := listProfiles(out, profiles); err != nil {
		return err
	}
	for _, p := range profiles {
		if profile.Old(p.Document, now) {
			fmt.Fprintln(warn, "sallyport: warning:", oldText(p, now))
		}
	}
	return nil
}
