// Own record: which addresses are the gateway's own, as its start record lists
// them.

package journal

import (
	"net/netip"
	"slices"
)

// OwnTexts spells what is a gateway's own for its start record: its listeners
// as address:port, then the addresses of its host but those of loopback, which
// every host has.
func OwnTexts(listeners []netip.AddrPort, host []netip.Addr) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, l.String())
	}
	for _, a := range host {
		if text := a.Unmap().WithZone("").String(); !a.IsLoopback() && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// LastOwn returns what the newest start record in the files says is the
// gateway's own; nil: none says it. The last file is looked at first, and what
// cannot be read is passed over: Scan reports it.
func LastOwn(files []string) []string {
	for _, name := range slices.Backward(files) {
		if own := ownIn(name); own != nil {
			return own
		}
	}
	return nil
}

// ownIn returns what the last start record of one file says.
func ownIn(name string) (own []string) {
	s, err := openReader(name, newDecoder(), &Report{})
	if err != nil {
		return nil
	}
	defer s.close()
	for s.only = []byte(`"event":"` + EventStart + `"`); s.next(); {
		if s.rec.Event == EventStart && len(s.rec.Own) > 0 {
			own = slices.Clone(s.rec.Own)
		}
	}
	return own
}
