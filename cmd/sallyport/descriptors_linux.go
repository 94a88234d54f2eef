// Descriptors: whether this process may open as many as its limits promise.

package main

import (
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// reservedDescriptors are for everything but clients' connections: listeners,
// the journal, the admin page, DNS.
const reservedDescriptors = 256

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

// neededDescriptors counts both ends of every connection.
func neededDescriptors(l rules.Limits) uint64 {
	return 2*uint64(max(l.Connections, 0)) + reservedDescriptors
}

// fitting is how many connections open files are enough for.
func fitting(files uint64) uint64 {
	return (max(files, reservedDescriptors+2) - reservedDescriptors) / 2
}
