// Preflight: the command that tries every destination that the configuration
// permits.

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

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/preflight"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials/text"
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

// preflightHelp is the help of the command preflight.
const preflightHelp = `preflight tries every destination of every rule in force, for every client. It
resolves the name with the configured upstreams and connects to each of its
addresses, IPv4 and IPv6. On port 443, and on other ports where TLS answers, it
makes a TLS handshake and checks the certificate. On port 80, and on other ports
where HTTP answers, it requests /. A step that times out is tried a second time.
For each destination that does not work, preflight prints what it observed, the
most likely cause and the remedy.

preflight asks the policy before it resolves, dials or sends anything, and it uses
the dialer of the gateway. It opens no listener and writes nothing to the journal,
so you can run it before the first start or beside a running sallyport. It ignores
HTTP_PROXY and similar variables. It trusts the certificate authorities of the
system, or those of SSL_CERT_FILE and SSL_CERT_DIR.

Destinations of features that are off are not tried. These are warnings, not
failures: some of several addresses fail; an address works at the second try,
after a timeout; a certificate is not trusted, but the address is internal, the
destination has no name, or this host has no authorities; a reset after the
ClientHello on a port other than 443; a name has more than 16 addresses, of which
16 are tried. A missing route for one address family is no failure while the other
family works; a note at the end reports it. preflight does not try, but lists: wildcards,
prefixes, ranges of more than 16 ports, rules for every protocol and port, roles
that are not bound. For a UDP destination, preflight only resolves the name.

If [listen] https is set, preflight also checks that listener: the dates of the
certificate, its names, its chain, the authorities in client_ca, the lists in
client_crl. It makes a handshake with the listener of a running sallyport, and
reports if that shows another certificate than the file has. If clients are refused
now, that counts as a failure.

If a packet filter recognises sallyport by its user, as in a sidecar, run preflight
as that user. The filter redirects the connections of any other user to sallyport,
like those of a client.

--json prints one object. "summary" counts destinations by status (ok, warning,
failed, unfinished, not_tried). Each of "destinations" has "host", "port", "proto",
"status", "problem", "detail", "likely", "cure", "needs" (the clients and rules),
"dns" and "addresses"; each address has "status", "problem", "tries" (2 if the
first timed out), "tcp", "tls" and "http". "not_tried" lists what could not be
tried, and why. "no_route" lists the address families without a route. "upstreams"
counts the answers of each resolver; "respells" is true if the resolver changes the
letter case of questions, which makes forged answers easier. "fault" is what a
person must correct before a resolver by tls:// or https:// can be asked, such as
its certificate, and "cure" is what to do; preflight asks each of them once.
"tls_listener" has "addresses", "status", "certificate" and "checks", each with
"what", "status" and "detail".

Exit status: 0 everything works, warnings included; 1 a destination or the listener
for TLS fails; 2 preflight could not run: a wrong configuration, nothing to try, or interrupted
before anything failed. Ctrl-C prints the results so far.`

// newPreflight returns the command preflight.
func newPreflight() *cobra.Command {
	var o preflightOptions
	c := &cobra.Command{
		Use:   "preflight",
		Short: "Try every destination that the configuration permits: DNS, TCP, TLS, HTTP",
		Long:  preflightHelp,
		Example: `  sallyport preflight --config /etc/sallyport/sallyport.toml
  runuser -u sallyport -- sallyport preflight --config /etc/sallyport/sallyport.toml
  docker compose exec sallyport /sallyport preflight --config /etc/sallyport/sallyport.toml
  sallyport preflight --client es-manager --host '*.sangfor.com' --timeout 10s
  sallyport preflight --json | jq '.destinations[] | select(.status == "failed") | .host, .problem'`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &o.file)
	c.Flags().StringVar(&o.client, "client", "", "try only what the [[client]] `NAME` may reach")
	c.Flags().StringArrayVar(&o.hosts, "host", nil, "try only hosts that match `GLOB`, like *.example; may be repeated")
	c.Flags().DurationVar(&o.timeout, "timeout", 5*time.Second, "the time limit for each step of a try: connect, TLS, HTTP; a `TIME` like 5s")
	c.Flags().IntVar(&o.parallel, "parallel", 16, "number of `STEPS` in parallel")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print one JSON object")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		report, err := o.run(ctx, c.InOrStdin(), c.ErrOrStderr())
		if err != nil {
			return commandline.Exit(2, err)
		}
		stop() // a second Ctrl-C also ends the printing
		if o.asJSON {
			err = text.WriteJSON(c.OutOrStdout(), report, "  ")
		} else {
			err = report.Write(c.OutOrStdout(), terminal.Color(c.OutOrStdout()))
		}
		return errors.Join(err, preflightStatus(report))
	}
	return c
}

// check returns an error for a wrong flag.
func (o *preflightOptions) check() error {
	if o.timeout < 100*time.Millisecond || o.timeout > 5*time.Minute {
		return commandline.Usage("--timeout %v is not between 100ms and 5m", o.timeout)
	}
	if o.parallel < 1 || o.parallel > 128 {
		return commandline.Usage("--parallel %d is not between 1 and 128", o.parallel)
	}
	for _, h := range o.hosts {
		if _, err := path.Match(h, ""); err != nil {
			return commandline.Usage("--host %q is not a pattern like *.example.com", h)
		}
	}
	return nil
}

// preflightStatus returns the error with the exit code of a report.
func preflightStatus(r *preflight.Report) error {
	switch {
	case r.Summary.Failed > 0, r.Listener != nil && r.Listener.Status == preflight.Failed:
		return commandline.Exit(1, nil)
	case r.Interrupted:
		return commandline.Exit(2, errors.New("interrupted: the report is not complete"))
	case r.Summary.OK+r.Summary.Warning == 0:
		return commandline.Exit(2, errors.New("no permitted destination can be tried"))
	}
	return nil
}

// run tries every destination that the flags select.
func (o *preflightOptions) run(ctx context.Context, stdin io.Reader, stderr io.Writer) (*preflight.Report, error) {
	cfg, problems, err := gateway.LoadConfig(o.file, stdin)
	if err != nil {
		return nil, err
	}
	for _, p := range problems {
		fmt.Fprintln(stderr, "sallyport:", p)
	}
	if o.client != "" && !slices.ContainsFunc(cfg.Clients, func(c *rules.Client) bool { return c.Name == o.client }) {
		return nil, fmt.Errorf("%s has no [[client]] %q; its clients are %s", cfg.File, o.client, gateway.ClientNames(cfg))
	}
	bar := terminal.NewBar(stderr)
	defer bar.Clear()
	return gateway.Probe(ctx, cfg, gateway.Probes{
		Wanted: o.wanted, Timeout: o.timeout, Parallel: o.parallel,
		Agent: "sallyport/" + version + " (preflight)", Progress: bar.Count("destinations"),
	})
}

// wanted reports whether the flags select a client's host. A role that is not bound
// has no host; it is selected if there is no --host.
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
