// Descriptors: checks that this process may open as many files as its limits
// need.

package gateway

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"sallyport/rules/site"
)

const (
	// connectionDescriptors is the most that one client connection needs: both
	// ends, and a pipe for a busy tunnel or two more upstream connections for
	// requests.
	connectionDescriptors = 4
	// flowDescriptors is the most that limits.udp_flows means for each: the socket of
	// a flow, and the socket of an association.
	flowDescriptors = 2
	// oneHost is how many connections at once are enough for the programs of one host.
	oneHost = 1000
	// reservedDescriptors is the number for everything else: listeners, the
	// journal, admin connections, DNS clients over TCP, upstream queries, and 1024
	// connections to destinations that wait for the next request of any client.
	reservedDescriptors = 3584
)

// openFiles returns how many descriptors this process may open; 0 if the kernel
// does not report it. When the process starts, Go raises the soft limit to the hard
// limit minus one.
func openFiles() uint64 {
	var has unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &has) != nil {
		return 0
	}
	return has.Cur
}

// warnOfDescriptors warns if the process may open too few files for [limits]
// connections and udp_flows. The one descriptor that Go leaves below the hard limit does not
// matter: reservedDescriptors has room for it. A gateway that only this host reaches, as in a first
// try, gets a line of information, if enough connections for one host remain.
func warnOfDescriptors(log *slog.Logger, files uint64, l site.Limits, local bool) {
	need := neededDescriptors(l)
	if files == 0 || files >= need-1 {
		return
	}
	if fits := fitting(files - min(files, flowFiles(l))); local && fits >= oneHost {
		log.Info("the limit of open files is enough for a gateway of this host alone; before other hosts use it, see the operations page", "open_files", files, "connections", fits)
		return
	}
	log.Warn("the limit of open files is too low for [limits] connections and udp_flows: new connections and flows will fail before these numbers are reached",
		"open_files", files, "needed", need, "connections", l.Connections, "udp_flows", l.UDPFlows,
		"cure", fmt.Sprintf("LimitNOFILE=%d (systemd), --ulimit nofile=%d (container), or connections = %d", need, need, fitting(files-min(files, flowFiles(l)))))
}

// neededDescriptors returns how many descriptors all clients together can make
// this process open.
func neededDescriptors(l site.Limits) uint64 {
	return connectionDescriptors*uint64(max(l.Connections, 0)) + flowFiles(l) + reservedDescriptors
}

// flowFiles returns how many descriptors the flows of datagrams can take.
func flowFiles(l site.Limits) uint64 { return flowDescriptors * uint64(max(l.UDPFlows, 0)) }

// fitting returns how many connections a number of open files is enough for.
func fitting(files uint64) uint64 {
	return (max(files, reservedDescriptors+connectionDescriptors) - reservedDescriptors) / connectionDescriptors
}
