// Nft: prints the packet filter that makes sallyport the only way out.

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/rules"
)

// nftHelp is the help of the command nft.
const nftHelp = `nft prints a complete ruleset for a configuration. The ruleset drops everything
except traffic to sallyport and documented traffic that no proxy can carry. nft
only prints the ruleset. Load it now, and after each change of the configuration:

  sallyport nft --config FILE >ruleset.nft && nft -f ruleset.nft

The ruleset replaces its own table, inet sallyport, in one transaction, and changes
no other table. It stays in force when sallyport ends: then no traffic gets out.

Use --mode gateway for a host that routes for its clients, and --mode sidecar for a
network namespace that sallyport shares with the application.

A gateway redirects TCP to [listen] transparent and forwards documented UDP, or it
gives both with TPROXY to [listen] tproxy. It uses TPROXY with --tproxy, or if
transparent is empty. TPROXY needs routes, which are no part of a ruleset. --routes
prints the commands for them instead of the ruleset. They can run again without harm:

  sallyport nft --routes --config FILE | sh

A gateway accepts a packet only on the interface that leads back to its sender.
Still, a host in the network of a client can forge the client's address, for
datagrams that need no answer. --neighbour accepts packets of a client only from
its link-layer address. --neighbour helps little if a switch lets every port use
any link-layer address.

The ruleset counts what it drops, by client and destination. sallyport itself may
not read these counters. Run nft --counters FILE as root every few seconds, and
before each load of the ruleset: it writes the counters to FILE, and sallyport run
--filter-counters FILE records them in the journal.

Exit status: 0; 1 if the configuration has no listener to redirect to; 3 if
[listen] transparent and tproxy are empty: a proxy alone needs no packet filter.`

// newNFT returns the command nft.
func newNFT() *cobra.Command {
	var file, mode, counters string
	var local, neighbours, interfaces []string
	var routes bool
	var o nftables.Options
	c := &cobra.Command{
		Use:   "nft",
		Short: "Print the packet filter that belongs to a configuration, for nft -f",
		Long:  nftHelp,
		Example: `  sallyport nft --config /etc/sallyport/sallyport.toml | less
  sallyport nft --config sallyport.toml --local 10.20.0.0/16
  sallyport nft --config sallyport.toml --neighbour 10.20.30.40=52:54:00:12:34:56
  sallyport nft --config sallyport.toml --mode sidecar --user 65532
  sallyport nft --config sallyport.toml --tproxy
  sallyport nft --config sallyport.toml --tproxy --routes | sh`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &file)
	modeFlag(c, &mode)
	c.Flags().StringVar(&o.User, "user", "sallyport", "sidecar: the `USER`, by name or number, that only sallyport runs as")
	c.Flags().StringArrayVar(&local, "local", nil, "a `PREFIX` that clients reach without sallyport, in both directions; may be repeated; default: none")
	c.Flags().StringArrayVar(&neighbours, "neighbour", nil, "gateway: accept a client's packets only from its link-layer address: `ADDRESS=MAC`, or PREFIX=MAC with the address of the router, or \"table\" for the kernel's neighbour table; may be repeated")
	c.Flags().StringArrayVar(&interfaces, "interface", nil, "gateway: accept a client's packets only on one interface: `ADDRESS=NAME` or PREFIX=NAME; may be repeated; default: the interface that leads to the client")
	c.Flags().BoolVar(&o.TPROXY, "tproxy", false, "gateway: give TCP and UDP to [listen] tproxy unchanged, also if [listen] transparent has an address")
	c.Flags().BoolVar(&routes, "routes", false, "print no ruleset, but the commands for the routes that TPROXY needs; no commands if the ruleset does not use TPROXY")
	c.Flags().BoolVar(&o.Masquerade, "masquerade", false, "gateway: give forwarded datagrams the gateway's address as source")
	c.Flags().BoolVar(&o.DHCP, "dhcp", false, "sidecar: permit DHCP on the link")
	c.Flags().StringVar(&counters, "counters", "", "print no ruleset, but write the counters of the loaded ruleset to `FILE`, for sallyport run --filter-counters; needs CAP_NET_ADMIN")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if counters != "" {
			return nftables.ExportCounters(counters)
		}
		if err := readOptions(&o, mode, local, neighbours, interfaces); err != nil {
			return filterError(err)
		}
		cfg, problems, err := gateway.LoadConfig(file, c.InOrStdin())
		if err != nil {
			return err
		}
		for _, p := range problems {
			fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
		}
		policy, _ := rules.Compile(&cfg.Spec, gateway.OwnAddresses(cfg.Listen, nil), time.Now())
		plan, err := nftables.NewPlan(cfg, policy, o)
		if err != nil {
			return filterError(err)
		}
		if routes {
			return plan.RenderRoutes(c.OutOrStdout())
		}
		for _, w := range plan.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "sallyport: warning:", w)
		}
		return plan.Render(c.OutOrStdout())
	}
	return c
}

// readOptions parses the flags whose values are texts.
func readOptions(o *nftables.Options, mode string, local, neighbours, interfaces []string) (err error) {
	if o.Mode, err = nftables.ParseMode(mode); err != nil {
		return err
	}
	if o.Local, err = nftables.ParsePrefixes("--local", local); err != nil {
		return err
	}
	return o.Bind(neighbours, interfaces)
}

// modeFlag adds the flag --mode to a command that accepts both modes.
func modeFlag(c *cobra.Command, mode *string) {
	c.Flags().StringVar(mode, "mode", string(nftables.Gateway), "`MODE`: gateway or sidecar")
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{string(nftables.Gateway), string(nftables.Sidecar)}, cobra.ShellCompDirectiveNoFileComp))
}

// filterError adds the exit code to an error of the packet filter.
func filterError(err error) error {
	var option *nftables.OptionError
	switch {
	case errors.As(err, &option):
		return commandline.Exit(2, err)
	case errors.Is(err, nftables.ErrNoTransparentListener):
		return commandline.Exit(noFilterNeeded, err)
	}
	return err
}

// noFilterNeeded is the exit code for a configuration that needs no packet filter.
const noFilterNeeded = 3
