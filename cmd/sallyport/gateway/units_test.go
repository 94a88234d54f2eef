package gateway

import (
	"net/netip"
	"sallyport/rules/site"
	"strings"
	"testing"
)

// A file name with line breaks stays within the comment of the drop-in.
func TestSocketsOfAnOddName(t *testing.T) {
	l := site.Listen{HTTP: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:3128")}}
	for _, d := range SocketDropIns("a\n[Service]\nExecStart=/bin/false\r\u2028x.toml", l) {
		if strings.Contains(d.Text, "\nExecStart") || strings.ContainsAny(d.Text, "\r\u2028") {
			t.Errorf("%s:\n%s", d.Path, d.Text)
		}
	}
}
