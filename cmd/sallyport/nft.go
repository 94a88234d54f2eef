// Nft: prints the packet filter that makes sallyport the only way out.

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/rules"
)

func newNFT() *cobra.Command {
	var file, mode, counters string
	var local, neighbours, interfaces []string
	var o nftables.Options
	c := &cobra.Command{
		Use:   "nft",
		Short: "Print the packet filter that belongs to a configuration, for nft -f",
		Long: `nft prints one complete ruleset, computed from a configuration: everything is
dropped except what comes to sallyport and what its documents leave to no
proxy. It prints only; to load it, and to load it again after a change:

  sallyport nft --config FILE >ruleset.nft && nft -f ruleset.nft

The ruleset replaces its own table, inet sallyport, in one transaction and
touches no other. It stays when sallyport ends: then nothing gets out.

--mode gateway is for a host that routes for its clients, --mode sidecar for a
network namespace that sallyport shares with the application.

On a gateway a packet is taken by the interface that leads back to its sender,
and by no other. A host on the client's own network can still forge its address,
for datagrams that need no answer: --neighbour takes a client's packets from its
link-layer address alone. A switch that lets every port have any of those makes
it worth little.

What it drops it counts, by client and destination. sallyport itself may not
read that: --counters, run as root every few seconds and before each load of
the ruleset, writes it to a file, from which sallyport run --filter-counters
takes it into the journal.

Exit status: 0; 1 when the configuration has nothing to redirect to; 3 when
[listen] transparent is empty: a proxy alone needs no packet filter.`,
		Example: `  sallyport nft --config /etc/sallyport/sallyport.toml | less
  sallyport nft --config sallyport.toml --local 10.20.0.0/16
  sallyport nft --config sallyport.toml --neighbour 10.20.30.40=52:54:00:12:34:56
  sallyport nft --config sallyport.toml --mode sidecar --user 65532`,
		Args: noArgs,
	}
	configFlag(c, &file)
	modeFlag(c, &mode)
	c.Flags().StringVar(&o.User, "user", "sallyport", "sidecar: the `USER`, name or number, that sallyport and nothing else runs as")
	c.Flags().StringArrayVar(&local, "local", nil, "a `PREFIX` of the site that clients reach without sallyport, in both directions; may be repeated; default: none")
	c.Flags().StringArrayVar(&neighbours, "neighbour", nil, "gateway: take a client's packets from its link-layer address only: `ADDRESS=MAC`, of a prefix the router's, or \"table\": as the kernel's neighbour table has it now; may be repeated")
	c.Flags().StringArrayVar(&interfaces, "interface", nil, "gateway: take a client's packets by one interface only: `ADDRESS=NAME`, or a prefix; may be repeated; default: the one that leads to it")
	c.Flags().BoolVar(&o.Masquerade, "masquerade", false, "gateway: give forwarded datagrams the gateway's address")
	c.Flags().BoolVar(&o.DHCP, "dhcp", false, "sidecar: let DHCP clients ask on the link")
	c.Flags().StringVar(&counters, "counters", "", "print no ruleset: add what the loaded one has counted to `FILE`, for sallyport run --filter-counters; needs CAP_NET_ADMIN")
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
		for _, w := range plan.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "sallyport: warning:", w)
		}
		return plan.Render(c.OutOrStdout())
	}
	return c
}

// readOptions reads the flags that are texts.
func readOptions(o *nftables.Options, mode string, local, neighbours, interfaces []string) (err error) {
	if o.Mode, err = nftables.ParseMode(mode); err != nil {
		return err
	}
	if o.Local, err = nftables.ParsePrefixes("--local", local); err != nil {
		return err
	}
	return o.Bind(neighbours, interfaces)
}

// modeFlag is the --mode of the commands that know both.
func modeFlag(c *cobra.Command, mode *string) {
	c.Flags().StringVar(mode, "mode", string(nftables.Gateway), "`MODE`: gateway or sidecar")
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{string(nftables.Gateway), string(nftables.Sidecar)}, cobra.ShellCompDirectiveNoFileComp))
}

// filterError gives an error of the packet filter its exit code.
func filterError(err error) error {
	var option *nftables.OptionError
	switch {
	case errors.As(err, &option):
		return &exitError{2, err}
	case errors.Is(err, nftables.ErrNoTransparentListener):
		return &exitError{noFilterNeeded, err}
	}
	return err
}

// noFilterNeeded is the exit code for a configuration that wants no packet filter.
const noFilterNeeded = 3
