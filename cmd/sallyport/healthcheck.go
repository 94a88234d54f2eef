// Healthcheck: asks a running sallyport how it is, for Docker and systemd.

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

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

func newHealthcheck() *cobra.Command {
	var file string
	var ready bool
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running sallyport whether it is well",
		Long: `healthcheck asks /healthz on the admin listener of the configuration, or
/readyz with --ready: whether the file's policy is in force, the journal can be
written and an upstream resolver answers. Mistakes elsewhere in the configuration do not
matter to it: the running process may be well while its file is being edited.

Exit status: 0 well, 1 not.`,
		Example: `  sallyport healthcheck
  sallyport healthcheck --ready --config /etc/sallyport/sallyport.toml`,
		Args: noArgs,
	}
	configFlag(c, &file)
	c.Flags().BoolVar(&ready, "ready", false, "ask /readyz and print what it says")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, dir, data, err := gateway.ReadConfig(file, c.InOrStdin())
		if err != nil {
			return err
		}
		// Not the whole configuration: a broken file stops no running process.
		listen, admin, err := site.AdminOf(name, dir, data)
		if err != nil {
			return err
		}
		path := "/healthz"
		if ready {
			path = "/readyz"
		}
		ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
		defer cancel()
		body, err := askAdmin(ctx, listen, admin, path)
		if body != "" && (ready || err != nil) {
			fmt.Fprint(c.OutOrStdout(), body)
		}
		return err
	}
	return c
}

// askAdmin gets one page of the admin listener.
func askAdmin(ctx context.Context, listen string, admin site.Admin, path string) (string, error) {
	network, addr := "tcp", listen
	if socket, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", socket
	}
	scheme := "http"
	if admin.TLSCert != "" {
		scheme = "https"
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
		// The listener is this host's own and its certificate the site's: what
		// is asked for is a sign of life, and the token is sent to nobody else.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost"+path, nil)
	if err != nil {
		return "", err
	}
	if admin.TokenFile != "" {
		token, err := readToken(admin.TokenFile)
		if err != nil {
			return "", err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("no sallyport answers on %s: %w", listen, rootCause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s says %s", path, resp.Status)
	}
	return string(body), err
}
