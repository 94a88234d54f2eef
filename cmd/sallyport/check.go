// Check: every mistake of a configuration, with file and line.

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check",
		Short: "Print every error and warning of a configuration",
		Long: `check reads a configuration as run would and prints every error and warning
as file:line: text. It starts nothing and touches no network.

Exit status: 0 when run would start with it, 1 when there is an error.`,
		Example: `  sallyport check --config /etc/sallyport/sallyport.toml
  sallyport check --config - < new.toml`,
		Args: noArgs,
	}
	configFlag(c, &file)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, policy, problems, err := loadPolicy(file, c.InOrStdin())
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
		fmt.Fprintf(c.OutOrStdout(), "%s: good: %s\n", cfg.File, describePolicy(cfg, policy))
		return nil
	}
	return c
}
