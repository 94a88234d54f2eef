// Sockets: the command that prints the socket units for systemd.

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

// newSockets returns the command sockets.
func newSockets() *cobra.Command {
	var file, dir string
	c := &cobra.Command{
		Use:   "sockets",
		Short: "Print the systemd units for the sockets of a configuration",
		Long: `sockets prints drop-in files for sallyport.socket and sallyport-dns.socket with
the addresses of [listen]. A systemd generator runs it with --write at boot and at
every daemon-reload, so you list the addresses in one place only.

sallyport opens some sockets itself: the admin listener, addresses with port 0 or
with a zone, and "[::]" if 0.0.0.0 has the same port. sockets does not print these.
It ignores errors elsewhere in the configuration, so that systemd keeps the sockets
while you correct the file.

Exit status: 0, or 1 if the configuration cannot be read.`,
		Example: `  sallyport sockets --config /etc/sallyport/sallyport.toml
  systemctl daemon-reload && systemctl cat sallyport.socket`,
		Args: commandline.NoArgs,
	}
	commandline.ConfigFlag(c, &file)
	c.Flags().StringVar(&dir, "write", "", "write the drop-ins below `DIR` instead of printing them")
	_ = c.MarkFlagDirname("write")
	c.RunE = func(c *cobra.Command, _ []string) error {
		name, _, data, err := gateway.ReadConfig(file, c.InOrStdin())
		if err != nil {
			return err
		}
		listen, err := site.ListenOf(name, data)
		if err != nil {
			return err
		}
		for _, d := range gateway.SocketDropIns(name, listen) {
			if dir == "" {
				_, err = fmt.Fprintf(c.OutOrStdout(), "# %s\n%s\n", d.Path, d.Text)
			} else {
				err = d.Write(dir)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}
