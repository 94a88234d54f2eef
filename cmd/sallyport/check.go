// Check: every mistake of a configuration, with file and line.

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
)

func newCheck() *cobra.Command {
	var file, mode string
	c := &cobra.Command{
		Use:   "check",
		Short: "Print every error and warning of a configuration",
		Long: `check reads a configuration as run would and prints every error and warning
as file:line: text. It starts nothing and touches no network.

A gateway gets the packets of others, and none of those at a loopback address:
there, [listen] transparent and dns are errors. A sidecar gets its packets on
loopback: say --mode sidecar.

The configuration, and the token, key and certificate that it names, must be
root's or this user's, and for nobody else to write; so must the directories
that lead there, but for ones like /tmp. Token and key must not be readable for
everybody. These are errors of check and run, as sshd has them. What a container
has mounted read-only is exempt from all but the last.

Exit status: 0 when the configuration is right, 1 when there is an error. What
depends on the host and the user that run it, such as whether the journal can
be written and addresses are free to listen on, is a warning or not looked at.`,
		Example: `  sallyport check --config /etc/sallyport/sallyport.toml
  sallyport check --config - < new.toml
  sallyport check --config sidecar.toml --mode sidecar`,
		Args: noArgs,
	}
	configFlag(c, &file)
	modeFlag(c, &mode)
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := nftables.ParseMode(mode)
		if err != nil {
			return filterError(err)
		}
		cfg, policy, problems, err := gateway.LoadPolicy(file, c.InOrStdin())
		if err == nil {
			problems = append(problems, nftables.LoopbackListeners(cfg, m)...)
			problems = append(problems, gateway.CheckJournal(cfg)...)
			problems = append(problems, gateway.ThisKeeper().CheckPermissions(cfg, file)...)
		}
		for _, p := range problems {
			fmt.Fprintln(c.OutOrStdout(), p)
		}
		switch {
		case problems.Err() != nil:
			return &exitError{1, nil}
		case err != nil:
			return err
		}
		if err := checkReferences(cfg); err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: good: %s\n", cfg.File, gateway.DescribePolicy(cfg, policy))
		return nil
	}
	return c
}
