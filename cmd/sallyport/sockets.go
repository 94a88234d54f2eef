// Sockets: tells systemd which sockets a configuration lists, so that they are
// written down in one place only.

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/gateway"
	"sallyport/rules/site"
)

func newSockets() *cobra.Command {
	var file, dir string
	c := &cobra.Command{
		Use:   "sockets",
		Short: "Print which sockets systemd holds for a configuration",
		Long: `sockets prints what sallyport.socket and sallyport-dns.socket lack: the
addresses of [listen], as drop-ins. A systemd generator runs it with --write at
boot and at every daemon-reload, so that nobody has to list them twice.

The admin listener is not among them, nor an address with port 0 or a zone, nor
"[::]" beside 0.0.0.0 with the same port: sallyport opens those itself. Mistakes elsewhere in the configuration do not
matter: the doors are held while somebody mends it.

Exit status: 0, or 1 when the configuration cannot be read.`,
		Example: `  sallyport sockets --config /etc/sallyport/sallyport.toml
  systemctl daemon-reload && systemctl cat sallyport.socket`,
		Args: noArgs,
	}
	configFlag(c, &file)
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
		for _, d := range socketDropIns(name, listen) {
			if dir == "" {
				_, err = fmt.Fprintf(c.OutOrStdout(), "# %s\n%s\n", d.path, d.text)
			} else {
				err = d.write(dir)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// dropIn is a part of a unit: its path below a directory of units, and its text.
type dropIn struct{ path, text string }

func (d dropIn) write(dir string) error {
	path := filepath.Join(dir, d.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(d.text), 0o644)
}

// socketDropIns completes the two socket units, and ties the service to those
// of them that have a socket: a unit without one would not load. There are no
// datagrams without streams, so what happens to sallyport.socket may happen to
// all: in one transaction, as otherwise a client would start the service while
// an operator is half way through.
func socketDropIns(config string, l site.Listen) []dropIn {
	var streams, datagrams, units []string
	all := l.Streams()
	for _, list := range [][]netip.AddrPort{l.HTTP, l.SOCKS5, l.Transparent, l.DNS} {
		streams = append(streams, listenLines("ListenStream", unspanned(list, all), all)...)
	}
	datagrams = listenLines("ListenDatagram", l.DNS, l.DNS)

	var out []dropIn
	head := "# By sallyport sockets, from [listen] in " + printable(config) + "\n"
	for _, u := range []struct {
		name  string
		lines []string
	}{{"sallyport.socket", streams}, {"sallyport-dns.socket", datagrams}} {
		if len(u.lines) > 0 {
			units = append(units, u.name)
			out = append(out, dropIn{u.name + ".d/50-listen.conf", head + "[Socket]\n" + strings.Join(u.lines, "\n") + "\n"})
		}
	}
	if len(units) > 0 {
		list := strings.Join(units, " ")
		out = append(out, dropIn{"sallyport.service.d/50-sockets.conf", head + "[Unit]\nPartOf=" + units[0] + "\n[Service]\nSockets=" + list + "\n"})
	}
	return out
}

// listenLines writes one line for each address that a unit can name. Its
// BindIPv6Only= is for all of them, so that "[::]" without IPv4, beside 0.0.0.0
// with the same port, is none of these.
func listenLines(key string, list, all []netip.AddrPort) (lines []string) {
	for _, a := range list {
		if a.Port() != 0 && a.Addr().Zone() == "" && !site.OnlyIPv6(a, all) {
			lines = append(lines, key+"="+a.String())
		}
	}
	return lines
}
