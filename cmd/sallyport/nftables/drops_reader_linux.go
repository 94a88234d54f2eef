// Drop reader: reads the counters and sets of table inet sallyport by netlink.
// That needs CAP_NET_ADMIN.

package nftables

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A dropReader reads the counters of the packet filter.
type dropReader struct {
	conn  *nftables.Conn
	netns int // descriptor of the network namespace; 0: the current one
	boot  string
	space uint64
}

// newDropReader opens the packet filter of a network namespace; 0: of the current one.
func newDropReader(netns int) (*dropReader, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	r := &dropReader{netns: netns, boot: strings.TrimSpace(string(boot))}
	var st unix.Stat_t
	if netns == 0 {
		err = unix.Stat("/proc/self/ns/net", &st)
	} else {
		err = unix.Fstat(netns, &st)
	}
	if err != nil {
		return nil, err
	}
	r.space = st.Ino
	r.conn, err = nftables.New(nftables.WithNetNSFd(netns))
	return r, err
}

// ErrNoTable reports that no ruleset is loaded.
var ErrNoTable = errors.New("table inet sallyport is not loaded")

// read returns a reading. It begins again if a ruleset is loaded meanwhile.
func (r *dropReader) read() (Reading, error) {
	const tries = 3
	for range tries {
		before, err := r.handle()
		if err != nil {
			return Reading{}, err
		}
		out := Reading{TableID: TableID{r.boot, r.space, before}, Totals: map[string]uint64{}}
		err = r.fill(&out)
		after, again := r.handle()
		switch {
		case again != nil:
			return Reading{}, again
		case before != after:
			continue
		case err != nil:
			return Reading{}, err
		}
		sortDrops(out.Drops)
		return out, nil
	}
	return Reading{}, errors.New("cannot read the counters: a ruleset was loaded during every try")
}

// fill reads the totals, then the entries.
func (r *dropReader) fill(out *Reading) error {
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: "sallyport"}
	counters, err := r.conn.GetObjects(table)
	if err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	for _, o := range counters {
		if c, ok := o.(*nftables.CounterObj); ok {
			out.Totals[c.Name] = c.Packets
		}
	}
	for _, c := range recordedCounters(Sidecar) {
		if _, there := out.Totals[c.name]; !there {
			continue
		}
		for _, f := range families() {
			for _, name := range []string{flowSet(c.name, f.digit), clientSet(c.name, f.digit)} {
				elements, err := r.conn.GetSetElements(&nftables.Set{Table: table, Name: name})
				if errors.Is(err, unix.ENOENT) {
					continue // an earlier version printed the ruleset
				} else if err != nil {
					return fmt.Errorf("set %s: %w", name, err)
				}
				for _, e := range elements {
					if d, ok := dropOf(c, f, e); ok {
						out.Drops = append(out.Drops, d)
					}
				}
			}
		}
	}
	return nil
}

// dropOf decodes one entry: the source, and in sets of flows the destination,
// protocol and port, each padded to 4 octets.
func dropOf(c recordedCounter, f family, e nftables.SetElement) (Drop, bool) {
	if e.Counter == nil {
		return Drop{}, false
	}
	size := 4
	if f.digit == "6" {
		size = 16
	}
	d := Drop{Counter: c.name, Packets: e.Counter.Packets}
	if len(e.Key) < size {
		return Drop{}, false
	}
	d.Client, _ = netip.AddrFromSlice(e.Key[:size])
	rest := e.Key[size:]
	if len(rest) == 0 {
		return d, true
	}
	if len(rest) < size+4 || c.ports && len(rest) < size+8 {
		return Drop{}, false
	}
	to, _ := netip.AddrFromSlice(rest[:size])
	d.Proto = rest[size]
	port := uint16(0)
	if c.ports {
		port = uint16(rest[size+4])<<8 | uint16(rest[size+5])
	}
	d.Dest = netip.AddrPortFrom(to, port)
	return d, true
}

// handle returns the table's handle, which the library does not read.
func (r *dropReader) handle() (uint64, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: r.netns})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	const get = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETTABLE
	name, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_TABLE_NAME, Data: []byte("sallyport\x00")}})
	if err != nil {
		return 0, err
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: get, Flags: netlink.Request | netlink.Acknowledge},
		Data:   append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, name...),
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return 0, ErrNoTable
	case err != nil:
		return 0, err
	case len(answers) == 0 || len(answers[0].Data) < 4:
		return 0, errors.New("the kernel returned nothing about table inet sallyport")
	}
	attrs, err := netlink.NewAttributeDecoder(answers[0].Data[4:])
	if err != nil {
		return 0, err
	}
	const handle = 4 // NFTA_TABLE_HANDLE of linux/netfilter/nf_tables.h
	for attrs.Next() {
		if attrs.Type() == handle && len(attrs.Bytes()) == 8 {
			return binary.BigEndian.Uint64(attrs.Bytes()), nil
		}
	}
	return 0, errors.Join(errors.New("the kernel returned no handle of table inet sallyport"), attrs.Err())
}
