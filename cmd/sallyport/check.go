// Check: the command that prints every error of a configuration.

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/admin"
	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/rules/profile/lint"
)

// newCheck returns the command check.
func newCheck() *cobra.Command {
	var file, mode string
	var liveSets bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Print every error and warning of a configuration",
		Long: `check reads a configuration as run does, and prints every error and warning as
file:line: text. It starts nothing and does not use the network. It also prints the
warnings of sallyport profiles check about the profiles in [profiles] paths.

With --mode gateway, loopback addresses in [listen] transparent and dns are
errors: a gateway receives packets of other hosts, and such packets never arrive at
a loopback address. A sidecar receives its packets on loopback: use --mode sidecar.
TPROXY delivers them to loopback too; with --mode sidecar, tproxy is an error.

The configuration file, and the token, key and certificate that it names, must
belong to root or to this user, and no other user may write them. The same holds
for the directories on their paths, except directories like /tmp. Only the owner
and the group may read the token and the key. check and run report each violation
as an error. In a read-only mount of a container, a file may belong to any user, but
still only the owner and the group may read the token and the key.

Exit status: 0 if the configuration is correct, 1 if it has an error. A journal that
cannot be written is only a warning, because that depends on the host and the user.
check does not test whether the addresses in [listen] are free.`,
		Example: `  sallyport check --config /etc/sallyport/sallyport.toml
  sallyport check --config - < new.toml
  sallyport check --config sidecar.toml --mode sidecar`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &file)
	modeFlag(c, &mode)
	c.Flags().BoolVar(&liveSets, "live-sets", false, "sallyport runs with --live-sets: do not warn of datagrams to names")
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := nftables.ParseMode(mode)
		if err != nil {
			return filterError(err)
		}
		cfg, policy, problems, err := gateway.LoadToCheck(file, c.InOrStdin())
		if err != nil {
			return err
		}
		if policy != nil {
			problems = append(problems, policy.BroadRules(cfg.File)...)
			problems = append(problems, lint.Problems(lint.FromFiles(cfg.Profiles))...)
			if !liveSets {
				problems = append(problems, nftables.DatagramsToNames(cfg, policy)...)
			}
			problems = append(append(problems, nftables.DatagramsWithoutWay(cfg, policy)...), nftables.SyntheticDatagrams(cfg, policy)...)
			problems = append(append(problems, cfg.CheckPrivate(policy)...), cfg.CheckDatagrams(policy)...)
		}
		problems = append(problems, nftables.LoopbackListeners(cfg, m)...)
		problems = append(problems, nftables.TPROXYListeners(cfg, m)...)
		problems = append(problems, gateway.CheckJournal(cfg)...)
		problems = append(problems, admin.Check(cfg)...)
		problems = append(problems, gateway.ThisKeeper().CheckPermissions(cfg, file)...)
		for _, p := range problems {
			fmt.Fprintln(c.OutOrStdout(), p)
		}
		if problems.Err() != nil {
			return commandline.Exit(1, nil)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: good: %s\n", cfg.File, gateway.DescribePolicy(cfg, policy))
		return nil
	}
	return c
}
