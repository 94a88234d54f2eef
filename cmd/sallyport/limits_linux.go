// Limits: how much memory and how many files this process may have.

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"sallyport/rules/site"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// processLimits are what the system and the environment grant.
type processLimits struct {
	Memory     int64  `json:"memory_bytes"` // a soft limit of the Go runtime's; 0: none
	MemoryFrom string `json:"memory_from"`  // GOMEMLIMIT, cgroup or none
	Files      uint64 `json:"open_files"`
	FilesNeed  uint64 `json:"open_files_needed"` // by [limits] connections
}

// memoryShare is what of a cgroup's limit the runtime aims at; the rest is for
// what it does not count, like the kernel's buffers.
const memoryShare = 0.9

// takeLimits learns the limits. The runtime has obeyed GOMEMLIMIT already;
// where nobody has set it, it is to obey the cgroup's limit. fromCgroup tells
// that.
func takeLimits(log *slog.Logger, l site.Limits, lookup func(string) (string, bool), fromCgroup func() (uint64, error)) processLimits {
	out := processLimits{MemoryFrom: "none", FilesNeed: neededDescriptors(l)}
	_, set := lookup("GOMEMLIMIT")
	bytes, err := fromCgroup()
	switch {
	case set:
		out.MemoryFrom = "GOMEMLIMIT"
	case err == nil && bytes > 0 && bytes < math.MaxInt64:
		out.MemoryFrom = "cgroup"
		debug.SetMemoryLimit(int64(memoryShare * float64(bytes)))
	case err != nil && !errors.Is(err, memlimit.ErrNoLimit) && !errors.Is(err, memlimit.ErrNoCgroup) && !errors.Is(err, memlimit.ErrCgroupsNotSupported):
		log.Debug("the cgroup's memory limit cannot be read", "error", err)
	}
	if out.Memory = debug.SetMemoryLimit(-1); out.Memory == math.MaxInt64 {
		out.Memory = 0
	}
	out.Files = openFiles()
	return out
}

// memory says the limit of memory, and whose it is.
func (l processLimits) memory() string {
	size := "no limit"
	if l.Memory > 0 {
		size = fmt.Sprintf("%.1f MiB", float64(l.Memory)/(1<<20))
	}
	switch l.MemoryFrom {
	case "cgroup":
		return fmt.Sprintf("%s, %.0f %% of the cgroup's", size, 100*memoryShare)
	case "GOMEMLIMIT":
		return size + ", from GOMEMLIMIT"
	}
	return size
}

// files says the limit of open files.
func (l processLimits) files() string {
	return fmt.Sprintf("%d, of which [limits] connections needs %d", l.Files, l.FilesNeed)
}
