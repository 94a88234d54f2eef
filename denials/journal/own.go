// Own record: the gateway's own addresses, as its start record lists them.

package journal

import (
	"net/netip"
	"slices"
)

// OwnTexts returns the gateway's own addresses as texts for its start record:
// its listeners as address:port, then the addresses of its host. It leaves out
// the host's loopback addresses, because every host has them.
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

// LastOwn returns the gateway's own addresses from the newest start record in
// the files. It returns nil if no record has them. It skips files that cannot be
// read: Scan reports these.
func LastOwn(files []string) []string {
	for _, name := range slices.Backward(files) {
		if own := ownIn(name); own != nil {
			return own
		}
	}
	return nil
}

// ownIn returns the own addresses from the last start record of one file.
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
