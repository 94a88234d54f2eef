// Tests of the limits of the process, and of how they are described.

package gateway

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"sallyport/rules/site"
)

func TestMemoryLimit(t *testing.T) {
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	const gib = 1 << 30
	for _, c := range []struct {
		what   string
		env    bool
		before int64 // the limit that the runtime read from the environment
		cgroup uint64
		err    error
		want   int64 // the limit of the runtime afterwards
		from   string
		says   string
	}{
		{"nothing set", false, math.MaxInt64, 0, memlimit.ErrNoLimit, math.MaxInt64, "none", "no limit"},
		{"no cgroups", false, math.MaxInt64, 0, memlimit.ErrCgroupsNotSupported, math.MaxInt64, "none", "no limit"},
		{"cgroups that cannot be read", false, math.MaxInt64, 0, errors.New("?"), math.MaxInt64, "none", "no limit"},
		{"a cgroup", false, math.MaxInt64, gib, nil, gib / 10 * 9, "cgroup", "921.6 MiB, 90 % of the cgroup's limit"},
		{"a cgroup without bounds", false, math.MaxInt64, math.MaxUint64, nil, math.MaxInt64, "none", "no limit"},
		{"GOMEMLIMIT", true, 2 * gib, gib, nil, 2 * gib, "GOMEMLIMIT", "2048.0 MiB, from GOMEMLIMIT"},
		{"GOMEMLIMIT=off", true, math.MaxInt64, gib, nil, math.MaxInt64, "GOMEMLIMIT", "no limit, from GOMEMLIMIT"},
	} {
		debug.SetMemoryLimit(c.before)
		got := TakeLimits(slog.New(slog.DiscardHandler), site.Limits{Connections: 100},
			func(key string) (string, bool) { return "", c.env && key == "GOMEMLIMIT" },
			func() (uint64, error) { return c.cgroup, c.err })
		is, shown := debug.SetMemoryLimit(-1), c.want
		if shown == math.MaxInt64 {
			shown = 0
		}
		if diff := is - c.want; diff < -1024 || diff > 1024 || got.Memory != is && got.Memory != shown || got.MemoryFrom != c.from || got.memory() != c.says {
			t.Errorf("%s: the runtime has %d, want %d; said %+v, %q", c.what, is, c.want, got, got.memory())
		}
		if got.Files == 0 || got.FilesNeed != 3984 || !strings.Contains(got.files(), "3984") {
			t.Errorf("%s: files %+v, %q", c.what, got, got.files())
		}
	}
}
