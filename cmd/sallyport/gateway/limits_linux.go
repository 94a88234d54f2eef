// Limits: reads how much memory and how many open files this process may have.

package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"sallyport/rules/site"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// ProcessLimits are the limits that the system and the environment set.
type ProcessLimits struct {
	Memory     int64  `json:"memory_bytes"` // the soft limit of the Go runtime; 0: none
	MemoryFrom string `json:"memory_from"`  // GOMEMLIMIT, cgroup or none
	Files      uint64 `json:"open_files"`
	FilesNeed  uint64 `json:"open_files_needed"` // how many files [limits] connections and udp_flows need
}

// memoryShare is the part of a cgroup's limit that the runtime may use. The rest
// is for memory that the runtime does not count, such as buffers of the kernel.
const memoryShare = 0.9

// TakeLimits returns the limits. If GOMEMLIMIT is not set, TakeLimits sets the
// runtime's memory limit from the limit of the cgroup, which fromCgroup returns.
func TakeLimits(log *slog.Logger, l site.Limits, lookup func(string) (string, bool), fromCgroup func() (uint64, error)) ProcessLimits {
	out := ProcessLimits{MemoryFrom: "none", FilesNeed: neededDescriptors(l)}
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

// memory describes the memory limit and where it comes from.
func (l ProcessLimits) memory() string {
	size := "no limit"
	if l.Memory > 0 {
		size = fmt.Sprintf("%.1f MiB", float64(l.Memory)/(1<<20))
	}
	switch l.MemoryFrom {
	case "cgroup":
		return fmt.Sprintf("%s, %.0f %% of the cgroup's limit", size, 100*memoryShare)
	case "GOMEMLIMIT":
		return size + ", from GOMEMLIMIT"
	}
	return size
}

// files describes the limit of open files.
func (l ProcessLimits) files() string {
	return fmt.Sprintf("%d, of which [limits] connections and udp_flows need %d", l.Files, l.FilesNeed)
}
