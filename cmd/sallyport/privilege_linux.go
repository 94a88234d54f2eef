// Privilege: which capabilities this process has, and which it needs: none, or
// one for the live sets.

package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openSets opens the packet filter's sets when they are to be kept current.
func openSets(live bool) (addressSet, error) {
	if !live {
		return nil, nil
	}
	k, err := newKernelSets()
	if err != nil {
		return nil, err
	}
	return k, nil
}

// warnOfPrivilege says when more than needed was given, as to a process that
// root starts. It works the same; a mistake in it would cost more.
func warnOfPrivilege(log *slog.Logger, live bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	if needless := needlessCapabilities(string(status), live); needless != 0 {
		log.Warn("this process has capabilities that it does not need; run it as an unprivileged user", "needless", "0x"+strconv.FormatUint(needless, 16))
	}
}

// needlessCapabilities reads /proc/self/status for what is permitted beyond need.
func needlessCapabilities(status string, live bool) uint64 {
	for line := range strings.Lines(status) {
		if hex, ok := strings.CutPrefix(line, "CapPrm:"); ok {
			caps, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if live {
				caps &^= 1 << unix.CAP_NET_ADMIN
			}
			return caps
		}
	}
	return 0
}
