// Descriptors: whether this process may open as many as its limits promise.

package main

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"sallyport/rules/site"
)

const (
	// connectionDescriptors are for a client's connection at most: both ends and,
	// of a tunnel that is busy, a pipe; of requests, two more upstreams.
	connectionDescriptors = 4
	// reservedDescriptors are for everything else: listeners, the journal, admin
	// connections, DNS clients over TCP and the questions to upstreams.
	reservedDescriptors = 2560
)

// openFiles is how many descriptors this process may open; 0: the kernel does
// not say. Go raises a soft limit below the hard one when the process starts,
// to the hard one less one.
func openFiles() uint64 {
	var has unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &has) != nil {
		return 0
	}
	return has.Cur
}

// warnOfDescriptors says when connections would fail before limits.connections
// is reached, as the process may open only so many files. The one that Go leaves
// below the hard limit is not missed: reservedDescriptors has room.
func warnOfDescriptors(log *slog.Logger, files uint64, l site.Limits) {
	need := neededDescriptors(l)
	if files == 0 || files >= need-1 {
		return
	}
	log.Warn("the limit of open files is too low for [limits] connections: accepts will fail before it is reached",
		"open_files", files, "needed", need, "connections", l.Connections,
		"cure", fmt.Sprintf("LimitNOFILE=%d (systemd), --ulimit nofile=%d (container), or connections = %d", need, need, fitting(files)))
}

// neededDescriptors are what all clients together can make this process open.
func neededDescriptors(l site.Limits) uint64 {
	return connectionDescriptors*uint64(max(l.Connections, 0)) + reservedDescriptors
}

// fitting is how many connections open files are enough for.
func fitting(files uint64) uint64 {
	return (max(files, reservedDescriptors+connectionDescriptors) - reservedDescriptors) / connectionDescriptors
}
