// Explain: asks the policy of a configuration about a destination, aloud.

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/denials"
	"sallyport/rules"
	"sallyport/rules/site"
)

func newExplain() *cobra.Command {
	var file, client, from string
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain {PROTO HOST PORT | -}",
		Short: "Say whether a destination is permitted, by which rule, or what would permit it",
		Long: `explain asks the policy of a configuration, exactly as a running sallyport
would, whether a client may reach a destination. It touches no network: a name
of [hosts] is judged by its addresses there, and any other by itself. What the
listeners of the configuration are reached by is denied as self, on the
gateway's host at each address of its interfaces.

PROTO is tcp or udp, HOST a name or an address, PORT a number. With "-" it
reads lines "PROTO HOST PORT" from standard input and prints one JSON object a
line: {"verdict","reason","rule","source","nearest","hint"}.

Exit status: 0 allow, 1 deny, 2 cannot be asked. With "-": 0, or 2 when a line
cannot be asked; that line's answer is {"error"}.`,
		Example: `  sallyport explain tcp license.sangfor.com 443
  sallyport explain --config site.toml --client es-manager tcp update1.sangfor.net 80
  sallyport explain --config site.toml --from 10.20.30.40 --json tcp 10.20.30.50 443
  printf 'tcp upd.sangfor.com 443\ntcp evil.example 443\n' | sallyport explain --json -`,
	}
	configFlag(c, &file)
	c.Flags().StringVar(&client, "client", "", "ask as the [[client]] `NAME`")
	c.Flags().StringVar(&from, "from", "", "ask as whoever connects from `ADDR`")
	c.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		batch := len(args) == 1 && args[0] == "-"
		if !batch && len(args) != 3 {
			return usageError("explain takes PROTO HOST PORT, like: sallyport explain tcp license.sangfor.com 443")
		}
		if batch && file == "-" {
			return usageError("standard input cannot be both the configuration and the questions")
		}
		cfg, policy, _, err := gateway.LoadPolicy(file, c.InOrStdin())
		if err != nil {
			return &exitError{2, err}
		}
		addr, err := gateway.ClientAddress(cfg, policy, client, from)
		if err != nil {
			return &exitError{2, err}
		}
		if batch {
			return explainBatch(cfg, policy, addr, c.InOrStdin(), c.OutOrStdout())
		}
		return explainOne(cfg, policy, addr, args, asJSON, c.OutOrStdout())
	}
	return c
}

// question turns PROTO HOST PORT into the attempt that a front end would make.
// A host that is no name is a question too: its answer is malformed_name.
func question(from netip.Addr, fields []string) (rules.Attempt, error) {
	a := rules.Attempt{Client: netip.AddrPortFrom(from, 0), Provisional: true}
	switch strings.ToLower(fields[0]) {
	case "tcp":
		a.Proto, a.Via = rules.TCP, rules.ViaConnect
	case "udp":
		a.Proto, a.Via = rules.UDP, rules.ViaUDP
	default:
		return a, fmt.Errorf("protocol %q is neither tcp nor udp", fields[0])
	}
	port, err := rules.ParsePort(fields[2])
	if err != nil {
		return a, err
	}
	text := fields[1]
	if in, ok := strings.CutPrefix(text, "["); ok && strings.Contains(in, ":") {
		text = strings.TrimSuffix(in, "]") // [::1], as people copy it
	}
	host, err := rules.ParseHost(text)
	if err != nil {
		a.Fault, a.Detail, a.Raw = rules.MalformedName, err.Error(), []byte(fields[1])
	}
	a.Authority, a.Dest = host.Name, netip.AddrPortFrom(host.Addr, port)
	return a, nil
}

// decideAll asks, of a name that is permitted, about each address that [hosts]
// gives it: the gateway reaches the name if it reaches one of them.
func decideAll(cfg *site.Config, policy *rules.Policy, a rules.Attempt) (rules.Attempt, rules.Decision) {
	asked, d := a, policy.Decide(a)
	if !d.Allowed() || a.Authority.IsZero() {
		return asked, d
	}
	for _, addr := range cfg.Hosts[a.Authority] {
		asked.Dest = netip.AddrPortFrom(addr, a.Dest.Port())
		if d = policy.Decide(asked); d.Allowed() {
			break
		}
	}
	return asked, d
}

// explanation is the answer as explain --json prints it.
type explanation struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	Rule    string `json:"rule"`
	Source  string `json:"source"`
	Nearest string `json:"nearest"`
	Hint    string `json:"hint"`
}

func explainAttempt(a rules.Attempt, d rules.Decision) explanation {
	e := explanation{Verdict: d.Text(), Reason: d.Why().String(), Hint: rules.Hint(a, d)}
	if d.Rule != nil {
		e.Rule, e.Source = d.Rule.String(), d.Rule.Source()
	}
	if d.Nearest != nil {
		e.Nearest, e.Source = d.Nearest.String(), d.Nearest.Source()
	}
	return e
}

func explainOne(cfg *site.Config, policy *rules.Policy, from netip.Addr, args []string, asJSON bool, out io.Writer) error {
	a, err := question(from, args)
	if err != nil {
		return usageError("%v", err)
	}
	a, d := decideAll(cfg, policy, a)
	e := explainAttempt(a, d)
	if asJSON {
		if err := denials.WriteJSON(out, e, ""); err != nil {
			return err
		}
	} else {
		printExplanation(out, cfg, args, d, e)
	}
	if !d.Allowed() {
		return &exitError{1, nil}
	}
	return nil
}

func explainBatch(cfg *site.Config, policy *rules.Policy, from netip.Addr, in io.Reader, out io.Writer) error {
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
			a, err = question(from, fields)
		}
		var answer any = map[string]string{"error": fmt.Sprint(err)}
		if err == nil {
			answer = explainAttempt(decideAll(cfg, policy, a))
		} else {
			bad++
		}
		if err := denials.WriteJSON(w, answer, ""); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return &exitError{2, fmt.Errorf("cannot read the questions: %w", err)}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return &exitError{2, fmt.Errorf("%d of the questions cannot be asked", bad)}
	}
	return nil
}

func printExplanation(out io.Writer, cfg *site.Config, args []string, d rules.Decision, e explanation) {
	fmt.Fprint(out, e.Verdict)
	if e.Reason != "" {
		fmt.Fprint(out, ": ", e.Reason)
	}
	fmt.Fprintln(out)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(out, "  %-8s %s\n", name, printable(text))
		}
	}
	row("asked", strings.Join(args, " "))
	row("config", cfg.File)
	row("client", gateway.DescribeClient(d.Client))
	row("rule", e.Rule)
	if d.Rule != nil {
		row("purpose", d.Rule.Purpose)
	}
	row("nearest", e.Nearest)
	row("source", e.Source)
	if d.Reason != rules.ReasonNone {
		row("meaning", d.Why().Help())
	}
	row("hint", e.Hint)
}

// printable makes text one line that a terminal only shows.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
