// Preflight: the command that tries what the configuration permits.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/preflight"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials"
	"sallyport/rules"
)

// preflightOptions are the flags.
type preflightOptions struct {
	file, client string
	hosts        []string
	timeout      time.Duration
	parallel     int
	asJSON       bool
}

func newPreflight() *cobra.Command {
	var o preflightOptions
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Try every destination that the configuration permits: DNS, TCP, TLS, HTTP",
		Long: `preflight tries, for every client and every rule in force, each destination
that can be named: it resolves the name with the configured upstreams, connects
to each of its addresses, IPv4 and IPv6, shakes hands in TLS and looks at the
certificate (port 443, and other ports where TLS answers), and asks for / in
HTTP (port 80, and other ports where HTTP answers). What times out is tried
twice. It says what works and, for the rest, what was seen, what it most likely
is and what to do.

It asks the policy before it resolves, dials or sends anything, goes out by the
gateway's own dialer, opens no listener, and writes nothing into the journal, so
that it runs before the first start as well as beside a sallyport that serves.
HTTP_PROXY and the like are ignored. Authorities are those of the system;
SSL_CERT_FILE and SSL_CERT_DIR name others.

Every rule in force is required: what a feature that is off documents is not
tried. These are warnings and no failures: some addresses of several fail; an
address works at the second try, after one that timed out; a certificate that is
not trusted, at an internal address or a host without a name, or where this host
has no authorities; a reset after the ClientHello on other ports than 443; more
than 16 addresses of a name, of which 16 are tried. A family that this host has
no route for is no failure while the other works, and is noted once, at the end.
Listed as not tried: wildcards, prefixes, more than 16 ports in a row, every
protocol and port, parties that are not bound, and UDP, of which only the name
is resolved.

Where a packet filter knows sallyport by its user, as in a sidecar, run it as
that user; as anybody else it is redirected into sallyport like a client.

With --json it prints one object: "summary" counts destinations by status (ok,
warning, failed, unfinished, not_tried); each of "destinations" has "host",
"port", "proto", "status", "problem", "detail", "likely", "cure", "needs" (the
clients and rules), "dns", and "addresses", each with "status", "problem", "tries"
(2, where the first timed out), "tcp", "tls" and "http"; "not_tried" has what
could not be tried, and why; "no_route" the families that this host has no route
for; "upstreams" how often each resolver answered, and "respells" where it changes
the letter case of questions, so that its answers are easier to forge.

Exit status: 0 everything works, warnings included; 1 something fails; 2 it
could not be asked: a wrong configuration, nothing to try, interrupted before
anything failed. Ctrl-C prints what is known so far.`,
		Example: `  sallyport preflight --config /etc/sallyport/sallyport.toml
  runuser -u sallyport -- sallyport preflight --config /etc/sallyport/sallyport.toml
  docker compose exec sallyport /sallyport preflight --config /etc/sallyport/sallyport.toml
  sallyport preflight --client es-manager --host '*.sangfor.com' --timeout 10s
  sallyport preflight --json | jq '.destinations[] | select(.status == "failed") | .host, .problem'`,
		Args: noArgs,
	}
	configFlag(c, &o.file)
	c.Flags().StringVar(&o.client, "client", "", "try only what the [[client]] `NAME` may reach")
	c.Flags().StringArrayVar(&o.hosts, "host", nil, "try only hosts that match `GLOB`, like *.example; may be repeated")
	c.Flags().DurationVar(&o.timeout, "timeout", 5*time.Second, "the longest `TIME` for each step of a try: connecting, TLS, HTTP")
	c.Flags().IntVar(&o.parallel, "parallel", 16, "`STEPS` at once")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print one JSON object")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		report, err := o.run(ctx, c.InOrStdin(), c.ErrOrStderr())
		if err != nil {
			return &exitError{2, err}
		}
		stop() // a second Ctrl-C ends the printing, too
		if o.asJSON {
			err = denials.WriteJSON(c.OutOrStdout(), report, "  ")
		} else {
			err = report.Write(c.OutOrStdout(), terminal.Color(c.OutOrStdout()))
		}
		return errors.Join(err, preflightStatus(report))
	}
	return c
}

// check refuses flags that make no sense.
func (o *preflightOptions) check() error {
	if o.timeout < 100*time.Millisecond || o.timeout > 5*time.Minute {
		return usageError("--timeout %v is not between 100ms and 5m", o.timeout)
	}
	if o.parallel < 1 || o.parallel > 128 {
		return usageError("--parallel %d is not between 1 and 128", o.parallel)
	}
	for _, h := range o.hosts {
		if _, err := path.Match(h, ""); err != nil {
			return usageError("--host %q is not a pattern like *.example.com", h)
		}
	}
	return nil
}

// preflightStatus is the exit code of a report.
func preflightStatus(r *preflight.Report) error {
	switch {
	case r.Summary.Failed > 0:
		return &exitError{1, nil}
	case r.Interrupted:
		return &exitError{2, errors.New("interrupted: this is not all")}
	case r.Summary.OK+r.Summary.Warning == 0:
		return &exitError{2, errors.New("nothing of what is permitted can be tried")}
	}
	return nil
}

// run tries everything.
func (o *preflightOptions) run(ctx context.Context, stdin io.Reader, stderr io.Writer) (*preflight.Report, error) {
	cfg, problems, err := gateway.LoadConfig(o.file, stdin)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, "sallyport:", p)
	}
	if o.client != "" && !slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool { return c.Name == o.client }) {
		return nil, fmt.Errorf("%s has no [[client]] %q; there are %s", cfg.File, o.client, gateway.ClientNames(cfg))
	}
	bar := terminal.NewBar(stderr)
	defer bar.Clear()
	return gateway.Probe(ctx, cfg, gateway.Probes{
		Wanted: o.wanted, Timeout: o.timeout, Parallel: o.parallel,
		Agent: "sallyport/" + version + " (preflight)", Progress: bar.Count("destinations"),
	})
}

// wanted tells whether the flags let a client's host be tried. What has no host
// yet, an unbound party, belongs to a whole run only.
func (o *preflightOptions) wanted(client, host string) bool {
	if o.client != "" && client != o.client {
		return false
	}
	if len(o.hosts) == 0 {
		return true
	}
	return slices.ContainsFunc(o.hosts, func(glob string) bool {
		ok, err := path.Match(glob, host)
		return ok && err == nil
	})
}
