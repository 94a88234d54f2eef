// Healthcheck: the command that asks a running sallyport for its state.

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/admin"
	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

// newHealthcheck returns the command healthcheck.
func newHealthcheck() *cobra.Command {
	var file string
	var ready bool
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running sallyport whether it works",
		Long: `healthcheck asks the admin listener of the configuration for /healthz. With
--ready it asks for /readyz: whether the policy of the file is in force, the
journal can be written and an upstream resolver answers. healthcheck ignores
errors elsewhere in the configuration, because sallyport may run well while you
edit its file.

Exit status: 0 if sallyport works, else 1.`,
		Example: `  sallyport healthcheck
  sallyport healthcheck --ready --config /etc/sallyport/sallyport.toml`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &file)
	c.Flags().BoolVar(&ready, "ready", false, "ask for /readyz and print the answer")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, dir, data, err := gateway.ReadConfig(file, c.InOrStdin())
		if err != nil {
			return err
		}
		// The rest of the configuration may have errors.
		listen, access, err := site.AdminOf(name, dir, data)
		if err != nil {
			return err
		}
		path := "/healthz"
		if ready {
			path = "/readyz"
		}
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		body, err := askAdmin(ctx, listen, access, path)
		if body != "" && (ready || err != nil) {
			fmt.Fprint(c.OutOrStdout(), body)
		}
		return err
	}
	return c
}

// askAdmin returns one page of the admin listener.
func askAdmin(ctx context.Context, listen string, access site.Admin, path string) (string, error) {
	network, addr := "tcp", listen
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", socket
	}
	scheme := "http"
	if access.TLSCert != "" {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		// The listener belongs to this host, and its certificate need not be for
		// localhost. The token goes to this listener only.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost"+path, nil)
	if err != nil {
		return "", err
	}
	if access.TokenFile != "" {
		token, err := admin.ReadToken(access.TokenFile)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("no sallyport answers on %s: %w", listen, gateway.RootCause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return string(body), err
}
