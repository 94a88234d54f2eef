// Nft: prints the packet filter that makes sallyport the only way out.

package main

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules"
	"sallyport/rules/site"
)

// filterMode is where a packet filter stands.
type filterMode string

const (
	gatewayMode filterMode = "gateway" // routes for clients: packets are forwarded
	sidecarMode filterMode = "sidecar" // shares a network namespace with the application: packets are its output
)

// filterOptions are what the configuration does not say.
type filterOptions struct {
	mode       filterMode
	user       string         // sidecar: whose traffic is sallyport's own
	local      []netip.Prefix // routed without being looked at
	masquerade bool
	dhcp       bool
	neighbours []neighbour        // gateway: whose packets have which link-layer address
	table      bool               // and those of the kernel's neighbour table
	interfaces []interfaceBinding // gateway: whose packets come by which interface
}

func newNFT() *cobra.Command {
	var file, mode, counters string
	var local, neighbours, interfaces []string
	var o filterOptions
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
	c.Flags().StringVar(&o.user, "user", "sallyport", "sidecar: the `USER`, name or number, that sallyport and nothing else runs as")
	c.Flags().StringArrayVar(&local, "local", nil, "a `PREFIX` of the site that clients reach without sallyport, in both directions; may be repeated; default: none")
	c.Flags().StringArrayVar(&neighbours, "neighbour", nil, "gateway: take a client's packets from its link-layer address only: `ADDRESS=MAC`, of a prefix the router's, or \"table\": as the kernel's neighbour table has it now; may be repeated")
	c.Flags().StringArrayVar(&interfaces, "interface", nil, "gateway: take a client's packets by one interface only: `ADDRESS=NAME`, or a prefix; may be repeated; default: the one that leads to it")
	c.Flags().BoolVar(&o.masquerade, "masquerade", false, "gateway: give forwarded datagrams the gateway's address")
	c.Flags().BoolVar(&o.dhcp, "dhcp", false, "sidecar: let DHCP clients ask on the link")
	c.Flags().StringVar(&counters, "counters", "", "print no ruleset: add what the loaded one has counted to `FILE`, for sallyport run --filter-counters; needs CAP_NET_ADMIN")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if counters != "" {
			return exportCounters(counters)
		}
		var err error
		if o.mode, err = parseMode(mode); err != nil {
			return err
		}
		if o.local, err = parsePrefixes("--local", local); err != nil {
			return err
		}
		if err = o.bindings(neighbours, interfaces); err != nil {
			return err
		}
		if !userPattern.MatchString(o.user) {
			return usageError("--user %q is neither a user name nor a number", o.user)
		}
		cfg, problems, err := gateway.LoadConfig(file, c.InOrStdin())
		if err != nil {
			return err
		}
		for _, p := range problems {
			fmt.Fprintln(c.ErrOrStderr(), "sallyport:", p)
		}
		policy, _ := rules.Compile(&cfg.Spec, gateway.OwnAddresses(cfg.Listen, nil), time.Now())
		plan, err := planFilter(cfg, policy, o)
		if err != nil {
			return err
		}
		for _, w := range plan.Warnings {
			fmt.Fprintln(c.ErrOrStderr(), "sallyport: warning:", w)
		}
		return plan.render(c.OutOrStdout())
	}
	return c
}

// userPattern is what may follow skuid: a number, or a name as useradd makes it.
var userPattern = regexp.MustCompile(`^([0-9]{1,10}|[a-z_][a-z0-9_-]{0,31})$`)

// modeFlag is the --mode of the commands that know both.
func modeFlag(c *cobra.Command, mode *string) {
	c.Flags().StringVar(mode, "mode", string(gatewayMode), "`MODE`: gateway or sidecar")
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{string(gatewayMode), string(sidecarMode)}, cobra.ShellCompDirectiveNoFileComp))
}

func parseMode(s string) (filterMode, error) {
	switch m := filterMode(s); m {
	case gatewayMode, sidecarMode:
		return m, nil
	}
	return "", usageError("--mode %q is neither gateway nor sidecar", s)
}

// parsePrefixes reads addresses and prefixes without host bits.
func parsePrefixes(flag string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil && a.Zone() == "" {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			return nil, usageError("%s %q is not an address or a prefix like 10.20.0.0/16", flag, s)
		}
		if bits := site.UsualLength(p.Addr()); bits > 0 && !strings.Contains(s, "/") {
			return nil, usageError("%s %s is one address, and ends like that of a network: say %s/%d, or whatever its prefix length is; %s/%d is this address alone", flag, s, s, bits, s, p.Bits())
		}
		out = append(out, p)
	}
	return out, nil
}
