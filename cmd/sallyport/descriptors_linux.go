// Descriptors: whether this process may open as many as its limits promise.

package main

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

const (
	// connectionDescriptors are for a client's connection at most: both ends and,
	// of a tunnel that is busy, a pipe; of requests, two more upstreams.
	connectionDescriptors = 4
	// reservedDescriptors are for everything else: listeners, the journal, admin
	// connections, DNS clients over TCP and the questions to upstreams.
	reservedDescriptors = 2560
)

// warnOfDescriptors says when connections would fail before limits.connections
// is reached. The soft limit needs no mending: Go raises it to the hard one.
func warnOfDescriptors(log *slog.Logger, l rules.Limits) {
	var has unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &has) != nil {
		return
	}
	if need := neededDescriptors(l); has.Max < need {
		log.Warn("the limit of open files is too low for [limits] connections: accepts will fail before it is reached",
			"open_files", has.Max, "needed", need, "connections", l.Connections,
			"cure", fmt.Sprintf("LimitNOFILE=%d (systemd), --ulimit nofile=%d (container), or connections = %d", need, need, fitting(has.Max)))
	}
}

// neededDescriptors are what all clients together can make this process open.
func neededDescriptors(l rules.Limits) uint64 {
	return connectionDescriptors*uint64(max(l.Connections, 0)) + reservedDescriptors
}

// fitting is how many connections open files are enough for.
func fitting(files uint64) uint64 {
	return (max(files, reservedDescriptors+connectionDescriptors) - reservedDescriptors) / connectionDescriptors
}
