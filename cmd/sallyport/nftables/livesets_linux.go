// Kernel sets: changes the sets of the packet filter by netlink.

package nftables

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// kernelSets are the sets of table inet sallyport. They need CAP_NET_ADMIN.
type kernelSets struct{ conn *nftables.Conn }

// OpenSets opens the packet filter's sets if live is set; else it returns nil.
func OpenSets(live bool) (AddressSet, error) {
	if !live {
		return nil, nil
	}
	k, err := newKernelSets()
	if err != nil {
		return nil, err
	}
	return k, nil
}

// newKernelSets checks that this process may change the sets. A ruleset that is
// not loaded yet is no error.
func newKernelSets(options ...nftables.ConnOption) (*kernelSets, error) {
	conn, err := nftables.New(options...)
	if err != nil {
		return nil, err
	}
	k := &kernelSets{conn}
	if _, err := k.Holds("names4"); errors.Is(err, unix.EPERM) {
		return nil, errors.New("--live-sets needs CAP_NET_ADMIN and nothing else: AmbientCapabilities=CAP_NET_ADMIN in the unit, or setcap cap_net_admin+ep on the binary")
	}
	return k, nil
}

// set returns a description of a set, enough to change its elements.
func (k *kernelSets) set(name string) *nftables.Set {
	s := &nftables.Set{
		Table: &nftables.Table{Family: nftables.TableFamilyINet, Name: "sallyport"},
		Name:  name, KeyType: nftables.TypeIPAddr, HasTimeout: true,
	}
	if strings.HasPrefix(name, "names6") {
		s.KeyType = nftables.TypeIP6Addr
	}
	return s
}

// Holds returns the addresses in a set.
func (k *kernelSets) Holds(name string) ([]netip.Addr, error) {
	s := k.set(name)
	if _, err := k.conn.GetSetByName(s.Table, name); err != nil {
		return nil, k.explain(name, err)
	}
	elements, err := k.conn.GetSetElements(s)
	if err != nil {
		return nil, k.explain(name, err)
	}
	var out []netip.Addr
	for _, e := range elements {
		if a, ok := netip.AddrFromSlice(e.Key); ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// Put adds addresses, each with a timeout. Linux before 6.12 keeps the old timeout
// of an element that is added again. So Put adds, deletes and adds each address in
// one transaction; the first step makes the second succeed. Packets match the
// address all the time.
func (k *kernelSets) Put(name string, addrs map[netip.Addr]time.Duration) error {
	var elements []nftables.SetElement
	for a, left := range addrs {
		elements = append(elements, nftables.SetElement{Key: a.AsSlice(), Timeout: max(left, time.Second)})
	}
	return k.change(name, elements, true)
}

// Drop removes addresses.
func (k *kernelSets) Drop(name string, addrs []netip.Addr) error {
	var elements []nftables.SetElement
	for _, a := range addrs {
		elements = append(elements, nftables.SetElement{Key: a.AsSlice()})
	}
	if err := k.change(name, elements, false); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil // without the set there is nothing to remove
}

// change adds and deletes elements; with stay it adds them again.
func (k *kernelSets) change(name string, elements []nftables.SetElement, stay bool) error {
	if len(elements) == 0 {
		return nil
	}
	s := k.set(name)
	steps := []func(*nftables.Set, []nftables.SetElement) error{k.conn.SetAddElements, k.conn.SetDeleteElements}
	if stay {
		steps = append(steps, k.conn.SetAddElements)
	}
	for _, step := range steps {
		if err := step(s, elements); err != nil {
			return err
		}
	}
	if err := k.conn.Flush(); err != nil {
		return k.explain(name, err)
	}
	return nil
}

// explain adds the set to an error.
func (k *kernelSets) explain(name string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("table inet sallyport has no set %s: %w", name, err)
	}
	return fmt.Errorf("set %s: %w", name, err)
}
