// Explain: the command that asks the policy about a destination.

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/site"
)

// newExplain returns the command explain.
func newExplain() *cobra.Command {
	var file, client, from, identity string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain {PROTO HOST PORT | -}",
		Short: "Print whether and by which rule a destination is permitted, or what would permit it",
		Long: `explain asks the policy of a configuration whether a client may reach a
destination, with the same code as a running sallyport. It does not use the
network: for a name in [hosts] it judges the addresses given there, for any other
name only the name. The addresses of the configuration's listeners, parents and
sinks are denied as self; of a parent or sink with a name, those in [hosts]. If one
of them is on the gateway's host, each address of that host is denied too.
A synthetic address stands for its name, and of a name explain prints the synthetic
addresses that the client gets.

PROTO is tcp or udp, HOST is a name or an address, PORT is a number. With "-",
explain reads lines "PROTO HOST PORT" from standard input, and prints one JSON
object for each line: {"verdict","reason","rule","source","nearest","hint"}; a
rule of a profile from a file adds "provenance": its revision and its document; a
rule that expires adds "expires": its last day in UTC, or the instant; a name with
synthetic addresses adds "synthetic": the name and its addresses; a permitted name
whose addresses DNSSEC must prove adds "dnssec": "log" or "require"; a denial that
a [[known]] covers adds "known".

Exit status: 0 allow, 1 deny, 2 if explain cannot answer. With "-": 0, or 2 if
explain cannot answer a line; for that line it prints {"error"}.`,
		Example: `  sallyport explain tcp license.sangfor.com 443
  sallyport explain --config site.toml --client es-manager tcp update1.sangfor.net 80
  sallyport explain --config site.toml --from 10.20.30.40 --json tcp 10.20.30.50 443
  sallyport explain --config site.toml --from 10.20.30.40 --identity user:alice tcp example.com 443
  printf 'tcp upd.sangfor.com 443\ntcp evil.example 443\n' | sallyport explain --json -`,
	}
	commandline.ConfigFlag(c, &file)
	c.Flags().StringVar(&client, "client", "", "ask as the [[client]] `NAME`")
	c.Flags().StringVar(&from, "from", "", "ask as the client that connects from `ADDR`")
	c.Flags().StringVar(&identity, "identity", "", "ask as a client that has proven `ID`: user:NAME, DNS:NAME, CN=TEXT or a URI")
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		batch := len(args) == 1 && args[0] == "-"
		if meant := gateway.Meant(args); !batch && len(args) != 3 && meant != "" {
			return commandline.Usage("explain takes PROTO HOST PORT; did you mean: sallyport explain %s?", meant)
		} else if !batch && len(args) != 3 {
			return commandline.Usage("explain takes PROTO HOST PORT, like: sallyport explain tcp license.sangfor.com 443")
		}
		if batch && file == "-" {
			return commandline.Usage("standard input can be the configuration or the questions, not both")
		}
		cfg, policy, err := gateway.LoadToExplain(file, c.InOrStdin(), c.ErrOrStderr())
		if err != nil {
			return commandline.Exit(2, gateway.StillRuns(err))
		}
		addr, err := gateway.ClientAddress(cfg, policy, client, from)
		if err != nil {
			return commandline.Exit(2, err)
		}
		proven, err := gateway.ClientIdentity(cfg, client, from, identity)
		if err != nil {
			return commandline.Exit(2, err)
		}
		as := rules.Attempt{Client: netip.AddrPortFrom(addr, 0), Identity: proven}
		if batch {
			return explainBatch(cfg, policy, as, c.InOrStdin(), c.OutOrStdout())
		}
		return explainOne(cfg, policy, as, args, asJSON, c.OutOrStdout())
	}
	return c
}

// explainOne answers one question.
func explainOne(cfg *site.Config, policy *rules.Policy, as rules.Attempt, args []string, asJSON bool, out io.Writer) error {
	a, err := gateway.ParseQuestion(as.Client.Addr(), args)
	if err != nil {
		return commandline.Usage("%v", err)
	}
	a.Identity = as.Identity
	a, d := cfg.Ask(policy, a)
	e := explainAttempt(cfg, policy, a, d)
	if asJSON {
		if err := text.WriteJSON(out, e, ""); err != nil {
			return err
		}
	} else {
		printExplanation(out, cfg, args, d, e)
	}
	if !d.Allowed() {
		return commandline.Exit(1, nil)
	}
	return nil
}

// explainBatch answers one question for each line of in.
func explainBatch(cfg *site.Config, policy *rules.Policy, as rules.Attempt, in io.Reader, out io.Writer) error {
	w := bufio.NewWriter(out)
	bad := 0
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		err := fmt.Errorf("a question is PROTO HOST PORT, not %q", lines.Text())
		var a rules.Attempt
		if len(fields) == 3 {
			a, err = gateway.ParseQuestion(as.Client.Addr(), fields)
		}
		var answer any = map[string]string{"error": fmt.Sprint(err)}
		if err == nil {
			a.Identity = as.Identity
			asked, d := cfg.Ask(policy, a)
			answer = explainAttempt(cfg, policy, asked, d)
		} else {
			bad++
		}
		if err := text.WriteJSON(w, answer, ""); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return commandline.Exit(2, fmt.Errorf("cannot read the questions: %w", err))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return commandline.Exit(2, fmt.Errorf("%d of the questions have no answer", bad))
	}
	return nil
}
